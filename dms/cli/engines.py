"""`dms engines`: make, prove and list the engines' artefacts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from dms.cli import engine_making
from dms.cli.engine_data import describe, engine_inputs, make_task, open_data, shipped_data, steps
from dms.cli.engine_options import (
    DATA,
    FILE,
    FOLDER,
    engines_in,
    engines_option,
    json_option,
    net_argument,
    nets,
)
from dms.cli.options import to_json
from dms.engines.limits import LIMIT_POINTS

PROOF_INPUTS = 128
"""Pictures on which outputs are compared number by number; the metric is taken on all that are held out."""
ORDER = """\b
From a trained net to what ships, in order:
  export       TRAINED/<net>/model.onnx -> model.onnx (FP32), model.fp16.onnx; simplified
  sensitivity  which parts of the net bear INT8, by the task's own metric
  quantize     ranges.json -> model.trt.int8.onnx and model.cpu.int8.onnx
  verify       every file against FP32; fails when one loses too much
  list         the table of all files

\b
Making needs `pip install 'dms[quantize]'`; `verify` and `list` need nothing more.
Example:
  dms engines export all --from runs/june --trained-on packs/june
  dms engines quantize all --data packs/june --compare
"""


@click.group(epilog=ORDER)
def engines() -> None:
    """Make, prove and list the engines' artefacts."""


for _command in (
    engine_making.export,
    engine_making.simplify,
    engine_making.sensitivity,
    engine_making.quantize,
):
    engines.add_command(_command)


@engines.command()
@net_argument
@click.option("--data", type=FOLDER, help=DATA + " Left out: the small simulated set `calib_data`.")
@click.option("--backend", type=click.Choice(["ort", "openvino"]), default="ort", show_default=True)
@click.option(
    "--limit",
    type=click.FloatRange(min=0),
    default=LIMIT_POINTS,
    show_default=True,
    help="Points a file may lose.",
)
@click.option("--measure", is_flag=True, help="Also time every file on every runtime installed here.")
@click.option("--record", is_flag=True, help="Write proofs and times into the manifests: for a release.")
@json_option
@engines_option
@click.pass_context
def verify(
    ctx: click.Context,
    net: str,
    data: Path | None,
    backend: str,
    limit: float,
    measure: bool,
    record: bool,
    as_json: bool,
    folder: Path | None,
) -> None:
    """Prove every file against FP32: errors of its outputs, and the task's metric before and after.

    Checks hashes, inputs and outputs on the way; changes no file without --record. Ends with exit code 5 when
    a file loses more than the limit. Only the INT8 form made for another runtime may be skipped, where this
    one refuses it.
    """
    from dms.engines import verify as proving

    source = data or shipped_data()
    pack = open_data(source)
    note = describe(pack, source)
    if not as_json:
        click.echo(f"proved on {note}")
    results: dict[str, dict[str, Any]] = {}
    passed = True
    for name in nets(net):
        place = engines_in(folder) / name
        inputs, task = engine_inputs(name, pack, source, PROOF_INPUTS), make_task(name, pack)
        with steps(f"{name}: files") as told:
            found = proving.verify(place, inputs, task, note, backend, limit, told)
        speeds_ms = _speeds(name, place) if measure else None
        if record:
            proving.record(place, backend, found.proofs, speeds_ms)
        passed = passed and found.passed
        results[name] = proving.to_dict(found, speeds_ms)
        if not as_json:
            click.echo(proving.text(name, backend, found, speeds_ms))
    if as_json:
        click.echo(to_json({"data": note.model_dump(), "backend": backend, "engines": results}))
    if not passed:
        ctx.exit(5)


def _speeds(net: str, place: Path) -> dict[tuple[str, str], float]:
    """Milliseconds of one picture by (runtime, precision)."""
    from dms.engines.manifest import load_manifest
    from dms.evaluation.speed import runtimes, speed_ms

    with steps(f"{net}: speed") as told:
        told("all files in turn")
        return speed_ms(net, place, load_manifest(place).files, runtimes())


@engines.command("list")
@json_option
@click.option(
    "--update",
    type=FILE,
    multiple=True,
    help="Markdown file whose tables between <!-- engines -->, <!-- methods --> or <!-- sensitivity --> and "
    "the closing mark are written anew. May be repeated.",
)
@engines_option
def list_(as_json: bool, update: Sequence[Path], folder: Path | None) -> None:
    """Print all files: accuracy with its interval, points lost, size, speed by runtime, as Markdown.

    Values come from `dms evaluate --publish`, or before that from `dms engines verify --record`; those of
    files that were changed since are left out.
    """
    from dms.engines import listing
    from dms.evaluation import catalogue
    from dms.evaluation.measure import PRIMARY

    primary = {net: metric for net, (metric, _) in PRIMARY.items()}
    found = listing.rows(engines_in(folder), primary, lambda net, metric: catalogue.entry(net, metric).label)
    click.echo(to_json(found) if as_json else listing.markdown(found))
    for path in update:
        tables = {
            "engines": listing.markdown(found),
            "methods": listing.methods_table(engines_in(folder)),
            "sensitivity": listing.sensitivity_table(engines_in(folder)),
        }
        click.echo(f"{path}: {', '.join(listing.update(path, tables))}", err=True)
