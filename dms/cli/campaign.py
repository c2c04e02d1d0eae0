"""`dms campaign`: miss rates on the simulated driver, by group."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from dms.cli.options import to_json

PATH = click.Path(path_type=Path, dir_okay=False)
EPILOG = """\b
Every drive holds closed eyes, long looks with the head and with the eyes alone, phones and a yawn, and
between them what must not alarm: mirrors, squints, a hand on the face. A miss is silent when, for most of
the event, nothing was said to be unknown. What is drawn is not reality: docs/campaign.md.

\b
Examples:
  dms campaign --drives 1 --only light                 a quick look
  dms campaign --drives 4 --plot campaign.png --json campaign.json
  dms campaign --only skin --portraits portraits/      darker-1.npz, lighter-1.npz, …
"""


@click.command(epilog=EPILOG)
@click.option("--drives", default=2, show_default=True, type=click.IntRange(1, 1000), help="Of every group.")
@click.option("--only", "factors", multiple=True, help="Only this factor, beside the baseline. Repeatable.")
@click.option(
    "--portraits",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of fitted portraits; the name up to the first `-` is the group.",
)
@click.option("--workers", type=click.IntRange(1, 256), help="Processes; as many as there are processors.")
@click.option("--json", "json_path", type=PATH, help="Write the figures and every event as JSON.")
@click.option("--plot", type=PATH, help="Draw miss rates and false alerts by group as PNG.")
@click.option("--markdown", is_flag=True, help="Print the table as Markdown.")
def campaign(
    drives: int,
    factors: tuple[str, ...],
    portraits: Path | None,
    workers: int | None,
    json_path: Path | None,
    plot: Path | None,
    markdown: bool,
) -> None:
    """Measure misses on simulated drives, by group.

    Light, eyewear, cover, camera, distance, frame rate, noise, picture and skin, one changed at a time.
    """
    from dms.files import require_folder, write_atomically
    from dms.tools.campaign import plan, report
    from dms.tools.campaign.campaign import run
    from dms.tools.campaign.figures import figures

    if plan.SKIN in factors and portraits is None:
        raise click.UsageError(
            "--only skin needs --portraits: a folder of fitted portraits brings its groups"
        )
    for path in (json_path, plot):
        if path is not None:
            require_folder(path)
    groups = plan.chosen([*plan.GROUPS, *(plan.with_portraits(portraits) if portraits else ())], factors)
    bar: Any = click.progressbar(length=len(groups) * drives, label="driving", file=sys.stderr)
    with bar:
        trials = run(groups, drives, workers or os.cpu_count() or 1, lambda done, of: bar.update(1))
    found = figures(trials)
    if json_path is not None:
        document = {"schema": "dms.campaign/1", "drives": drives, "groups": [of.to_dict() for of in found]}
        write_atomically(json_path, to_json(document) + "\n")
    if plot is not None:
        report.plot(found, plot)
    click.echo(report.markdown(found) if markdown else report.text(found))
