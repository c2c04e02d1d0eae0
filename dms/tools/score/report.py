"""The figures of a score as text and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dms import pictures
from dms.tools.score.figures import ALL, ClassFigures, Figures, Run
from dms.tools.score.intervals import Interval

HEAD = (
    "class", "due", "told", "recall (95 %)", "alerts", "false", "precision (95 %)", "false/h (95 %)",
    "delay p10 / p50 / p90 / worst",
)  # fmt: skip


def text(figures: Figures) -> str:
    """A table with a line a class, all of them first."""
    rows = [HEAD, *(_row(name, of) for name, of in figures.classes.items())]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join([_headline(figures), "", *(line.rstrip() for line in lines)])


def _headline(figures: Figures) -> str:
    told = f"{figures.recordings} recording{'' if figures.recordings == 1 else 's'}, {figures.hours:.3f} h"
    if figures.availability is None:
        return f"{told}; nothing was judged"
    low_high = figures.availability_range
    spread = f" ({low_high[0]:.1%} to {low_high[1]:.1%} by recording)" if low_high else ""
    return f"{told}; driver's state known {figures.availability:.1%} of the time{spread}"


def _row(name: str, of: ClassFigures) -> tuple[str, ...]:
    return (
        name,
        str(of.due),
        str(of.found),
        _percent(of.recall, of.recall_interval),
        str(of.alerts),
        str(of.false),
        _percent(of.precision, of.precision_interval),
        _rate(of.false_per_hour, of.false_per_hour_interval),
        _delays(of),
    )


def _percent(value: float | None, interval: Interval | None) -> str:
    if value is None or interval is None:
        return "-"
    return f"{value:.0%} ({interval[0]:.0%} to {interval[1]:.0%})"


def _rate(value: float | None, interval: Interval | None) -> str:
    if value is None or interval is None:
        return "-"
    return f"{value:.1f} ({interval[0]:.1f} to {interval[1]:.1f})"


def _delays(of: ClassFigures) -> str:
    d = of.delays
    return f"{d.p10_s:+.2f} / {d.median_s:+.2f} / {d.p90_s:+.2f} / {d.worst_s:+.2f} s" if d else "-"


def plot(runs: Sequence[Run], figures: Figures, path: Path) -> None:
    """Recall by class with its interval, and the delays of all events that were told, as PNG."""
    figure = pictures.figure(10, 3.6)
    left, right = figure.subplots(1, 2)
    of = {name: c for name, c in figures.classes.items() if c.recall is not None}
    shares = [c.recall or 0.0 for c in of.values()]
    spans = [c.recall_interval or (0.0, 1.0) for c in of.values()]
    errors = [
        [max(0.0, share - span[0]) for share, span in zip(shares, spans, strict=True)],
        [max(0.0, span[1] - share) for share, span in zip(shares, spans, strict=True)],
    ]
    labels = [f"{name} ({c.found}/{c.due})" for name, c in of.items()]
    left.barh(labels, shares, xerr=errors, color=["#444" if name == ALL else "#4a90d9" for name in of])
    left.set(xlim=(0, 1.02), xlabel="events told", title="Recall, with 95 % intervals")
    left.invert_yaxis()
    delays = [t.delay_s for run in runs for t in run.score.told if t.due and t.delay_s is not None]
    right.hist(delays, bins=30, color="#4a90d9")
    right.yaxis.get_major_locator().set_params(integer=True)
    right.set(xlabel="seconds after the rule is met", ylabel="alerts", title="Delay")
    pictures.save(figure, path)
