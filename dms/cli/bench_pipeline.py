"""`dms bench --pipeline`: the whole chain of `dms run`, alone or by turns with a peer."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dms.cli.options import given, load

if TYPE_CHECKING:
    from dms.tools.bench_pipeline.records import PipelineReport

F = TypeVar("F", bound=Callable[..., Any])
OF_PIPELINE = ("source", "runs", "peers", "peer_model", "configs", "overrides")
"""Options that are for this alone, or for this and --cameras."""
NOT_HERE = ("decode", "runtimes", "precisions", "nets", "folder", "compare", "fail_above")
RUNS, RUNS_WITH_PEER = 3, 5
CLIP_SHARE = 9
"""Unpaced so many times `--seconds` of the clip are played: by default all of the shipped one."""


def pipeline_options(command: F) -> F:
    """The options of the benchmark of the pipeline."""
    for option in (
        click.option(
            "--peer-model",
            type=click.Path(path_type=Path),
            help="With --peers: MediaPipe's face_landmarker.task.",
        ),
        click.option(
            "--peers",
            is_flag=True,
            help="With --pipeline: MediaPipe's face landmarker by turns on the same frames.",
        ),
        click.option(
            "--runs",
            type=click.IntRange(min=1, max=99),
            help=f"With --pipeline: runs, each begun anew. [default: {RUNS}; {RUNS_WITH_PEER} with --peers]",
        ),
        click.option("--source", metavar="FILE", help="With --pipeline: a video file. [default: demo]"),
        click.option("--pipeline", is_flag=True, help="Measure the whole chain of `dms run` instead."),
    ):
        command = option(command)
    return command


def bench_pipeline(
    ctx: click.Context,
    sizes: Sequence[tuple[int, int]],
    seconds: float,
    outputs: tuple[Path | None, Path | None, Path | None],
    options: Mapping[str, Any],
) -> None:
    """Measure, print, and write `outputs`: the JSON, the Markdown page and the plot, where asked for."""
    from dms import pictures
    from dms.files import require_folder, with_section, write_atomically
    from dms.tools.bench import text as bench_text
    from dms.tools.bench_pipeline import plot as bench_pipeline_plot
    from dms.tools.bench_pipeline import text as bench_pipeline_text

    _refuse(ctx, options)
    json_path, markdown_path, plot = outputs
    for path in filter(None, outputs):
        require_folder(path)
    if plot:
        pictures.figure(1, 1)  # fails here, before the long work, where matplotlib is missing
    section = bench_pipeline_text.SECTION
    page = bench_text.open_page(markdown_path, section) if markdown_path else ""
    report = _measured(sizes, seconds, **{name: options[name] for name in OF_PIPELINE})
    click.echo(bench_pipeline_text.text(report))
    if json_path:
        write_atomically(json_path, report.model_dump_json(indent=2) + "\n")
    if markdown_path:
        tables = bench_pipeline_text.markdown(report)
        write_atomically(markdown_path, with_section(page, section, tables) or page)
    if plot:
        bench_pipeline_plot.draw(report, plot)


def _refuse(ctx: click.Context, options: Mapping[str, Any]) -> None:
    if wrong := given(ctx, NOT_HERE):
        raise click.UsageError(
            f"--pipeline measures what `dms run` runs: leave out {', '.join(wrong)} and choose engines as "
            "there, for instance by --set engines.eyes.backend=openvino"
        )
    if options["peer_model"] and not options["peers"]:
        raise click.UsageError("--peer-model is for --peers: give both, or neither")


def _measured(
    sizes: Sequence[tuple[int, int]],
    seconds: float,
    source: str | None,
    runs: int | None,
    peers: bool,
    peer_model: Path | None,
    configs: Sequence[str],
    overrides: Sequence[str],
) -> PipelineReport:
    from dms.control.sensors import Sensors
    from dms.tools.bench_pipeline import AskedPipeline, PipelineBench
    from dms.tools.bench_pipeline.clip import check_recording
    from dms.tools.bench_pipeline.peers import checked_peer

    config = load(configs, overrides)
    check_recording(source or "demo")
    words = [word for path in configs for word in ("--config", path)]
    words += [word for change in overrides for word in ("--set", change)]
    asked = AskedPipeline(
        config=config,
        configured=tuple(words),
        uri=source or "demo",
        sizes=sizes,
        runs=runs or (RUNS_WITH_PEER if peers else RUNS),
        paced_s=seconds,
        most_s=CLIP_SHARE * seconds,
        peer=checked_peer(peer_model) if peers else None,
    )
    bench = PipelineBench(asked, Sensors())
    with click.progressbar(length=bench.steps, file=sys.stderr, item_show_func=lambda row: row) as bar:
        return bench.run(lambda row: bar.update(1, row))
