"""`dms score`: what was told against what happened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dms.cli.options import FiniteRange, to_json

if TYPE_CHECKING:
    from dms.tools.score.figures import Run

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
@click.option(
    "--profile",
    "profiles",
    multiple=True,
    metavar="NAME",
    help="Whose rules say what is due; by default those that ALERTS names. May be repeated.",
)
@click.option(
    "--start",
    "start_s",
    type=FiniteRange(min=0),
    help="Where the timeline begins, by the clock of ALERTS (captured_s); otherwise at its first line.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.option("--plot", type=PATH, help="Draw recall and delays as PNG.")
def score(
    files: tuple[Path, ...],
    profiles: tuple[str, ...],
    start_s: float | None,
    as_json: bool,
    plot: Path | None,
) -> None:
    """Score alerts against the truth.

    Tells recall, precision, delays, false alerts an hour and availability, by class, with 95 % intervals. An
    event is due when it lasts longer than the profile's rule asks; an alert is right when it begins while its
    event lasts. What only one of the two files covers is left out, and told. Few events give wide intervals:
    read those first.
    """
    if len(files) % 2:
        raise click.UsageError("give pairs of files: TIMELINE ALERTS, for every recording")
    from dms.tools.score import report
    from dms.tools.score.figures import figures

    runs = [_scored(*pair, start_s, profiles) for pair in zip(files[::2], files[1::2], strict=True)]
    found = figures(runs)
    if plot is not None:
        report.plot(runs, found, plot)
    click.echo(to_json(found.to_dict()) if as_json else report.text(found))


def _scored(timeline: Path, record: Path, start_s: float | None, named: tuple[str, ...]) -> Run:
    """One recording scored; what to warn of goes to stderr."""
    from dms.tools.event_truth import joined, read_timeline
    from dms.tools.events import compare
    from dms.tools.score.coverage import covered
    from dms.tools.score.figures import Run
    from dms.tools.score.profiles import profiles_for
    from dms.tools.score.record import read_told

    truth = read_timeline(timeline)
    told = read_told(record, start_s, truth.ends_s)
    profiles, warnings = profiles_for(told, record, named)
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    events, alerts, coverage = covered(joined(truth.events), truth.ends_s, told)
    score = compare(record.name, events, alerts, told.seconds, *profiles)
    return Run(score, told.judged_s, profiles, coverage)
