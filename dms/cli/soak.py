"""`dms soak`: hours of driving with faults thrown in; memory, threads and files must stay flat."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dms.cli.options import FiniteRange, configured, load, source_option, to_json

if TYPE_CHECKING:
    from dms.tools.soak.laps import Recording
    from dms.tools.soak.schedule import Fault
    from dms.tools.soak.watch import Sample

PATH = click.Path(path_type=Path, dir_okay=False)
FAILED = 1
BAR = 24
EPILOG = """\b
Examples:
  dms soak                                   an hour of driving, as fast as this machine manages
  dms soak --hours 24 --speed 8 --json soak.json --plot soak.png
  dms soak --hours 8 --speed 1               in real time, a night long

\b
Exit codes: 0 all demands are met, 1 one is not; 130 and 143 after SIGINT and SIGTERM, with a report of
what was driven. What is demanded, and what is not real in a soak: docs/soak.md
"""


@click.command(epilog=EPILOG)
@configured
@source_option
@click.option("--hours", default=1.0, show_default=True, type=FiniteRange(0.02, 10_000), help="Of driving.")
@click.option(
    "--speed",
    default=60.0,
    show_default=True,
    type=FiniteRange(1, 1000),
    help="How many times real time at most: the waiting between frames is left out, the work is not.",
)
@click.option("--seed", default=1, show_default=True, help="Of the schedule of faults.")
@click.option(
    "--minutes",
    type=FiniteRange(0, min_open=True),
    help="End after so many minutes of wall time; otherwise all hours are driven, however long it takes.",
)
@click.option("--json", "json_path", type=PATH, help="Write every figure and look as JSON.")
@click.option("--plot", type=PATH, help="Draw memory, threads, handles, level and faults over time.")
@click.option("--log", "log_path", type=PATH, help="Write the log here; the faults make much of it.")
@click.pass_context
def soak(
    ctx: click.Context,
    configs: Sequence[str],
    overrides: Sequence[str],
    source: str | None,
    hours: float,
    speed: float,
    seed: int,
    minutes: float | None,
    json_path: Path | None,
    plot: Path | None,
    log_path: Path | None,
) -> None:
    """Drive for hours with faults thrown in.

    The real decoder, engines, loop, controller, sinks and broker, on a recording that runs again and again;
    only the waiting between frames is left out. Checked are memory, threads and file handles, that every
    fault is told and recovered from, and that the alerts of the recording come lap after lap.
    """
    config = load(configs, overrides, source)
    from dms import pictures
    from dms.files import require_folder, write_atomically
    from dms.service import StopSignal
    from dms.terminal import exit_code
    from dms.tools.soak import plot as soak_plot
    from dms.tools.soak import soak as drive
    from dms.tools.soak import text as soak_text
    from dms.tools.soak.drive import Order
    from dms.tools.soak.verdict import checks

    for path in filter(None, (json_path, plot, log_path)):
        require_folder(path)
    if plot:
        pictures.figure(1, 1)  # without matplotlib it fails now, not after hours
    _start_logging(log_path)
    order = Order(3600 * hours, speed, seed, 60 * minutes if minutes else None)
    shown = _Shown(order.driving_s)
    with StopSignal() as stop:
        run = drive(config, order, stop.is_set, shown.plan, shown.look)
    shown.end()
    for line in soak_text.report_lines(run):
        click.echo(line)
    found = checks(run)
    if json_path:
        write_atomically(json_path, to_json(soak_text.as_values(run, found)))
    if plot:
        soak_plot.draw(run, plot)
    if stop.received:
        ctx.exit(exit_code(stop.received))
    ctx.exit(0 if all(check.passed for check in found) else FAILED)


def _start_logging(path: Path | None) -> None:
    """Into a file or nowhere: hundreds of faults on purpose would bury the report."""
    handler = logging.FileHandler(path, mode="w") if path else logging.NullHandler()
    logging.basicConfig(
        level="INFO", handlers=[handler], format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )


class _Shown:
    """The schedule, then one line that lives; where nobody watches, a line for each twentieth."""

    def __init__(self, driving_s: float) -> None:
        self._driving_s = driving_s
        self._live = sys.stderr.isatty()
        self._told_share = -1.0

    def plan(self, recording: Recording, plan: Sequence[Fault]) -> None:
        """Show what will come."""
        from dms.tools.soak.text import plan_lines

        alerts = ", ".join(f"{alert.type} at {alert.told_s:.1f} s" for alert in recording.alerts)
        click.echo(f"each lap of {recording.length_s:.0f} s: {alerts}\n{len(plan)} faults:")
        for line in plan_lines(plan):
            click.echo(line)

    def look(self, sample: Sample, fault: Fault | None) -> None:
        """Show one look at the process."""
        from dms.tools.soak.text import clock

        share = min(1.0, sample.driven_s / self._driving_s)
        if not self._live and share - self._told_share < 0.05:
            return
        self._told_share = share
        bar = "#" * round(BAR * share)
        line = (
            f"[{bar:-<{BAR}}] {clock(sample.driven_s)} x{sample.driven_s / max(sample.wall_s, 0.1):<5.1f}"
            f"{sample.rss_mb:6.1f} MB {sample.threads} threads {sample.handles} handles level {sample.level} "
            f"{sample.alerts} alerts {fault.kind.name if fault else '':<16}"
        )
        click.echo(f"\r{line}" if self._live else line.rstrip(), err=True, nl=not self._live)

    def end(self) -> None:
        """Leave the live line."""
        if self._live:
            click.echo(err=True)
