"""`dms calibrate`: pictures that show what the engines will meet, and the ranges taken from them."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dms.calibration import RELEASE
from dms.cli.calibrate_cabin import cabin
from dms.cli.options import FiniteRange, configured, load, start_logging, to_json
from dms.engines.contract import CONTRACTS
from dms.engines.limits import LEAST_IMAGES, METHODS, MOST_IMAGES
from dms.terminal import exit_code

if TYPE_CHECKING:
    from dms.calibration.check import Report
    from dms.calibration.collect import Collection
    from dms.config import Config

FOLDER = click.Path(path_type=Path, file_okay=False)
PICTURE = "coverage.png"

EPILOG = """\b
Examples:
  dms calibrate collect --source /dev/video0 --out set --person d1       until all is covered
  dms calibrate collect --source night.mp4 --out set --person d2         goes on with the same set
  dms calibrate check set                                                what is still missing
  dms calibrate ranges set --engine eyes --out eyes.ranges.json          then, with the file:
  dms engines quantize eyes --ranges eyes.ranges.json
"""
count_option = click.option(
    "--count",
    type=click.IntRange(min=LEAST_IMAGES),
    default=RELEASE,
    show_default=True,
    help="Pictures wanted.",
)


@click.group(epilog=EPILOG)
def calibrate() -> None:
    """Calibrate engines by pictures, zones in place.

    INT8 engines are only as good as the pictures their ranges come from: these must show the light, poses,
    eyes and faces of the vehicles they will work in. All pictures stay on this machine.
    """


calibrate.add_command(cabin)


@calibrate.command()
@click.option(
    "--source", metavar="URI", required=True, help="Camera, clip, folder of images, URL, sim:SCRIPT."
)
@click.option("--out", type=FOLDER, required=True, help="Folder of the set; an existing set is carried on.")
@count_option
@click.option("--seconds", type=FiniteRange(min=0, min_open=True), help="Stop after this time of the source.")
@click.option("--person", default="", metavar="CODE", help="A code (no name) for the driver of this run.")
@click.option(
    "--glasses",
    type=click.Choice(["none", "clear", "dark"]),
    help="What the driver of this run wears: no engine sees clear glasses.",
)
@click.option(
    "--infrared/--no-infrared",
    default=None,
    help="Whether the camera sees by infrared light in this run: grey pictures do not tell.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the coverage as JSON.")
@configured
@click.pass_context
def collect(
    ctx: click.Context,
    /,
    source: str,
    out: Path,
    count: int,
    seconds: float | None,
    as_json: bool,
    configs: Sequence[str],
    overrides: Sequence[str],
    **who: Any,
) -> None:
    """Gather pictures on the target, from a camera or clips.

    The engines look at every frame; kept are those that show what the set still lacks: other light, pose,
    lids, mouth, distance, hands, glasses, an empty seat. Ends when all of it is covered, when the source is
    over, after --seconds, or on Ctrl-C; called again with the same --out it goes on.

    Writes PNG pictures, labels.csv and landmarks.csv (what the engines measured, docs/datasets.md) and the
    coverage as a picture (coverage.png). The pictures show people: they stay on this machine, none is sent.
    """
    config = load(configs, overrides, source)
    config = config.model_copy(update={"source": config.source.model_copy(update={"realtime": False})})
    from dms.calibration.collect import Collection, Session
    from dms.service import StopSignal

    start_logging(config)
    with StopSignal() as stop:
        collection = Collection(out, count, Session(source, **who))
        _gather(config, collection, seconds, stop.is_set)
    if not collection.pictures:
        click.echo("nothing was kept: no frame came, or the engines doubt what they see", err=True)
        ctx.exit(1)
    _, draw = _examined(out, count, as_json)
    _draw_if_possible(draw, out / PICTURE)
    if stop.received is signal.SIGINT:
        ctx.exit(exit_code(stop.received))


def _gather(config: Config, collection: Collection, seconds: float | None, stop: Callable[[], bool]) -> None:
    """Collect with a progress bar that names what lacks most."""
    from dms.app import open_pipeline
    from dms.calibration.collect import collect as gather
    from dms.sources import open_source

    with (
        closing(open_source(config.source)) as frames,
        open_pipeline(config, session="calibration") as pipeline,
        click.progressbar(
            length=collection.count, label="collecting", file=sys.stderr, item_show_func=lambda gap: gap
        ) as bar,
    ):
        bar.update(min(collection.pictures, collection.count))

        def told(kept: int) -> None:
            bar.update(kept, _next_gap(collection.within_reach) if kept else bar.current_item)

        gather(
            frames,
            pipeline,
            collection,
            first_frame_s=config.source.open_timeout_s,
            lost_after_s=config.source.lost_after_s,
            seconds=seconds,
            stop=stop,
            told=told,
        )


def _draw_if_possible(draw: Callable[[Path], None], picture: Path) -> None:
    """The pictures are collected: a missing drawing library must not look like a failure."""
    from dms.errors import ConfigError

    try:
        draw(picture)
    except ConfigError as e:
        click.echo(f"no {picture.name}: {e}", err=True)
    else:
        click.echo(f"picture: {picture}", err=True)


def _next_gap(lacking: dict[tuple[str, str], int]) -> str:
    """What is lacking most, for the progress bar."""
    if not lacking:
        return "all covered"
    (facet, name), missing = max(lacking.items(), key=lambda item: item[1])
    return f"wanted: {facet} {name} ({missing}), {len(lacking)} kinds in all"


@calibrate.command()
@click.argument("folder", metavar="DIR", type=FOLDER)
@count_option
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="Picture to write (PNG).")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_context
def check(ctx: click.Context, folder: Path, count: int, plot: Path | None, as_json: bool) -> None:
    """Tell what DIR lacks to be representative.

    DIR is what `collect` wrote or any labelled folder. Ends with exit code 0 if it is fit, with 1 if it is
    too small, one-sided or lacks something, and says which way.
    """
    report, draw = _examined(folder, count, as_json)
    if plot is not None:
        draw(plot)
    if not report.fit:
        ctx.exit(1)


def _examined(folder: Path, count: int, as_json: bool) -> tuple[Report, Callable[[Path], None]]:
    """Print the report on a set; what comes with it draws the report to a file."""
    from dms.calibration import check as examining
    from dms.calibration import plot

    report, labels = examining.check(folder, count)
    click.echo(to_json(report.to_dict()) if as_json else examining.to_text(report))
    return report, lambda out: plot.draw(report, folder, labels, out)


@calibrate.command()
@click.argument("folder", metavar="DIR", type=FOLDER)
@click.option("--engine", "net", type=click.Choice([*CONTRACTS]), required=True)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File of ranges to write."
)
@click.option("--engines", type=FOLDER, help="Folder of the engines; left out, those that ship with dms.")
@click.option(
    "--method", type=click.Choice(METHODS), default="minmax", show_default=True, help="How they are found."
)
@click.option(
    "--most",
    type=click.IntRange(min=LEAST_IMAGES),
    default=MOST_IMAGES,
    show_default=True,
    help="Pictures used.",
)
@click.option("--allow-one-sided", is_flag=True, help="Take a labelled folder that shows one side only.")
def ranges(
    folder: Path,
    net: str,
    out: Path,
    engines: Path | None,
    method: str,
    most: int,
    allow_one_sided: bool,
) -> None:
    """Find the value ranges of an engine on the pictures of DIR.

    DIR is a labelled folder, what `collect` wrote, or a pack (people held out of it stay unseen). A folder
    is checked first: what it lacks is told, one-sided pictures are refused. The file names the method and the
    hashes of model and pictures, so that nobody mistakes it for another's; `dms engines quantize NET --ranges
    FILE` makes the INT8 files of it. Needs `pip install 'dms[quantize]'`.
    """
    from dms.cli.engine_data import engine_inputs, open_data, require_all_sides
    from dms.errors import ConfigError
    from dms.files import require_folder
    from dms.resources import engines_folder

    try:
        from dms.engines.ranges import find_ranges
    except ImportError as e:
        raise ConfigError(f"ranges need {e.name}: pip install 'dms[quantize]'") from e

    require_folder(out)
    _require_outside_engines(out, net)
    pack = open_data(folder)
    require_all_sides(folder, allow_one_sided)
    images = engine_inputs(net, pack, folder, most)
    model = (engines or engines_folder()) / net / "model.onnx"
    table = find_ranges(model, images, method)
    table.save(out)
    click.echo(f"{out}: {len(table.tensors)} tensors of the {net} engine, {method}, {len(images)} pictures")


def _require_outside_engines(out: Path, net: str) -> None:
    """What lies in an engine's folder is vouched for by its manifest: only `dms engines` writes there."""
    from dms.errors import InputError

    folder = out.absolute().parent
    if any((folder / name).exists() for name in ("manifest.json", "model.onnx")):
        raise InputError(
            f"cannot write {out}: {folder} holds an engine, whose manifest vouches for its files. Write "
            f"ranges elsewhere, as --out {net}.ranges.json, then `dms engines quantize {net} --ranges "
            f"{net}.ranges.json`"
        )


@calibrate.command()
@click.option("--out", type=FOLDER, required=True, help="New folder.")
@click.option(
    "--count", type=click.IntRange(min=LEAST_IMAGES), default=160, show_default=True, help="Pictures."
)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True)
@click.option("--portrait", default="default", help="A fitted portrait (.npz) instead of the shipped one.")
def simulate(out: Path, count: int, seed: int, portrait: str) -> None:
    """Draw a set of the simulated driver, with exact truth.

    One portrait in every light and pose: enough to try the tools and to measure the engines in a clean
    clone, not to calibrate for a release. `calib_data/` was made by this command.
    """
    from dms.calibration.drawn import draw

    with click.progressbar(length=count, label="drawing", file=sys.stderr) as bar:
        draw(out, count, seed, portrait, lambda: bar.update(1))
    click.echo(f"{out}: {count} pictures")
