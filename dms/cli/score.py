"""`dms score`: what was told against what happened."""

from __future__ import annotations

from pathlib import Path

import click

from dms.cli.options import FiniteRange, to_json

PATH = click.Path(path_type=Path, dir_okay=False)
EPILOG = """\b
TIMELINE is what truly happened: a YAML list of {kind, start_s, end_s}, seconds from the start, or the
`.truth.jsonl` of a simulated clip. ALERTS is what was told: JSON lines of `dms analyze --out`, of
sinks.jsonl.path, or of `dms watch --vehicle NAME --json`.

\b
Examples:
  dms analyze clip.mp4 --out told.jsonl && dms score clip.events.yaml told.jsonl
  dms score a.events.yaml a.jsonl b.events.yaml b.jsonl --json
"""


@click.command(epilog=EPILOG)
@click.argument("files", nargs=-1, required=True, type=PATH, metavar="TIMELINE ALERTS [TIMELINE ALERTS]…")
@click.option("--profile", default="euroncap_2026", show_default=True, help="Whose rules say what is due.")
@click.option(
    "--start",
    "start_s",
    type=FiniteRange(min=0),
    help="Where the timeline begins, by the clock of ALERTS (captured_s); otherwise at its first line.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.option("--plot", type=PATH, help="Draw recall and delays as PNG.")
def score(
    files: tuple[Path, ...], profile: str, start_s: float | None, as_json: bool, plot: Path | None
) -> None:
    """Score alerts against the truth.

    Tells recall, precision, delays, false alerts an hour and availability, by class, with 95 % intervals. An
    event is due when it lasts longer than the profile's rule asks; an alert is right when it begins while its
    event lasts. Few events give wide intervals: read those first.
    """
    if len(files) % 2:
        raise click.UsageError("give pairs of files: TIMELINE ALERTS, for every recording")
    from dms.alerts import load_profile
    from dms.tools.event_truth import joined, read_timeline
    from dms.tools.events import compare
    from dms.tools.score import report
    from dms.tools.score.figures import Run, figures
    from dms.tools.score.record import read_told

    rules, runs = load_profile(profile), []
    for timeline, alerts in zip(files[::2], files[1::2], strict=True):
        told = read_told(alerts, start_s)
        events = joined(read_timeline(timeline))
        runs.append(Run(compare(alerts.name, events, told.alerts, told.seconds, rules), told.judged_s))
    found = figures(runs, rules)
    if plot is not None:
        report.plot(runs, found, plot)
    click.echo(to_json(found.to_dict()) if as_json else report.text(found))
