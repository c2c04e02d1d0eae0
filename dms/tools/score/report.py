"""The figures of a score as text and as a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from dms import pictures
from dms.tools.score.figures import ALL, ClassFigures, Figures, LeftOut, Run
from dms.tools.score.intervals import Interval

HEAD = (
    "class", "due", "told", "recall (95 %)", "alerts", "false", "precision (95 %)", "false/h (95 %)",
    "delay p10 / p50 / p90 / worst",
)  # fmt: skip


def text(figures: Figures) -> str:
    """A table with a line a class, all of them first, then what is in no figure."""
    rows = [HEAD, *(_row(name, of) for name, of in figures.classes.items())]
    notes = [line for of in figures.left_out for line in _left_out(of, several=len(figures.left_out) > 1)]
    return "\n".join([_headline(figures), "", table(rows), "", *notes])


def _left_out(of: LeftOut, *, several: bool) -> Iterator[str]:
    """By which rules a recording was scored, and what of it is in no figure."""
    head = f"{of.recording}: " if several else ""
    yield f"{head}scored by {', '.join(f'{name} {digest}' for name, digest in of.profiles.items())}"
    if of.events_without_rule:
        kinds = ", ".join(f"{kind} {count}" for kind, count in of.events_without_rule.items())
        yield f"{head}not counted, no rule of {', '.join(of.profiles)} must tell them: {kinds}"
    if of.coverage is not None:
        yield from (head + line for line in of.coverage.lines())


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows, the head among them, as columns for a terminal."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def percent(value: float | None, interval: Interval | None) -> str:
    """A share with its interval."""
    if value is None or interval is None:
        return "-"
    return f"{value:.0%} ({interval[0]:.0%} to {interval[1]:.0%})"


def rate(value: float | None, interval: Interval | None) -> str:
    """A rate with its interval."""
    if value is None or interval is None:
        return "-"
    return f"{value:.1f} ({interval[0]:.1f} to {interval[1]:.1f})"


def error_bars(values: Sequence[float], spans: Sequence[Interval]) -> list[list[float]]:
    """How far intervals reach below and above their values, as matplotlib takes them."""
    return [
        [max(0.0, value - low) for value, (low, _) in zip(values, spans, strict=True)],
        [max(0.0, high - value) for value, (_, high) in zip(values, spans, strict=True)],
    ]


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
        percent(of.recall, of.recall_interval),
        str(of.alerts),
        str(of.false),
        percent(of.precision, of.precision_interval),
        rate(of.false_per_hour, of.false_per_hour_interval),
        _delays(of),
    )


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
    labels = [f"{name} ({c.found}/{c.due})" for name, c in of.items()]
    left.barh(
        labels,
        shares,
        xerr=error_bars(shares, spans),
        color=["#444" if name == ALL else "#4a90d9" for name in of],
    )
    left.set(xlim=(0, 1.02), xlabel="events told", title="Recall, with 95 % intervals")
    left.invert_yaxis()
    delays = [t.delay_s for run in runs for t in run.score.told if t.due and t.delay_s is not None]
    right.hist(delays, bins=30, color="#4a90d9")
    right.yaxis.get_major_locator().set_params(integer=True)
    right.set(xlabel="seconds after the rule is met", ylabel="alerts", title="Delay")
    pictures.save(figure, path)
