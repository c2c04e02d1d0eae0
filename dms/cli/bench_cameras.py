"""`dms bench --cameras`: how many streams one process judges in time."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from dms.cli.options import given, load

F = TypeVar("F", bound=Callable[..., Any])
OF_CAMERAS = ("decode",)
"""Options that are for this alone."""
NOT_HERE = (
    *("runtimes", "precisions", "nets", "folder", "compare", "fail_above", "plot"),
    *("pipeline", "source", "runs", "peers", "peer_model"),
)


def _counts(ctx: click.Context, param: click.Parameter, text: str | None) -> list[int] | None:
    """Rising numbers of streams."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and 0 < int(part) <= 1000 for part in parts):
        raise click.BadParameter(f"{text!r} is no list of counts; write it as 1,4,8,16,20")
    return sorted({int(part) for part in parts})


def cameras_options(command: F) -> F:
    """The options of the benchmark of several cameras."""
    for option in (
        click.option(
            "--decode", is_flag=True, help="With --cameras: each camera decodes the clip's file for itself."
        ),
        click.option(
            "--cameras",
            "counts",
            metavar="N,N,…",
            callback=_counts,
            help="Measure instead how many streams of 30 frames a second one process judges in time.",
        ),
    ):
        command = option(command)
    return command


def bench_cameras(
    ctx: click.Context,
    sizes: Sequence[tuple[int, int]],
    seconds: float,
    counts: Sequence[int],
    outputs: tuple[Path | None, Path | None],
    options: Mapping[str, Any],
) -> None:
    """Measure each count, print the table, and write JSON and Markdown where asked for."""
    from dms.files import require_folder, with_section, write_atomically
    from dms.tools.bench.text import open_page
    from dms.tools.bench_cameras import measure

    if wrong := given(ctx, NOT_HERE):
        raise click.UsageError(f"--cameras measures whole streams: leave out {', '.join(wrong)}")
    if len(sizes) > 1:
        raise click.UsageError("--cameras measures one --image-size at a time")
    json_path, markdown_path = outputs
    for path in filter(None, outputs):
        require_folder(path)
    section = "cameras-decoding" if options["decode"] else "cameras"
    page = open_page(markdown_path, section) if markdown_path else ""
    with click.progressbar(length=len(counts), file=sys.stderr) as bar:
        report = measure(
            load(options["configs"], options["overrides"]),
            counts,
            seconds=seconds,
            frames="files" if options["decode"] else "memory",
            size=sizes[0],
            told=lambda row: bar.update(1),
        )
    click.echo(str(report))
    if json_path:
        write_atomically(json_path, json.dumps(report.to_dict(), indent=2) + "\n")
    if markdown_path:
        write_atomically(markdown_path, with_section(page, section, f"\n{report}\n") or page)
    if report.ended:
        ctx.exit(1)
