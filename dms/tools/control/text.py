"""Simulated drives as tables, and as plain values for JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from dms.tools.control.figures import Figures, Outcome

HEAD = (
    "scenario",
    "rule",
    "missed %",
    "worst minute %",
    "in time/s",
    "hottest °C",
    "over trip K",
    "throttled %",
    "changes",
    "most a minute",
    "mean level",
)


def table(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Lines of Markdown: a row for each scenario and rule."""
    yield _row(HEAD)
    yield "|---|---|" + "---:|" * (len(HEAD) - 2)
    for outcome in outcomes:
        for figures in outcome.figures.values():
            yield _row((outcome.scenario.name, *_cells(figures)))


def verdicts(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Lines of text: what the controller had to hold, and whether it did."""
    for outcome in outcomes:
        for check in outcome.checks:
            mark = "ok  " if check.passed else "FAIL"
            yield f"{mark} {outcome.scenario.name}: {check.name}: {check.detail}"


def as_values(outcomes: Sequence[Outcome]) -> list[dict[str, object]]:
    """For JSON: figures, checks and the controller's changes of every scenario."""
    return [
        {
            "scenario": outcome.scenario.name,
            "title": outcome.scenario.title,
            "device": outcome.scenario.device,
            "top": asdict(outcome.top),
            "rules": {rule: asdict(figures) for rule, figures in outcome.figures.items()},
            "checks": [asdict(check) for check in outcome.checks],
            "changes": [asdict(change) for change in outcome.traces["controlled"].changes],
        }
        for outcome in outcomes
    ]


def _cells(figures: Figures) -> tuple[str, ...]:
    off = "" if figures.down_at_s is None else f", off at {figures.down_at_s / 60:.0f} min"
    return (
        figures.rule,
        f"{figures.missed_percent:.2f}",
        f"{figures.worst_minute_percent:.1f}",
        f"{figures.in_time_fps:.1f}",
        f"{figures.hottest_c:.1f}{off}",
        f"{figures.over_trip_k:+.1f}",
        f"{figures.throttled_percent:.1f}",
        str(figures.changes),
        str(figures.changes_per_min),
        "–" if figures.rule == "naive" else f"{figures.mean_level:.2f}",
    )


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
