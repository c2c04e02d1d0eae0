"""`dms engines export|simplify|sensitivity|quantize`: from a trained net to the artefacts that ship."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dms.cli.engine_data import (
    engine_inputs,
    float_nodes,
    given_ranges,
    make_task,
    open_data,
    require_all_sides,
    steps,
    trained_sets,
    watched,
)
from dms.cli.engine_options import (
    DATA,
    FILE,
    FOLDER,
    engines_in,
    engines_option,
    json_option,
    most_option,
    net_argument,
    nets,
    tools,
)
from dms.cli.options import FiniteRange, to_json
from dms.engines.limits import BOUND_POINTS, METHODS, MOST_IMAGES

if TYPE_CHECKING:
    from onnx import ModelProto

    from dms.engines.swept import Sensitivity
    from dms.engines.table import RangesTable

    FindRanges = Callable[[str, ModelProto, Path, Sequence[str]], RangesTable]
    """Ranges for (net, its model, its folder, the nodes that stay float)."""


@click.command()
@net_argument
@click.option("--from", "trained", type=FOLDER, required=True, help="What `fit` wrote: a folder a net.")
@click.option("--trained-on", type=FOLDER, help="The pack it was trained on: its sets go into the manifest.")
@click.option("--no-simplify", is_flag=True, help="Leave the graph as training exported it.")
@engines_option
def export(net: str, trained: Path, trained_on: Path | None, no_simplify: bool, folder: Path | None) -> None:
    """Take a trained net over: FP32 and FP16 files and a new manifest.

    INT8 files of an older net are removed; make them again with `quantize`.
    """
    with tools():
        from dms.engines import release

        pack = open_data(trained_on) if trained_on else None
        for name in nets(net):
            sets = trained_sets(pack, name) if pack else None
            source = trained / name / release.FP32
            found = release.place(name, source, engines_in(folder), sets, slim=not no_simplify)
            click.echo(f"{name}: {found.nodes_before} -> {found.nodes_after} nodes; FP32 and FP16 written")


@click.command()
@net_argument
@engines_option
def simplify(net: str, folder: Path | None) -> None:
    """Simplify the FP32 file that lies there and write FP16 anew; `export` does so as well.

    Prints nodes before and after and the largest relative difference of an output. INT8 files are removed,
    as their ranges were another graph's; a graph that is simple already is left with all its files.
    """
    with tools():
        from dms.engines import release

        for name in nets(net):
            found = release.place(name, release.fp32_path(name, engines_in(folder)), engines_in(folder))
            if not found.changed:
                click.echo(f"{name}: {found.nodes_before} nodes, simple already: nothing was touched")
                continue
            click.echo(
                f"{name}: {found.nodes_before} -> {found.nodes_after} nodes, "
                f"outputs differ by {found.difference:.1e}; now make INT8 again (`dms engines quantize`)"
            )


@click.command()
@net_argument
@click.option("--data", type=FOLDER, help=DATA + " Needed, unless --ranges is given.")
@click.option(
    "--method",
    type=click.Choice(METHODS),
    help=f"How ranges are found; left out: what the last `--compare` of this net chose, else {METHODS[0]}.",
)
@click.option(
    "--compare", is_flag=True, help="Try every method on the task, keep the best, record the table."
)
@click.option(
    "--ranges",
    type=FILE,
    help="What `dms calibrate ranges` wrote for this net; no pictures are looked at then.",
)
@click.option("--allow-one-sided", is_flag=True, help="Take a labelled folder that shows one side only.")
@most_option
@engines_option
def quantize(
    net: str,
    data: Path | None,
    method: str | None,
    compare: bool,
    ranges: Path | None,
    allow_one_sided: bool,
    most: int,
    folder: Path | None,
) -> None:
    """Find activation ranges and write the three INT8 files (cpu, trt, qnn) from them.

    Parts that `sensitivity` found too dear stay in floating point; before a sweep, the heads do. A labelled
    folder is examined as by `dms calibrate check`; one-sided pictures are refused.
    """
    if compare and method:
        raise click.UsageError("--compare tries every method: leave --method out")
    other = data is not None or method or compare or most != MOST_IMAGES or allow_one_sided
    if ranges is not None and (other or net == "all"):
        raise click.UsageError(
            "--ranges is one net's file and looks at no pictures: name the net, and it alone"
        )
    with tools():
        from dms.engines import release
        from dms.engines.storage import read_model

        find = _given(ranges) if ranges is not None else _found(data, allow_one_sided, method, compare, most)
        for name in nets(net):
            place = engines_in(folder) / name
            model = read_model(place / release.FP32, name)
            kept = float_nodes(name, model, place)
            table = find(name, model, place, kept)
            sizes = release.place_int8(name, engines_in(folder), table, kept)
            told = ", ".join(f"{form} {size / 1e6:.2f} MB" for form, size in sizes.items())
            click.echo(f"{name}: {table.method}, {table.images} pictures; {told}")


def _given(ranges: Path) -> FindRanges:
    return lambda net, model, place, kept: given_ranges(net, model, ranges)


def _found(
    data: Path | None, allow_one_sided: bool, method: str | None, compare: bool, most: int
) -> FindRanges:
    if data is None:
        raise click.UsageError(
            "give --data (pictures to find ranges with), or --ranges (a file that has them)"
        )
    pack = open_data(data)
    require_all_sides(data, allow_one_sided)

    def find(net: str, model: ModelProto, place: Path, kept: Sequence[str]) -> RangesTable:
        from dms.engines import compare as comparing

        seen = watched(net, model, engine_inputs(net, pack, data, most))
        if not compare:
            return seen.table(method or comparing.method_for(place, seen.model_sha256))
        with steps(f"{net}: methods") as told:
            found = comparing.compare(model, seen, kept, make_task(net, pack), told)
        found.save(place)
        click.echo(found.text())
        return seen.table(found.chosen)

    return find


@click.command()
@net_argument
@click.option("--data", type=FOLDER, required=True, help=DATA)
@click.option(
    "--bound",
    type=FiniteRange(min=0),
    default=BOUND_POINTS,
    show_default=True,
    help="Points a part may cost.",
)
@most_option
@json_option
@engines_option
def sensitivity(net: str, data: Path, bound: float, most: int, as_json: bool, folder: Path | None) -> None:
    """Quantise part by part and measure what each costs on the task.

    Writes sensitivity.json and a picture beside the engine; `quantize` then keeps in floating point what
    costs more than the bound.
    """
    with tools():
        from dms.engines import release
        from dms.engines import sensitivity as sweeping
        from dms.engines.ranges import observe
        from dms.engines.storage import read_model

        pack = open_data(data)
        results = []
        for name in nets(net):
            place = engines_in(folder) / name
            model, images = read_model(place / release.FP32, name), engine_inputs(name, pack, data, most)
            table = observe(model, name, images).table("minmax")
            task = make_task(name, pack)
            with steps(f"{name}: parts") as told:
                found = sweeping.sweep(model, table, images, task, bound, told)
            found.save(place)
            _draw(found, place / sweeping.PICTURE)
            results.append(found)
            if not as_json:
                click.echo(found.text())
    if as_json:
        click.echo(to_json([json.loads(found.model_dump_json()) for found in results]))


def _draw(found: Sensitivity, path: Path) -> None:
    """The table stands without its picture, which needs another extra."""
    from dms.engines.sensitivity import draw
    from dms.errors import ConfigError

    try:
        draw(found, path)
    except ConfigError as error:
        click.echo(f"no {path.name}: {error}", err=True)
