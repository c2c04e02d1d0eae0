"""What holds for every course of temperature, load, throttling and power."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from dms.config import ControlConfig
from dms.control.levels import TOP
from dms.control.policy import Decision, Load, Policy
from dms.records import DeviceReading

BUDGET_S = 1 / 30
COSTS = (1.0, 0.7, 0.5, 0.35, 0.2)
CONFIG = ControlConfig(power_limit_w=20.0)
TRIP_C = 99.0


@dataclass(frozen=True)
class Moment:
    """What there is to know at one tick, and how long after the last one it comes."""

    after_s: float = 0.5
    celsius: float | None = 50.0
    latency_s: float | None = 0.003
    drops: float | None = 0.0
    throttled: bool | None = False
    over_current: int | None = 0
    watts: float | None = 5.0
    pressure: float | None = 0.0
    read: bool = True


SENSORS = ("celsius", "throttled", "over_current", "watts")


@dataclass(frozen=True)
class Taken:
    """What was decided at a moment, at this time."""

    now_s: float
    moment: Moment
    decision: Decision


def drive(policy: Policy, moments: Iterable[Moment], now_s: float = 0.0) -> list[Taken]:
    taken = []
    for moment in moments:
        now_s += moment.after_s
        throttled_by = {None: None, True: ("cpufreq-cpu0",), False: ()}[moment.throttled]
        reading = DeviceReading(
            now_s,
            {"tj-thermal": moment.celsius},
            TRIP_C,
            throttled_by,
            moment.over_current,
            moment.watts,
            pressure=moment.pressure,
        )
        load = Load(moment.latency_s, moment.drops)
        decision = policy.update(now_s, reading if moment.read else None, load)
        taken.append(Taken(now_s, moment, decision))
    return taken


def policy() -> Policy:
    return Policy(CONFIG, BUDGET_S, COSTS)


def changes(taken: Iterable[Taken]) -> list[Taken]:
    return [t for t in taken if t.decision.level != t.decision.previous]


temperatures = st.one_of(st.floats(20, 120), st.sampled_from([None, 79.9, 80.0, 97.0]))
moments = st.builds(
    Moment,
    after_s=st.sampled_from([0.1, 0.5, 0.5, 0.5, 0.7, 3.0]),
    celsius=temperatures,
    latency_s=st.one_of(st.none(), st.floats(0, 0.1), st.just(math.nan)),
    drops=st.one_of(st.none(), st.floats(0, 1)),
    throttled=st.sampled_from([None, False, False, False, True]),
    over_current=st.one_of(st.none(), st.integers(0, 3)),
    watts=st.one_of(st.none(), st.floats(0, 40)),
    pressure=st.one_of(st.none(), st.floats(0, 1)),
    read=st.sampled_from([True, True, True, False]),
)
spells = st.lists(st.tuples(moments, st.integers(1, 120)), min_size=1, max_size=12)
"""Moments that last: as many ticks of each."""


def course(found: list[tuple[Moment, int]]) -> list[Moment]:
    return [moment for moment, ticks in found for _ in range(ticks)]


@given(spells)
@settings(max_examples=100, deadline=None)
def test_one_step_at_a_time_within_the_ladder(found: list[tuple[Moment, int]]) -> None:
    last = 0
    for taken in drive(policy(), course(found)):
        assert taken.decision.previous == last
        assert abs(taken.decision.level - last) <= 1
        assert 0 <= taken.decision.level <= TOP
        last = taken.decision.level


@given(spells)
@settings(max_examples=100, deadline=None)
def test_steps_keep_their_dwell(found: list[tuple[Moment, int]]) -> None:
    changed_s, rose_s = -math.inf, -math.inf
    for taken in changes(drive(policy(), course(found))):
        if taken.decision.level > taken.decision.previous:
            assert taken.now_s - rose_s >= CONFIG.up_after_s - 1e-9
            rose_s = taken.now_s
        else:
            assert taken.now_s - changed_s >= CONFIG.down_after_s - 1e-9
        changed_s = taken.now_s


@given(spells)
@settings(max_examples=100, deadline=None)
def test_changes_a_minute_are_bounded(found: list[tuple[Moment, int]]) -> None:
    """Those that heat demands are not refused, and there are never more than four of them in a row."""
    found_changes = changes(drive(policy(), course(found)))
    for end in found_changes:
        minute = [t for t in found_changes if end.now_s - 60 < t.now_s <= end.now_s]
        assert len(minute) <= CONFIG.changes_per_min + TOP
        if end.decision.cause in ("latency", "drops", "recovered"):
            assert len(minute) <= CONFIG.changes_per_min


@given(spells)
@settings(max_examples=100, deadline=None)
def test_no_step_down_while_something_that_was_known_is_unknown(found: list[tuple[Moment, int]]) -> None:
    known: set[str] = set()
    for taken in drive(policy(), course(found)):
        if not taken.moment.read:
            continue
        told = {name for name in SENSORS if getattr(taken.moment, name) is not None}
        if known - told:
            assert taken.decision.level >= taken.decision.previous
        known |= told


@given(spells)
@settings(max_examples=60, deadline=None)
def test_it_comes_back_to_level_0_in_calm(found: list[tuple[Moment, int]]) -> None:
    tried = policy()
    drive(tried, course(found))
    drive(tried, [Moment()] * (2 * (16 * 30 + 4 * 60)), now_s=10_000.0)
    assert tried.level == 0
    assert tried.troubles() == {}


@given(spells, moments)
@settings(max_examples=100, deadline=None)
def test_under_constant_conditions_it_settles(found: list[tuple[Moment, int]], constant: Moment) -> None:
    tried = policy()
    drive(tried, course(found))
    constant = replace(constant, after_s=0.5)
    drive(tried, [constant] * 120, now_s=10_000.0)
    settling = changes(drive(tried, [constant] * 2400, now_s=20_000.0))
    directions = {t.decision.level > t.decision.previous for t in settling}
    assert len(directions) <= 1
    assert len(settling) <= TOP


@given(st.floats(30, 120), st.floats(0, 30))
@settings(max_examples=100, deadline=None)
def test_hotter_is_never_a_lower_level(celsius: float, more_c: float) -> None:
    cool, hot = policy(), policy()
    drive(cool, [Moment(celsius=celsius)] * 200)
    drive(hot, [Moment(celsius=celsius + more_c)] * 200)
    assert hot.level >= cool.level


@given(st.lists(st.floats(50, 110), min_size=TOP + 1, max_size=TOP + 1), st.floats(5, 600))
@settings(max_examples=15, deadline=None)
def test_a_device_that_heats_and_cools_by_the_level_sees_no_limit_cycle(
    settles_c: list[float], tau_s: float
) -> None:
    """Each level leads to a temperature of its own, lower ones to higher; later on changes are rare."""
    settles_c = sorted(settles_c, reverse=True)
    tried, celsius, late = policy(), 60.0, 0
    for tick in range(2 * 7200):
        celsius += (settles_c[tried.level] - celsius) * (1 - math.exp(-0.5 / tau_s))
        now_s = 0.5 * tick
        decision = tried.update(now_s, DeviceReading(now_s, {"tj": celsius}, TRIP_C), Load(0.003, 0.0))
        late += decision.level != decision.previous and now_s > 3600
    assert late <= 2 * 3600 / 300


@given(st.lists(st.floats(0.001, 0.1), min_size=TOP + 1, max_size=TOP + 1))
@settings(max_examples=15, deadline=None)
def test_costs_that_are_wrong_lead_to_no_limit_cycle(latencies_s: list[float]) -> None:
    """Whatever latency each level brings: relapses make the next try wait longer."""
    tried, late = policy(), 0
    for tick in range(2 * 7200):
        now_s = 0.5 * tick
        load = Load(latencies_s[tried.level], 0.0)
        decision = tried.update(now_s, DeviceReading(now_s, {"tj": 50.0}, TRIP_C), load)
        late += decision.level != decision.previous and now_s > 3600
    assert late <= 2 * 3600 / 300
