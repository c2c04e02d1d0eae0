"""What simulated drives amount to: figures of each rule, and what the controller must have held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing import get_context

from dms.config import Config
from dms.tools.control.costs import Costs
from dms.tools.control.plant_devices import DEVICES
from dms.tools.control.rules import Change
from dms.tools.control.scenarios import Scenario, within
from dms.tools.control.simulation import CONTROLLED, FIXED, RULES, SAMPLE_S, TOP, Trace, simulate

MARGIN_C = 1.0
"""The ladder can hold what its top, from the start, holds this far below the trip point."""
RETURN_S, RETURNS_IN_S, RETURNS = 180.0, 600.0, 3
"""Taking back a step down within `RETURN_S` is a return; more than `RETURNS` in `RETURNS_IN_S` are a limit
cycle."""
WORSE_POINTS = 0.5
"""Percentage points by which the controller may miss more than the fixed setting: it must look first."""
CLIMB_PERCENT = 1.0
"""Of all frames: what climbing may cost beyond what the ladder's top, from the start, misses."""
MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class Figures:
    """One drive under one rule.

    Percentages of `missed` are of the frames asked for. `in_time_fps` are frames judged within the budget.
    `hottest_c` is the die's; `returns` the most within ten minutes.
    """

    rule: str
    missed: int
    missed_percent: float
    worst_minute_percent: float
    in_time_fps: float
    worst_latency_ms: float
    hottest_c: float
    over_trip_k: float
    throttled_percent: float
    changes: int
    changes_per_min: int
    returns: int
    mean_level: float
    last_level: int
    down_at_s: float | None


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold, whether it does, and by which figures."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """A scenario under all rules. `top` are the figures of the ladder's top from the start."""

    scenario: Scenario
    top: Figures
    traces: Mapping[str, Trace]
    figures: Mapping[str, Figures]
    checks: Sequence[Check]


def prove(scenarios: Sequence[Scenario], costs: Costs, config: Config, seed: int) -> list[Outcome]:
    """Every scenario under every rule, spread over the processors."""
    drives = [(scenario, rule) for scenario in scenarios for rule in (*RULES, TOP)]
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        running = [
            pool.submit(simulate, scenario, DEVICES[scenario.device], rule, costs, config, seed)
            for scenario, rule in drives
        ]
        traces = [drive.result() for drive in running]
    each = len(RULES) + 1
    return [
        outcome(traces[begin : begin + each], config.control.changes_per_min)
        for begin in range(0, len(traces), each)
    ]


def outcome(traces: Sequence[Trace], changes_per_min: int) -> Outcome:
    """Sum up the drives of one scenario, one a rule; the one by `TOP` tells what the ladder can hold."""
    by_rule = {trace.rule: trace for trace in traces}
    top = sum_up(by_rule.pop(TOP))
    figures = {rule: sum_up(trace) for rule, trace in by_rule.items()}
    checks = _checks(by_rule[CONTROLLED], figures, top, changes_per_min)
    return Outcome(traces[0].scenario, top, by_rule, figures, checks)


def sum_up(trace: Trace) -> Figures:
    """The figures of one drive."""
    length_s = 60 * trace.scenario.minutes
    levels = [sample.level for sample in trace.samples]
    times_s = [change.at_s for change in trace.changes]
    return Figures(
        rule=trace.rule,
        missed=trace.missed,
        missed_percent=100 * trace.missed / trace.asked,
        worst_minute_percent=_worst_minute_percent(trace),
        in_time_fps=(trace.captured - trace.missed - trace.spared) / length_s,
        worst_latency_ms=1e3 * trace.worst_latency_s,
        hottest_c=trace.hottest_c,
        over_trip_k=trace.hottest_c - trace.device.trip_c,
        throttled_percent=100 * trace.throttled_s / length_s,
        changes=len(trace.changes),
        changes_per_min=most_within(times_s, MINUTE_S),
        returns=most_within(returns_s(trace.changes), RETURNS_IN_S),
        mean_level=sum(levels) / len(levels),
        last_level=levels[-1],
        down_at_s=trace.down_at_s,
    )


def most_within(times_s: Sequence[float], window_s: float) -> int:
    """The most of these moments, in order, that fall into any window of that length."""
    return max(
        (sum(0 <= time_s - begin_s < window_s for time_s in times_s) for begin_s in times_s), default=0
    )


def returns_s(changes: Sequence[Change]) -> list[float]:
    """When a step down was taken back soon after."""
    pairs = pairwise(changes)
    return [
        second.at_s
        for first, second in pairs
        if first.level < first.previous and second.level > second.previous
        if second.at_s - first.at_s < RETURN_S
    ]


def _worst_minute_percent(trace: Trace) -> float:
    count = round(MINUTE_S / SAMPLE_S)
    minutes = [trace.samples[begin : begin + count] for begin in range(0, len(trace.samples), count)]
    return max(
        100 * sum(sample.missed for sample in minute) / max(1, sum(sample.asked for sample in minute))
        for minute in minutes
    )


def _checks(trace: Trace, figures: Mapping[str, Figures], top: Figures, changes_per_min: int) -> list[Check]:
    """What the controller must hold."""
    own = figures[trace.rule]
    checks = [
        _heat(trace, own, top.hottest_c),
        Check(
            "few changes",
            own.changes_per_min <= changes_per_min,
            f"{own.changes_per_min} in the busiest minute, {changes_per_min} allowed",
        ),
        Check(
            "no limit cycle", own.returns <= RETURNS, f"{own.returns} returns in ten minutes, {RETURNS} borne"
        ),
        _in_time(trace, top),
        Check(
            "no worse than fixed",
            own.missed_percent <= figures[FIXED].missed_percent + WORSE_POINTS,
            f"{own.missed_percent:.2f} % missed, fixed {figures[FIXED].missed_percent:.2f} %",
        ),
    ]
    if trace.scenario.cool_again:
        checks.append(Check("recovers", own.last_level == 0, f"ends at level {own.last_level}"))
    if trace.scenario.lost:
        checks.append(_unknown(trace))
    return checks


def _in_time(trace: Trace, top: Figures) -> Check:
    """In frames, not shares: the top asks for the fewest, so what it misses is the least the ladder can."""
    most = top.missed + CLIMB_PERCENT / 100 * trace.captured
    return Check(
        "in time",
        trace.missed <= most,
        f"{trace.missed} frames missed, {most:.0f} borne; level 4 from the start: {top.missed}",
    )


def _heat(trace: Trace, own: Figures, top_c: float) -> Check:
    trip_c = trace.device.trip_c
    reached = f"{own.hottest_c:.1f} °C, trip point {trip_c:g}; level 4 from the start: {top_c:.1f}"
    if top_c > trip_c - MARGIN_C:
        return Check("below the trip point", True, f"{reached}: not for the ladder to hold")
    return Check("below the trip point", own.hottest_c < trip_c, reached)


def _unknown(trace: Trace) -> Check:
    """While the sensor is silent nothing may be taken for cool."""
    falls = [
        change.at_s
        for change in trace.changes
        if change.level < change.previous and within(change.at_s / 60, trace.scenario.lost)
    ]
    return Check("unknown is not cool", not falls, f"{len(falls)} steps down while the sensor was silent")
