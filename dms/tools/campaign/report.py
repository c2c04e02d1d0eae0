"""The figures of a campaign as text, as a page and as a picture."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dms import pictures
from dms.tools.campaign.figures import GroupFigures
from dms.tools.score.intervals import Interval
from dms.tools.score.report import error_bars, percent, rate, table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEAD = (
    "factor", "group", "hours", "due", "missed", "silent", "miss rate (95 %)", "false/h (95 %)",
    "state known", "delay", "missed by kind", "false alerts",
)  # fmt: skip
COLOURS = ("#4a90d9", "#d98b4a", "#5aa469", "#b06ab3", "#c0504d", "#7f7f7f", "#d4b13f", "#3fb5b5", "#8c6d4f")


def rows(groups: Sequence[GroupFigures]) -> list[tuple[str, ...]]:
    """Head and one row a group."""
    return [HEAD, *(_row(group) for group in groups)]


def text(groups: Sequence[GroupFigures]) -> str:
    """A table for a terminal."""
    return table(rows(groups))


def markdown(groups: Sequence[GroupFigures]) -> str:
    """The same for a page."""
    head, *body = rows(groups)
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *body))


def _row(of: GroupFigures) -> tuple[str, ...]:
    missed = [f"{kind} {due - found}/{due}" for kind, (found, due) in of.kinds.items() if found < due]
    return (
        of.factor,
        of.name,
        f"{of.hours:.2f}",
        str(of.due),
        str(of.missed),
        str(of.silent),
        percent(of.miss_rate, of.miss_interval),
        rate(of.false_per_hour, of.false_interval),
        "-" if of.availability is None else f"{of.availability:.1%}",
        "-" if of.median_delay_s is None else f"{of.median_delay_s:+.2f} s",
        ", ".join(missed) or "-",
        ", ".join(f"{kind} {count}" for kind, count in of.false.items()) or "-",
    )


def plot(groups: Sequence[GroupFigures], path: Path) -> None:
    """Miss rates with their intervals, the silent part dark, and false alerts an hour, as PNG."""
    figure = pictures.figure(11, 1.6 + 0.3 * len(groups))
    misses, false = figure.subplots(1, 2, sharey=True)
    factors = list(dict.fromkeys(g.factor for g in groups))
    colours = {factor: COLOURS[n % len(COLOURS)] for n, factor in enumerate(factors)}
    _bars(misses, groups, colours, [(g.miss_rate, g.miss_interval) for g in groups])
    silent = [g.silent / g.due if g.due else math.nan for g in groups]
    misses.barh(_labels(groups), silent, color="#222", height=0.4)
    misses.set(xlim=(0, 1.02), title="Share of events missed (dark: in silence)")
    misses.invert_yaxis()
    _bars(false, groups, colours, [(g.false_per_hour, g.false_interval) for g in groups])
    false.set(title="False alerts an hour of eventful driving")
    pictures.save(figure, path)


def _bars(
    axes: Axes,
    groups: Sequence[GroupFigures],
    colours: Mapping[str, str],
    figures: Sequence[tuple[float | None, Interval | None]],
) -> None:
    """A bar a group with its interval; none, but its label, where there was nothing to count."""
    values = [math.nan if value is None else value for value, _ in figures]
    spans = [span or (math.nan, math.nan) for _, span in figures]
    axes.barh(
        _labels(groups),
        values,
        xerr=error_bars(values, spans),
        color=[colours[g.factor] for g in groups],
        ecolor="#555",
    )


def _labels(groups: Sequence[GroupFigures]) -> list[str]:
    return [f"{g.factor}: {g.name}" for g in groups]
