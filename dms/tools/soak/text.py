"""A soak as text and as plain values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from statistics import median
from typing import Any

from dms.tools.soak.director import Outcome
from dms.tools.soak.schedule import Fault
from dms.tools.soak.verdict import Check, Run, checks

SCHEMA = "dms.soak/1"
HEAD = (
    f"{'fault':<16}{'came':>5}{'told':>6}{'after s':>15}{'over':>6}{'after s':>15}{'level':>7}  first told as"
)


def plan_lines(plan: Sequence[Fault]) -> Iterator[str]:
    """The schedule, one line a fault."""
    for fault in plan:
        yield f"{clock(fault.begin_s)}  {fault.length_s:5.1f} s  {fault.kind.name:<16}{fault.kind.title}"


def report_lines(run: Run) -> Iterator[str]:
    """Faults by kind, then the checks."""
    speed = run.driven_s / run.wall_s if run.wall_s else 0.0
    last = run.samples[-1] if run.samples else None
    yield f"{run.driven_s / 3600:.2f} h of driving in {run.wall_s / 60:.1f} min: {speed:.1f} times real time"
    if last:
        yield f"{last.frames} frames judged, {last.dropped} dropped, {last.alerts} alerts"
    if run.held_after:
        yield f"threads: {_named(run.held_after.threads)}"
        yield f"handles: {_named(run.held_after.handles)}"
    if run.driven_s < run.planned_s:
        yield f"stopped before the end: {run.planned_s / 3600:.2f} h were planned"
    yield from ("", HEAD, *table(run.outcomes), "")
    for check in checks(run):
        yield f"{'ok  ' if check.passed else 'FAIL'}  {check.name:<13}{check.told}"


def table(outcomes: Iterable[Outcome]) -> Iterator[str]:
    """One line a kind of fault: how many came, were told, are over, after how long, and the level then."""
    for name, group in by_kind(outcomes):
        told = [outcome.told_s for outcome in group if outcome.told_s is not None]
        over = [outcome.recovered_s for outcome in group if outcome.recovered_s is not None]
        signs = ", ".join(sorted({outcome.sign for outcome in group if outcome.sign}))
        needed = f"{len(told)}" if group[0].fault.kind.signs else "-"
        came = f"{name:<16}{len(group):>5}"
        times = f"{needed:>6}{spread(told):>15}{len(over):>6}{spread(over):>15}"
        raised = max(outcome.raised for outcome in group)
        yield f"{came}{times}{f'+{raised}' if raised else '':>7}  {signs}"


def by_kind(outcomes: Iterable[Outcome]) -> Iterator[tuple[str, list[Outcome]]]:
    """The outcomes of each kind, by name."""
    ordered = sorted(outcomes, key=lambda outcome: outcome.fault.kind.name)
    for name, group in groupby(ordered, key=lambda outcome: outcome.fault.kind.name):
        yield name, list(group)


def spread(seconds: Sequence[float]) -> str:
    """Median and longest."""
    return f"{median(seconds):.1f} ({max(seconds):.1f})" if seconds else ""


def clock(seconds: float) -> str:
    """Hours, minutes and seconds."""
    return f"{seconds // 3600:02.0f}:{seconds // 60 % 60:02.0f}:{seconds % 60:02.0f}"


def as_values(run: Run, found: Sequence[Check]) -> dict[str, Any]:
    """Plain values, ready for JSON."""
    return {
        "schema": SCHEMA,
        "passed": all(check.passed for check in found),
        "checks": [asdict(check) for check in found],
        "planned_s": run.planned_s,
        "driven_s": run.driven_s,
        "wall_s": run.wall_s,
        "plan": [
            {"kind": fault.kind.name, "begin_s": fault.begin_s, "length_s": fault.length_s}
            for fault in run.plan
        ],
        "faults": [_outcome(outcome) for outcome in run.outcomes],
        "alerts": {
            name: getattr(run.tally, name)
            for name in ("expected", "came", "missed", "unforeseen", "cumulated")
        },
        "held": run.held_after._asdict() if run.held_after else None,
        "samples": [asdict(sample) for sample in run.samples],
    }


def _named(held: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" if count > 1 else name for name, count in sorted(held.items()))


def _outcome(outcome: Outcome) -> dict[str, Any]:
    return {
        "kind": outcome.fault.kind.name,
        "begun_s": outcome.begun_s,
        "ended_s": outcome.ended_s,
        "told_s": outcome.told_s,
        "sign": outcome.sign,
        "recovered_s": outcome.recovered_s,
        "healths": outcome.healths,
        "raised": outcome.raised,
    }
