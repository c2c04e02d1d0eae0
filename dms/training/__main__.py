"""`python -m dms.training`: from the data pack to trained nets; `dms engines` makes the artefacts of them."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

import click

from dms.engines.contract import CONTRACTS
from dms.errors import DmsError
from dms.training.glasses_command import glasses
from dms.training.options import (
    BATCH,
    CONFIG,
    DATA,
    FOLDER,
    JSON,
    NET,
    NET_OR_ALL,
    OUT,
    PACK,
    POSITIVE,
    RESUME,
    STEPS,
    TEACHER,
    TEACHERS,
    TRAINED,
    recipes,
)
from dms.training.tflite_command import tflite


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Pack the data, look at it, train the nets, make them smaller.

    The usual order is pack, preview, fit; then distil, prune or qat, which tell before and after, where they
    pay. `dms engines` makes and proves the artefacts of what was trained, `dms evaluate` measures them.
    """
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
@click.option("--own", type=FOLDER, multiple=True, help="Labelled folder of your own; may be given again.")
@OUT
def pack(data: Path, sim: Path | None, own: tuple[Path, ...], out: Path) -> None:
    """Pack images and labels into a few files, the pictures grey and at most 448 pixels wide or high."""
    from dms.training.datasets import packing

    packing.pack(data, sim, out, own)


@main.command()
@NET
@PACK
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Picture to write."
)
@click.option("--seed", type=int, default=7, show_default=True)
@click.option("--batches", type=POSITIVE, default=4, show_default=True, help="Rows of training batches.")
def preview(net: str, folder: Path, out: Path, seed: int, batches: int) -> None:
    """Draw a contact sheet: each augmentation alone and by name, then training batches with targets."""
    from dms.training import preview as drawing
    from dms.training.data import open_data
    from dms.training.fitting import make_task
    from dms.training.recipe import Recipe

    task = make_task(net, open_data(folder), Recipe(steps=1, seconds=1, seed=seed))
    drawing.save(drawing.sheet(net, task, batches), out)
    click.echo(f"{out}: look at it before you train")


@main.command()
@NET_OR_ALL
@PACK
@click.option("--out", type=FOLDER, required=True, help="One folder a net is made in it.")
@CONFIG
@RESUME
@TEACHERS
@STEPS
@click.option("--seconds", type=click.FloatRange(min=1), help="Instead of the recipe's.")
@BATCH
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Instead of the recipe's.")
@click.option("--seed", type=int, help="Instead of the recipe's.")
@click.option(
    "--pace",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="Multiplies the recipe's steps and seconds: 0.1 for a quick look.",
)
def fit(
    net: str,
    folder: Path,
    out: Path,
    config: Path,
    resume: bool,
    teachers: tuple[Path, ...],
    pace: float,
    **changes: Any,
) -> None:
    """Train one net, or all in turn, on the GPU if there is one.

    Writes to OUT/<net>: weights.pt, run.json (recipe, data, commit, scores), training.csv, training.png and
    model.onnx; checkpoint.pt on the way.
    """
    from dms.training import fitting

    names = tuple(CONTRACTS) if net == "all" else (net,)
    fitting.fit_all(names, folder, out, config, pace=pace, resume=resume, teachers=teachers, **changes)


@main.command()
@click.argument("folder", type=FOLDER)
def export(folder: Path) -> None:
    """Write model.onnx of what `fit` left in FOLDER, or in the folders of nets in it."""
    from dms.training import fitting

    for part in fitting.runs_in(folder):
        fitting.export_run(part)
        click.echo(f"{part / 'model.onnx'}")


def _tell(report: dict[str, dict[str, Any]], as_json: bool) -> None:
    from dms.training import compress

    click.echo(json.dumps(report, indent=2) if as_json else compress.text(report))


@main.command()
@NET
@PACK
@OUT
@CONFIG
@TEACHERS
@STEPS
@BATCH
@RESUME
@JSON
def distil(
    net: str,
    folder: Path,
    out: Path,
    config: Path,
    teachers: tuple[Path, ...],
    resume: bool,
    as_json: bool,
    **changes: Any,
) -> None:
    """Train a net alone and with teachers; tell both.

    The teachers are those of the recipe (`teachers`, `teacher_kind`, `teacher_net`), or trained nets.
    """
    from dms.training import compress, data, fitting

    data.require_data(folder)
    how = fitting.changed(fitting.recipe_of(net, config), **changes)
    fitting.require_possible(net, how, teachers)
    _tell(compress.distil(net, data.open_data(folder), how, out, teachers, resume), as_json)


@main.command()
@TRAINED
@PACK
@OUT
@click.option(
    "--keep",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.75,
    show_default=True,
    help="Share of the multiplications that stays.",
)
@click.option("--steps", type=POSITIVE, default=2000, show_default=True, help="Steps of training afterwards.")
@BATCH
@RESUME
@JSON
def prune(trained: Path, folder: Path, out: Path, as_json: bool, **how: Any) -> None:
    """Cut the channels that matter least, train on, tell before and after.

    Cuts the trunks (stem and stages). The detector's laterals, the layer before the dense one and the heads
    keep their channels.
    """
    from dms.training import compress, data

    _tell(compress.pruned(trained, data.open_data(folder), out, **how), as_json)


@main.command()
@TRAINED
@PACK
@OUT
@click.option("--steps", type=POSITIVE, default=400, show_default=True, help="Steps with rounded numbers.")
@BATCH
@RESUME
@JSON
def qat(trained: Path, folder: Path, out: Path, as_json: bool, **how: Any) -> None:
    """Train on with numbers rounded to eight bits; tell before and after.

    Writes OUT/model.onnx and OUT/ranges.json, for where plain quantisation loses too much:
    `dms engines export` with the one, `dms engines quantize --ranges` with the other.
    """
    from dms.training import compress, data

    _tell(compress.tuned(trained, data.open_data(folder), out, **how), as_json)


@main.command()
@NET_OR_ALL
@click.option(
    "--candidates",
    type=click.Path(path_type=Path, dir_okay=False),
    default=lambda: recipes() / "candidates.yaml",
    show_default="those that ship",
    help="Shapes to compare.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="File of figures (JSON), added to what is there; a page of that name (.md) is written beside it.",
)
@click.option("--rounds", type=POSITIVE, default=200, show_default=True, help="Timed runs of each.")
@click.option("--steps", type=POSITIVE, help="Also train each shape this long and score it; needs --pack.")
@click.option("--pack", "folder", type=FOLDER, help="Data for --steps.")
@click.option(
    "--work", type=FOLDER, default=Path("candidates"), show_default=True, help="Folder for --steps."
)
@CONFIG
def compare(
    net: str,
    candidates: Path,
    out: Path,
    rounds: int,
    steps: int | None,
    folder: Path | None,
    work: Path,
    config: Path,
) -> None:
    """Compare shapes of nets before a long run: size, work, speed on every runtime, a short training."""
    from dms.training import compare as comparing
    from dms.training import data

    if steps and folder is None:
        raise click.UsageError("--steps needs --pack")
    found = comparing.candidates(candidates, config)
    given = data.open_data(folder) if steps and folder else None
    for name in found if net == "all" else (net,):
        rows = comparing.measure_speed(name, found[name], rounds)
        if steps and given:
            scores = comparing.train_shapes(name, found[name], given, config, work, steps)
            rows = {k: row | scores.get(k, {}) for k, row in rows.items()}
        comparing.write(comparing.merged(out, name, found[name], rows), out)
    click.echo(out.with_suffix(".md").read_text(encoding="utf-8"))


main.add_command(glasses)
main.add_command(tflite)

if __name__ == "__main__":
    try:
        main(standalone_mode=True)
    except DmsError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
