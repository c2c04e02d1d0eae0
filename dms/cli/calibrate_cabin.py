"""`dms calibrate cabin`: where the mirrors, displays and windows of this vehicle are, seen by this camera."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dms.cli.options import FiniteRange, configured, load, start_logging

if TYPE_CHECKING:
    from dms.calibration.cabin import Sample
    from dms.calibration.cabin_looks import Timed
    from dms.config import Config

FILE = click.Path(path_type=Path, dir_okay=False)
SETTLE_S = 0.5
"""The gaze arrives within this after the driver has said that he looks."""
EPILOG = """\b
Examples:
  dms calibrate cabin --wheel-side left --out my_cabin.yaml --source /dev/video0     you are asked
  dms calibrate cabin --wheel-side left --out my_cabin.yaml --source drive.mp4 --times looks.yaml

\b
looks.yaml holds a line a zone, seconds from the first frame: `driver_mirror: [4.0, 7.0]`. More: docs/gaze.md
"""


@click.command(epilog=EPILOG)
@click.option("--out", type=FILE, required=True, help="Cabin file to write (YAML).")
@click.option(
    "--wheel-side", type=click.Choice(["left", "right"]), required=True, help="Side of the steering wheel."
)
@click.option("--source", metavar="URI", help="Camera, clip, URL, sim:SCRIPT; else that of --config.")
@click.option("--from", "record", type=FILE, help="A record of frames (JSON lines) in place of a source.")
@click.option("--times", type=FILE, help="YAML of when each zone was looked at, for what is recorded.")
@click.option("--zones", help="Zones to ask for, with commas; left out, those of the configured cabin.")
@click.option(
    "--seconds",
    type=FiniteRange(min=1, max=60),
    default=2.0,
    show_default=True,
    help="How long each zone is looked at, live.",
)
@configured
def cabin(
    out: Path,
    wheel_side: str,
    source: str | None,
    record: Path | None,
    times: Path | None,
    zones: str | None,
    seconds: float,
    configs: Sequence[str],
    overrides: Sequence[str],
) -> None:
    """Find the gaze zones of this vehicle.

    The vehicle stands. You are asked to look at the road and then at each zone in turn, with eyes and head
    as in driving; the file written is for `cabin.geometry`. Zones that the gaze cannot tell apart, or that
    lie on the wrong side, are refused. With --times nobody is asked: a recording, sim:SCRIPT or --from tells
    by its time.
    """
    from dms.calibration.cabin import cabin_of, measured
    from dms.calibration.cabin_looks import by_zone, read_times, recorded
    from dms.config.cabin_file import cabin_text
    from dms.files import require_folder, write_atomically

    if record is not None and (source is not None or times is None):
        raise click.UsageError("--from needs --times and no --source")
    if times is not None and zones is not None:
        raise click.UsageError("--times names the zones: leave --zones out")
    config = load(configs, overrides, source)
    start_logging(config)
    require_folder(out)
    if record is not None and times is not None:
        found = by_zone(recorded(record), read_times(times))
    elif times is not None:
        spans = read_times(times)
        with _watched(config) as samples:
            found = by_zone(samples, spans)
    else:
        wanted = _wanted(zones, config)
        with _watched(config) as samples:
            found = {zone: _asked(zone, samples, seconds) for zone in wanted}
    looks = {zone: measured(zone, gazes) for zone, gazes in found.items()}
    made = cabin_of(_name(out), wheel_side, looks)
    write_atomically(out, cabin_text(made))
    for zone, box in made.zones.items():
        click.echo(f"{zone:20} {box.source}")
    click.echo(f"{out}: {len(made.zones)} zones; use it with --set cabin.geometry={out}")


def _wanted(zones: str | None, config: Config) -> list[str]:
    """The zones to ask for, the road first."""
    from dms.config.cabin import ROAD, ZONES
    from dms.config.cabin_file import read_cabin
    from dms.resources import configs_folder

    if zones is None:
        return [ROAD, *read_cabin(config.cabin.geometry, configs_folder() / "cabins").zones]
    wanted = [zone.strip() for zone in zones.split(",") if zone.strip() != ROAD]
    for zone in wanted:
        if zone not in ZONES:
            raise click.BadParameter(f"no zone is called {zone!r}; there are {', '.join(ZONES)}")
    return [ROAD, *wanted]


@contextmanager
def _watched(config: Config) -> Iterator[Iterator[Timed]]:
    """The gaze on each frame of the configured source, every frame of a recording."""
    from dms.app import open_pipeline
    from dms.calibration.cabin_looks import watched
    from dms.sources import open_source

    config = config.model_copy(update={"source": config.source.model_copy(update={"realtime": False})})
    with (
        closing(open_source(config.source)) as frames,
        open_pipeline(config, session="calibration") as pipeline,
    ):
        yield watched(frames, pipeline, config)


def _asked(zone: str, samples: Iterator[Timed], seconds: float) -> list[Sample]:
    """Ask the driver to look at a zone; the gaze of the `seconds` after he says that he does."""
    click.pause(f"Look at: {zone.replace('_', ' ')}. Press a key and keep looking for {seconds:g} s.")
    gazes: list[Sample] = []
    begun_s: float | None = None
    for at_s, gaze in samples:
        begun_s = at_s if begun_s is None else begun_s
        if gaze is not None and at_s - begun_s >= SETTLE_S:
            gazes.append(gaze)
        if at_s - begun_s >= SETTLE_S + seconds:
            break
    return gazes


def _name(out: Path) -> str:
    """A cabin's name from that of its file."""
    return "".join(c if (c.isalnum() and c.isascii()) or c in "-_" else "_" for c in out.stem)[:32] or "cabin"
