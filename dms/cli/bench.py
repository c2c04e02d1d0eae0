"""`dms bench`: how fast and how large each precision is on each platform of this machine."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dms.cli.bench_cameras import OF_CAMERAS, bench_cameras, cameras_options
from dms.cli.bench_pipeline import OF_PIPELINE, bench_pipeline, pipeline_options
from dms.cli.engine_options import engines_in, engines_option
from dms.cli.options import FiniteRange, configured, given
from dms.engines.contract import CONTRACTS

if TYPE_CHECKING:
    from dms.tools.bench.records import Report

PATH = click.Path(path_type=Path, dir_okay=False)
FAILED = 1
EPILOG = """\b
Examples:
  dms bench                                        every runtime installed here, every precision
  dms bench --backend openvino --precision int8 --precision fp32 --image-size 1280x720
  dms bench --json now.json --plot now.png
  dms bench --compare before.json now.json --fail-above 1.1     exit code 1 when a row got slower
  dms bench --pipeline --image-size 1280x720                    the whole chain of `dms run`
  dms bench --pipeline --peers --peer-model face_landmarker.task      and MediaPipe by turns
  dms bench --cameras 1,4,8,16,20 --seconds 20                  how many streams one process serves

\b
Every row is measured in a process of its own, on one frame of the shipped clip. What it says and what it
does not: docs/benchmarks.md.
"""


def _runtimes(ctx: click.Context, param: click.Parameter, asked: Sequence[str]) -> list[str]:
    """The runtimes given; left out, those whose packages are installed."""
    from dms.backends import BACKENDS, installed

    for name in asked:
        if name not in BACKENDS:
            raise click.BadParameter(f"no runtime {name!r}; there are {', '.join(BACKENDS)}")
    return list(asked) or [name for name in BACKENDS if installed(name)]


def _precisions(ctx: click.Context, param: click.Parameter, asked: Sequence[str]) -> Sequence[str]:
    """The precisions given: as in a configuration, or the name of a file."""
    from dms.engines.manifest import ARTEFACTS, PRECISIONS

    known = list(dict.fromkeys([*(name for forms in ARTEFACTS.values() for name in forms), *PRECISIONS]))
    for name in asked:
        if name not in known:
            raise click.BadParameter(f"no precision {name!r}; there are {', '.join(known)}")
    return asked


def _sizes(ctx: click.Context, param: click.Parameter, asked: Sequence[str]) -> list[tuple[int, int]]:
    """Width and height of every size given."""
    found = []
    for text in asked:
        width, _, height = text.partition("x")
        if not (width.isdecimal() and height.isdecimal() and min(int(width), int(height)) >= 16):
            raise click.BadParameter(f"{text!r} is no frame size; write it as 1280x720")
        found.append((int(width), int(height)))
    return found


@click.command(epilog=EPILOG)
@click.option(
    "--backend",
    "runtimes",
    metavar="NAME",
    callback=_runtimes,
    multiple=True,
    help="Only this runtime; may be repeated. Left out: all that are installed.",
)
@click.option(
    "--precision",
    "precisions",
    metavar="NAME",
    callback=_precisions,
    multiple=True,
    help="Only fp32, fp16, int8, or a file such as trt.int8; may be repeated.",
)
@click.option(
    "--net", "nets", type=click.Choice(list(CONTRACTS)), multiple=True, help="Only this one; may be repeated."
)
@click.option(
    "--image-size",
    "sizes",
    metavar="WxH",
    callback=_sizes,
    multiple=True,
    default=["640x360"],
    show_default=True,
    help="Frame; may be repeated.",
)
@click.option(
    "--seconds",
    type=FiniteRange(min=1),
    default=10.0,
    show_default=True,
    help="Paced seconds of a row; unpaced: a third.",
)
@engines_option
@click.option("--json", "json_path", type=PATH, help="Write the report as JSON.")
@click.option(
    "--markdown",
    "markdown_path",
    type=PATH,
    help="Page to put the tables into: a new one, or between its marks <!-- bench --> and <!-- /bench --> "
    "(with --pipeline: bench-pipeline).",
)
@click.option("--plot", type=PATH, help="Draw the report as PNG.")
@click.option(
    "--compare", type=PATH, nargs=2, metavar="A B", help="Measure nothing: compare two JSON reports."
)
@click.option(
    "--fail-above",
    type=FiniteRange(min=1),
    metavar="RATIO",
    help="With --compare: the most that B / A may be.",
)
@pipeline_options
@cameras_options
@configured
@click.pass_context
def bench(
    ctx: click.Context,
    /,
    runtimes: Sequence[str],
    precisions: Sequence[str],
    nets: Sequence[str],
    sizes: Sequence[tuple[int, int]],
    seconds: float,
    folder: Path | None,
    json_path: Path | None,
    markdown_path: Path | None,
    plot: Path | None,
    compare: tuple[Path, Path] | None,
    fail_above: float | None,
    pipeline: bool,
    counts: list[int] | None,
    **whole: Any,
) -> None:
    """Measure speed and memory of every precision on every platform.

    Load, pre-processing, inference and post-processing of a frame, paced and unpaced; processor, power and
    accuracy beside them. What cannot run here is named with the reason; exit code 1 when nothing could.
    """
    if counts:
        bench_cameras(ctx, sizes, seconds, counts, (json_path, markdown_path), whole)
        return
    if pipeline:
        bench_pipeline(ctx, sizes, seconds, (json_path, markdown_path, plot), whole)
        return
    _refuse_without_whole(ctx)
    if fail_above is not None and compare is None:
        raise click.UsageError("--fail-above judges a comparison: give --compare A B")
    if compare:
        _refuse_beside_compare(ctx)
        ctx.exit(_compare(*compare, fail_above))
    _bench_engines(
        ctx,
        partial(_measured, runtimes, precisions, nets, sizes, seconds, engines_in(folder)),
        (json_path, markdown_path, plot),
    )


def _bench_engines(
    ctx: click.Context,
    measured: Callable[[], Report],
    outputs: tuple[Path | None, Path | None, Path | None],
) -> None:
    json_path, markdown_path, plot = outputs
    from dms import pictures
    from dms.files import require_folder, write_atomically
    from dms.tools.bench import plot as bench_plot
    from dms.tools.bench import text as bench_text

    for path in filter(None, outputs):
        require_folder(path)
    if plot:
        pictures.figure(1, 1)  # fails here, before the long work, where matplotlib is missing
    page = bench_text.open_page(markdown_path) if markdown_path else ""
    report = measured()
    click.echo(bench_text.text(report))
    if json_path:
        write_atomically(json_path, report.model_dump_json(indent=2) + "\n")
    if markdown_path:
        write_atomically(markdown_path, bench_text.put_into(page, report))
    if not any(row.figures for row in report.rows):
        click.echo("nothing could be measured" + (f": {plot} is not drawn" if plot else ""), err=True)
        ctx.exit(FAILED)
    if plot:
        bench_plot.draw(report, plot)


def _refuse_without_whole(ctx: click.Context) -> None:
    """Options of the whole chain say nothing to the tables of engines."""
    for option, names in (("--pipeline", OF_PIPELINE), ("--cameras", OF_CAMERAS)):
        if wrong := given(ctx, names):
            raise click.UsageError(
                f"{', '.join(wrong)}: only with {option}, as in `dms bench {option} {wrong[0]} …`"
            )


def _refuse_beside_compare(ctx: click.Context) -> None:
    """A comparison measures nothing: what would measure, or keep a report, was given by mistake."""
    others = [param.name or "" for param in ctx.command.params if param.name not in ("compare", "fail_above")]
    if wrong := given(ctx, others):
        raise click.UsageError(f"--compare only compares: give {', '.join(wrong)} to the run that measures")


def _measured(
    runtimes: Sequence[str],
    precisions: Sequence[str],
    nets: Sequence[str],
    sizes: Sequence[tuple[int, int]],
    seconds: float,
    engines: Path,
) -> Report:
    from dms.control.sensors import Sensors
    from dms.resources import cache_folder
    from dms.tools.bench import Asked, Bench

    asked = Asked(
        runtimes=runtimes,
        precisions=precisions,
        nets=[net for net in CONTRACTS if net in (nets or CONTRACTS)],
        sizes=sizes,
        engines=engines,
        cache=cache_folder(),
        unpaced_s=seconds / 3,
        paced_s=seconds,
    )
    bench = Bench(asked, Sensors())
    with click.progressbar(length=bench.steps, file=sys.stderr, item_show_func=lambda row: row) as bar:
        return bench.run(lambda row: bar.update(1, row))


def _compare(before: Path, after: Path, fail_above: float | None) -> int:
    from dms.tools.bench.compare import compare, text
    from dms.tools.bench.records import load_report

    one, other = load_report(before), load_report(after)
    compared = compare(one, other)
    click.echo(text(compared, one.environment, other.environment))
    return FAILED if fail_above is not None and any(row.fails(fail_above) for row in compared) else 0
