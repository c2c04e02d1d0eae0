"""`python -m dms.training`: from the data pack to the four engines."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import click

from dms.errors import DmsError

NETS = ("face", "eyes", "fatigue", "distraction")
FOLDER = click.Path(path_type=Path, file_okay=False)
TEACHER = click.Path(path_type=Path, dir_okay=False)
DATA = click.option("--data", type=FOLDER, envvar="DMS_DATA", required=True, help="The data pack's folder.")


@click.group()
def main() -> None:
    """Pack the data, train the nets, quantise and evaluate the engines."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")


@main.command()
@click.argument("photo", type=click.Path(path_type=Path))
@click.option("--teacher", type=TEACHER, required=True, help="MediaPipe's face_landmarker.task.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Portrait to write (.npz).")
def portrait(photo: Path, teacher: Path, out: Path) -> None:
    """Turn a photograph of a face into a driver for `dms simulate --portrait`."""
    from dms.training import portraits

    portraits.fit_portrait_file(photo, teacher, out)


@main.command()
@DATA
@click.option("--teacher", type=TEACHER, required=True, help="MediaPipe's face_landmarker.task.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Set to write (.npz).")
@click.option("--count", type=click.IntRange(min=1), default=5000, show_default=True, help="Pictures.")
@click.option("--seed", type=int, default=1, show_default=True)
def simulate(data: Path, teacher: Path, out: Path, count: int, seed: int) -> None:
    """Draw faces of the data pack in random poses, with their exact truth, for `pack --sim`."""
    from dms.training import simulate as drawing

    drawing.generate(data, teacher, out, count, seed)


@main.command()
@DATA
@click.option("--sim", type=click.Path(path_type=Path), help="File of simulated faces.")
@click.option("--out", type=FOLDER, required=True)
def pack(data: Path, sim: Path | None, out: Path) -> None:
    """Pack images and labels into parts that can be sent to another machine."""
    from dms.training import packing

    packing.pack(data, sim, out)


@main.command()
@click.argument("net", type=click.Choice([*NETS, "all"]))
@click.option("--pack", "folder", type=FOLDER, required=True, help="What `pack` wrote.")
@click.option("--out", type=FOLDER, required=True, help="One folder a net is made in it.")
@click.option("--configs", type=FOLDER, default=Path("configs/training"), show_default=True)
@click.option("--steps", type=int, help="Instead of the recipe's.")
@click.option("--batch", type=int, help="Instead of the recipe's.")
@click.option("--pace", type=float, default=1.0, help="Multiplies the recipe's steps and seconds.")
def fit(
    net: str, folder: Path, out: Path, configs: Path, steps: int | None, batch: int | None, pace: float
) -> None:
    """Train one net, or all in one go."""
    from dms.training import fitting

    names = NETS if net == "all" else (net,)
    fitting.fit(names, folder, out, configs, pace, steps=steps, batch=batch)


@main.command()
@click.argument("net", type=click.Choice([*NETS, "all"]))
@click.option("--from", "trained", type=FOLDER, help="What `fit` wrote; left out, the engines as they lie.")
@click.option("--pack", "folder", type=FOLDER, required=True)
@click.option("--engines", type=FOLDER, default=Path("engines"), show_default=True)
@click.option(
    "--method",
    type=click.Choice(["minmax", "percentile", "entropy"]),
    default="minmax",
    show_default=True,
    help="How activation ranges are found.",
)
def quantize(net: str, trained: Path | None, folder: Path, engines: Path, method: str) -> None:
    """Place trained models in the engines' folder and make their INT8 artefacts and manifests."""
    from dms.training import pack, release

    found = pack.read(folder)
    for name in NETS if net == "all" else (net,):
        if trained is not None:
            release.place(name, trained / name / "model.onnx", engines)
        release.quantise(name, found, engines, method)


@main.command()
@click.option("--pack", "folder", type=FOLDER, required=True)
@click.option("--engines", type=FOLDER, default=Path("engines"), show_default=True)
@click.option("--table", type=click.Path(path_type=Path), default=Path("docs/engines.md"), show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of the table.")
def evaluate(folder: Path, engines: Path, table: Path, as_json: bool) -> None:
    """Measure the engines on held-out people; write metrics.json, the manifests' figures and the table."""
    import json

    from dms.training import evaluate as measuring
    from dms.training import pack

    report = measuring.evaluate(pack.read(folder), engines)
    measuring.publish(report, engines, table)
    click.echo(json.dumps(report, indent=2) if as_json else table.read_text(encoding="utf-8"))


if __name__ == "__main__":
    try:
        main(standalone_mode=True)
    except DmsError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
