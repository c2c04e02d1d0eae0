"""A benchmark at one look: which platform and precision takes least time, and how much memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dms import pictures
from dms.errors import InputError
from dms.tools.bench_records import Figures, Report, Row
from dms.tools.bench_row import RATE_HZ
from dms.tools.bench_text import environment_lines, milliseconds

STEPS = {
    "pre": ("pre-processing", "#9db4c0"),
    "infer": ("inference", "#1b6ca8"),
    "post": ("post-processing", "#e09f3e"),
}
MEMORY = {
    "base_mb": ("Python and libraries", "#d9d9d9"),
    "model_mb": ("loading", "#5b8e7d"),
    "run_mb": ("running", "#a8c686"),
}
DARK = "#333333"
FAR = 4.0
"""Bars longer than so many times the median one are cut off, or the others could not be told apart."""
Ranked = Sequence[tuple[Row, Figures]]


def draw(report: Report, path: Path) -> None:
    """Bars of time by step beside bars of memory, a row each; the fastest is bold, FP32 is hatched.

    Rows on an emulator are left out.

    Raises:
        ConfigError: matplotlib is not installed.
        InputError: nothing was measured, or the file cannot be written.
    """
    rows = [(row, row.figures) for row in report.rows if row.figures and not row.emulated]
    if not rows:
        raise InputError(f"nothing could be measured, so there is nothing to draw in {path}")
    figure = pictures.figure(13, 2.2 + 0.36 * len(rows))
    times, memory = figure.subplots(1, 2, sharey=True, width_ratios=(2, 1))
    _times(times, rows)
    _memory(memory, rows)
    _name(times, memory, rows)
    nets = ", ".join(rows[0][0].nets)
    where = environment_lines(report.environment)[0]
    figure.suptitle(f"One frame through {nets}, paced at {RATE_HZ:g} Hz, one thread\n{where}", fontsize=11)
    figure.legend(handles=_legend(), loc="outside lower center", ncols=9, fontsize=8, frameon=False)
    pictures.save(figure, path)


def _times(axis: Any, rows: Ranked) -> None:
    """A bar of the median total, divided as the medians of its steps; a line to p95; a dot where unpaced."""
    totals = [figures.paced.stages.total for _, figures in rows]
    longest = max(total.p50 for total in totals)
    end = 1.25 * min(longest, FAR * sorted(total.p50 for total in totals)[len(rows) // 2])
    for y, (row, figures) in enumerate(rows):
        total = figures.paced.stages.total
        parts = [getattr(figures.paced.stages, step).p50 for step in STEPS]
        scale = total.p50 / sum(parts)
        colors = [color for _, color in STEPS.values()]
        _bar(axis, y, [scale * part for part in parts], colors, row)
        axis.plot([total.p50, total.p95], [y, y], color=DARK, linewidth=1.2)
        axis.plot(figures.unpaced.stages.total.p50, y, "o", color="white", markeredgecolor=DARK, markersize=5)
        if total.p50 > end:
            axis.annotate("→", (end, y), (-14, 0), textcoords="offset points", va="center", color="white")
    axis.set(xlim=(0, end), xlabel="ms, median total divided as the medians of its steps; hatched: FP32")
    axis.grid(axis="x", alpha=0.3)


def _memory(axis: Any, rows: Ranked) -> None:
    for y, (row, figures) in enumerate(rows):
        parts = [max(0.0, getattr(figures.memory, part)) for part in MEMORY]
        _bar(axis, y, parts, [color for _, color in MEMORY.values()], row)
        axis.plot(figures.memory.peak_mb, y, "|", color=DARK, markersize=11)
    axis.set_xlabel("MB of the process")
    axis.grid(axis="x", alpha=0.3)
    axis.tick_params(axis="y", length=0)


def _bar(axis: Any, y: int, widths: Sequence[float], colors: Sequence[str], row: Row) -> None:
    left = 0.0
    for width, color in zip(widths, colors, strict=True):
        hatch = "///" if row.is_reference else ""
        axis.barh(y, width, 0.7, left, color=color, hatch=hatch, edgecolor="white")
        left += width


def _name(times: Any, memory: Any, rows: Ranked) -> None:
    """Names left of the times, totals and speed-ups right of them; platforms apart, the fastest bold."""
    sizes = {row.image_size for row, _ in rows}
    fastest = min(range(len(rows)), key=lambda k: rows[k][1].paced.stages.total.p50)
    times.set_yticks(range(len(rows)), [_title(row, sized=len(sizes) > 1) for row, _ in rows])
    times.get_yticklabels()[fastest].set_fontweight("bold")
    times.set_ylim(len(rows) - 0.4, -0.6)
    column = times.get_yaxis_transform()  # x in parts of the axis, y in rows
    times.text(1.01, -0.75, "total ms", transform=column, fontsize=8, color="0.4")
    times.text(1.10, -0.75, "faster", transform=column, fontsize=8, color="0.4")
    for y, (row, figures) in enumerate(rows):
        style = {"transform": column, "va": "center", "fontsize": 9}
        style |= {"fontweight": "bold" if y == fastest else "normal"}
        times.text(1.01, y, milliseconds(figures.paced.stages.total.p50), **style)
        times.text(1.10, y, f"×{row.speed_up.value:.2f}" if row.speed_up else "", **style)
        if y and row.runtime != rows[y - 1][0].runtime:
            for axis in (times, memory):
                axis.axhline(y - 0.5, color="0.6", linewidth=0.8)


def _title(row: Row, *, sized: bool) -> str:
    return f"{row.platform}  {row.precision}" + (f"  {row.image_size}" if sized else "")


def _legend() -> list[Any]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    plain = [Patch(color=color, label=label) for label, color in (*STEPS.values(), *MEMORY.values())]
    return [
        *plain[:3],
        Line2D([], [], color=DARK, linewidth=1.2, label="to p95"),
        Line2D([], [], color="white", marker="o", markeredgecolor=DARK, markersize=5, label="unpaced"),
        *plain[3:],
        Line2D([], [], color="white", marker="|", markeredgecolor=DARK, markersize=9, label="peak"),
    ]
