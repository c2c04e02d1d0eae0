"""The figures of a campaign as text, as a page and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dms import pictures
from dms.tools.campaign.figures import GroupFigures

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
    table = rows(groups)
    widths = [max(len(row[i]) for row in table) for i in range(len(HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    )


def markdown(groups: Sequence[GroupFigures]) -> str:
    """The same for a page."""
    head, *body = rows(groups)
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *body))


def _row(of: GroupFigures) -> tuple[str, ...]:
    low, high = of.miss_interval
    few, many = of.false_interval
    missed = [f"{kind} {due - found}/{due}" for kind, (found, due) in of.kinds.items() if found < due]
    return (
        of.factor,
        of.name,
        f"{of.hours:.2f}",
        str(of.due),
        str(of.missed),
        str(of.silent),
        f"{of.miss_rate:.0%} ({low:.0%} to {high:.0%})",
        f"{of.false_per_hour:.1f} ({few:.1f} to {many:.1f})",
        f"{of.availability:.1%}",
        "-" if of.median_delay_s is None else f"{of.median_delay_s:+.2f} s",
        ", ".join(missed) or "-",
        ", ".join(f"{kind} {count}" for kind, count in of.false.items()) or "-",
    )


def plot(groups: Sequence[GroupFigures], path: Path) -> None:
    """Miss rates with their intervals, the silent part dark, and false alerts an hour, as PNG."""
    figure = pictures.figure(11, 1.6 + 0.3 * len(groups))
    misses, false = figure.subplots(1, 2, sharey=True)
    labels = [f"{g.factor}: {g.name}" for g in groups]
    factors = list(dict.fromkeys(g.factor for g in groups))
    colours = [COLOURS[factors.index(g.factor) % len(COLOURS)] for g in groups]
    rates = [g.miss_rate for g in groups]
    misses.barh(
        labels, rates, xerr=_errors(rates, [g.miss_interval for g in groups]), color=colours, ecolor="#555"
    )
    misses.barh(labels, [g.silent / g.due if g.due else 0.0 for g in groups], color="#222", height=0.4)
    misses.set(xlim=(0, 1.02), title="Share of events missed (dark: in silence)")
    misses.invert_yaxis()
    rates = [g.false_per_hour for g in groups]
    false.barh(
        labels, rates, xerr=_errors(rates, [g.false_interval for g in groups]), color=colours, ecolor="#555"
    )
    false.set(title="False alerts an hour of eventful driving")
    pictures.save(figure, path)


def _errors(values: Sequence[float], spans: Sequence[tuple[float, float]]) -> list[list[float]]:
    return [
        [max(0.0, value - low) for value, (low, _) in zip(values, spans, strict=True)],
        [max(0.0, high - value) for value, (_, high) in zip(values, spans, strict=True)],
    ]
