"""A benchmark at one look: which platform and precision takes least time, and how much memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dms import pictures
from dms.errors import InputError
from dms.tools.bench.records import QUIET_PERCENT, Figures, Report, Row, Spread
from dms.tools.bench.row import RATE_HZ
from dms.tools.bench.text import environment_lines, milliseconds

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
"""Times longer than so many times the median bar are cut off, or the others could not be told apart."""
LOUD = "0.55"
"""The grey of rows measured while other processes had part of the machine."""
Ranked = Sequence[tuple[Row, Figures]]


def draw(report: Report, path: Path) -> None:
    """Bars of time by step beside bars of memory, a row each; FP32 is hatched.

    The fastest is bold, but only on a quiet machine; names and totals of disturbed rows are grey, which the
    title explains. Rows on an emulator are left out.

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
    figure.suptitle(_heading(report, rows), fontsize=11)
    figure.legend(handles=_legend(), loc="outside lower center", ncols=9, fontsize=8, frameon=False)
    pictures.save(figure, path)


def _heading(report: Report, rows: Ranked) -> str:
    nets = ", ".join(rows[0][0].nets)
    lines = [
        f"One frame through {nets}, paced at {RATE_HZ:g} Hz, one thread",
        environment_lines(report.environment)[0],
    ]
    if any(row.disturbed for row, _ in rows):
        taken = f"in grey rows other processes took more than {QUIET_PERCENT:g} % of a core"
        lines.append(f"Not a quiet machine: {taken}; take their ratios, not their milliseconds")
    return "\n".join(lines)


def _times(axis: Any, rows: Ranked) -> None:
    """A bar of the median total, divided as the medians of its steps; a line to p95; a dot where unpaced."""
    totals = [figures.paced.stages.total for _, figures in rows]
    far = FAR * sorted(total.p50 for total in totals)[len(rows) // 2]
    end = 1.05 * min(far, max(total.p95 for total in totals))
    for y, (row, figures) in enumerate(rows):
        total = figures.paced.stages.total
        spreads = [getattr(figures.paced.stages, step) for step in STEPS]
        parts = [spread.p50 if spread else 0.0 for spread in spreads]
        scale = total.p50 / sum(parts)
        colors = [color for _, color in STEPS.values()]
        _bar(axis, y, [scale * part for part in parts], colors, row)
        _to_p95(axis, y, total, end)
        axis.plot(figures.unpaced.stages.total.p50, y, "o", color="white", markeredgecolor=DARK, markersize=5)
    axis.set(xlim=(0, end), xlabel="ms, median total divided as the medians of its steps; hatched: FP32")
    axis.grid(axis="x", alpha=0.3)


def _to_p95(axis: Any, y: int, total: Spread, end: float) -> None:
    """A line from the median to p95; where it leaves the picture, an arrow and the figure say so."""
    axis.plot([total.p50, total.p95], [y, y], color=DARK, linewidth=1.2)
    if total.p95 > end:
        box = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
        style = {"textcoords": "offset points", "ha": "right", "va": "center", "fontsize": 8, "bbox": box}
        axis.annotate(f"p95 {milliseconds(total.p95)} →", (end, y), (-3, 0), **style)


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
    """Names left of the times, totals and speed-ups right of them; platforms apart, styles as in `draw`."""
    sizes = {row.image_size for row, _ in rows}
    fastest = _fastest(rows)
    times.set_yticks(range(len(rows)), [_title(row, sized=len(sizes) > 1) for row, _ in rows])
    times.set_ylim(len(rows) - 0.4, -0.6)
    column = times.get_yaxis_transform()  # x in parts of the axis, y in rows
    times.text(1.01, -0.75, "total ms", transform=column, fontsize=8, color="0.4")
    times.text(1.10, -0.75, "faster", transform=column, fontsize=8, color="0.4")
    for y, (row, figures) in enumerate(rows):
        weight = "bold" if y == fastest else "normal"
        style = {"transform": column, "va": "center", "fontsize": 9, "fontweight": weight}
        color = LOUD if row.disturbed else "black"
        times.get_yticklabels()[y].set(fontweight=weight, color=color)
        times.text(1.01, y, milliseconds(figures.paced.stages.total.p50), color=color, **style)
        times.text(1.10, y, f"×{row.speed_up.value:.2f}" if row.speed_up else "", **style)
        if y and row.runtime != rows[y - 1][0].runtime:
            for axis in (times, memory):
                axis.axhline(y - 0.5, color="0.6", linewidth=0.8)


def _fastest(rows: Ranked) -> int | None:
    """Which row has the least total; None where other processes disturbed one: then nobody can tell."""
    if any(row.disturbed for row, _ in rows):
        return None
    return min(range(len(rows)), key=lambda k: rows[k][1].paced.stages.total.p50)


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
