"""`dms engines`: make, prove and list the engines' artefacts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from dms.cli import engine_building, engine_making, engine_proving
from dms.cli.engine_options import FILE, engines_in, engines_option, json_option
from dms.cli.options import to_json

ORDER = """\b
From a trained net to what ships, in order:
  export       TRAINED/<net>/model.onnx -> model.onnx (FP32), model.fp16.onnx; simplified
  sensitivity  which parts of the net bear INT8, by the task's own metric
  quantize     ranges.json -> model.cpu.int8.onnx, model.trt.int8.onnx, model.qnn.int8.onnx
  verify       every file against FP32, on one runtime or on all; fails when one loses too much
  list         the table of all files
  build        on the device: compile ahead; with --gate choose the precision that is best there

\b
Making needs `pip install 'dms[quantize]'`; `verify`, `list` and `build` need nothing more.
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
    engine_proving.verify,
    engine_building.build,
):
    engines.add_command(_command)


@engines.command("list")
@json_option
@click.option(
    "--update",
    type=FILE,
    multiple=True,
    help="Markdown file whose tables between <!-- engines -->, <!-- agreement -->, <!-- methods --> or "
    "<!-- sensitivity --> and the closing mark are written anew. May be repeated.",
)
@engines_option
def list_(as_json: bool, update: Sequence[Path], folder: Path | None) -> None:
    """Print all files: accuracy with its interval, points lost, size, speed by runtime, as Markdown.

    Values come from `dms evaluate --publish`, or before that from `dms engines verify --record`; those of
    files that were changed since are left out.
    """
    from dms.engines import agreement, listing
    from dms.evaluation import catalogue, report
    from dms.evaluation.measure import PRIMARY

    primary = {net: metric for net, (metric, _) in PRIMARY.items()}
    found = listing.rows(engines_in(folder), primary, lambda net, metric: catalogue.entry(net, metric).label)
    click.echo(to_json(found) if as_json else listing.markdown(found))
    proved = agreement.recorded(engines_in(folder))
    header, *body = agreement.table(proved, agreement.runtimes_of(proved))
    for path in update:
        tables = {
            "engines": listing.markdown(found),
            "agreement": "\n".join([*report.markdown_table(header, body), "", agreement.EXPLAINED]),
            "methods": listing.methods_table(engines_in(folder)),
            "sensitivity": listing.sensitivity_table(engines_in(folder)),
        }
        click.echo(f"{path}: {', '.join(listing.update(path, tables))}", err=True)
