"""The ladder is walked as docs/control.md says: each cause, each hold, each trouble."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import groupby, pairwise

import pytest

from dms.config import ControlConfig
from dms.control.policy import Decision, Load, Policy
from dms.records import DeviceReading

BUDGET_S = 1 / 30
COSTS = (1.0, 0.7, 0.5, 0.35, 0.2)
IN_TIME = Load(0.003, 0.0)
LATE = Load(0.05, 0.0)
TRIP_C = 99.0


class Drive:
    """A policy and the time it is asked at, every half second."""

    def __init__(self, budget_s: float = BUDGET_S, costs: tuple[float, ...] = COSTS, **config: float) -> None:
        self.policy = Policy(ControlConfig.model_validate(config), budget_s, costs)
        self.now_s = 1000.0
        self.changes: list[tuple[float, Decision]] = []

    @property
    def level(self) -> int:
        return self.policy.level

    def read(self, celsius: float | None, **told: object) -> DeviceReading:
        told = {"temperatures_c": {"tj-thermal": celsius}, "trip_c": TRIP_C, **told}
        return DeviceReading(self.now_s, **told)  # type: ignore[arg-type]

    def go(
        self, seconds: float, reading: Callable[[], DeviceReading | None], load: Load = IN_TIME
    ) -> Decision:
        for _ in range(round(seconds / 0.5)):
            self.now_s += 0.5
            decision = self.policy.update(self.now_s, reading(), load)
            if decision.level != decision.previous:
                self.changes.append((self.now_s, decision))
        return decision

    def at(self, celsius: float | None, seconds: float = 60.0, load: Load = IN_TIME) -> Decision:
        return self.go(seconds, lambda: self.read(celsius), load)

    @property
    def causes(self) -> list[str]:
        return [decision.cause for _, decision in self.changes]


def test_it_begins_at_level_0_and_tells_what_it_knows() -> None:
    drive = Drive()
    assert drive.at(50.0, 0.5) == Decision(0, 0, "start", "hottest zone 50.0 C; clocks fall at 99 C")
    assert drive.policy.troubles() == {}


@pytest.mark.parametrize(
    ("celsius", "level"), [(79.9, 0), (80.0, 1), (86.9, 1), (87.0, 2), (93.0, 3), (96.9, 3), (97.0, 4)]
)
def test_levels_begin_below_the_trip_point(celsius: float, level: int) -> None:
    drive = Drive()
    drive.at(celsius)
    assert drive.level == level
    assert set(drive.causes) <= {"temperature"}


@pytest.mark.parametrize(("celsius", "level"), [(74.0, 1), (73.9, 0)])
def test_a_level_ends_six_degrees_below_where_it_began(celsius: float, level: int) -> None:
    drive = Drive()
    drive.at(81.0)
    drive.at(celsius, 120)
    assert drive.level == level


def test_an_assumed_trip_point_is_used_and_told() -> None:
    drive = Drive(assumed_trip_c=90.0)
    decision = drive.go(60, lambda: drive.read(72.0, trip_c=None))
    assert decision.level == 1
    assert "clocks fall at 90 C (assumed)" in decision.detail


def test_a_quick_rise_is_met_before_the_band_is_reached() -> None:
    drive = Drive()
    drive.at(70.0, 10)
    begun_s = drive.now_s
    drive.go(40, lambda: drive.read(70.0 + 0.5 * (drive.now_s - begun_s)))
    first_s, _ = drive.changes[0]
    assert 76.0 < 70.0 + 0.5 * (first_s - begun_s) < 79.5


def test_one_spike_of_a_sensor_changes_nothing() -> None:
    drive = Drive()
    drive.at(70.0, 30)
    drive.at(78.0, 0.5)
    drive.at(70.0, 30)
    assert drive.changes == []


def test_it_follows_heat_up_in_steps_and_calm_down_in_longer_ones() -> None:
    drive = Drive()
    drive.at(98.0, 12)
    ups = [now_s for now_s, _ in drive.changes]
    assert [d.level for _, d in drive.changes] == [1, 2, 3, 4]
    assert min(b - a for a, b in pairwise(ups)) >= 2.0
    drive.changes.clear()
    drive.at(50.0, 200)
    downs = [now_s for now_s, _ in drive.changes]
    assert [d.level for _, d in drive.changes] == [3, 2, 1, 0]
    assert set(drive.causes) == {"recovered"}
    assert min(b - a for a, b in pairwise(downs)) >= 30.0


def test_a_throttled_clock_raises_the_level_at_once_and_keeps_it() -> None:
    drive = Drive()
    drive.at(60.0, 10)
    drive.go(0.5, lambda: drive.read(60.0, throttled_by=("gpu-throttle-alert",)))
    assert drive.causes == ["throttled"]
    assert "gpu-throttle-alert" in drive.changes[0][1].detail
    drive.go(7, lambda: drive.read(60.0, throttled_by=("gpu-throttle-alert",)))
    assert drive.level == 4
    drive.go(300, lambda: drive.read(60.0, throttled_by=None))
    assert drive.level == 4, "whether it is throttled still is unknown, which is not calm"
    drive.go(30, lambda: drive.read(60.0, throttled_by=()))
    assert drive.level == 4
    drive.go(1, lambda: drive.read(60.0, throttled_by=()))
    assert drive.level == 3


def test_what_was_throttled_when_last_seen_holds_the_level_and_pushes_no_further() -> None:
    drive = Drive()
    drive.go(0.5, lambda: drive.read(60.0, throttled_by=("cpufreq-cpu0",)))
    drive.go(60, lambda: drive.read(60.0, throttled_by=None))
    assert drive.level == 1
    drive.go(60, lambda: None)
    assert drive.level == 1


def test_each_new_over_current_event_raises_the_level_once() -> None:
    drive = Drive()
    drive.go(10, lambda: drive.read(60.0, over_current=700))
    assert drive.changes == [], "what was counted before the start is history"
    drive.go(10, lambda: drive.read(60.0, over_current=702))
    assert drive.causes == ["over_current"]
    drive.go(10, lambda: drive.read(60.0, over_current=None))
    drive.go(10, lambda: drive.read(60.0, over_current=703))
    assert drive.causes == ["over_current"] * 2


def test_a_counter_that_begins_anew_is_no_event() -> None:
    drive = Drive()
    drive.go(10, lambda: drive.read(60.0, over_current=9))
    drive.go(10, lambda: drive.read(60.0, over_current=0))
    assert drive.changes == []
    drive.go(10, lambda: drive.read(60.0, over_current=1))
    assert drive.causes == ["over_current"]


def test_an_event_at_the_last_level_is_over_once_it_was_seen() -> None:
    drive = Drive()
    drive.go(20, lambda: drive.read(98.0, over_current=0))
    drive.go(1, lambda: drive.read(98.0, over_current=1))
    drive.go(200, lambda: drive.read(50.0, over_current=1))
    assert drive.level == 0


def test_power_above_its_limit_raises_the_level_a_peak_does_not() -> None:
    drive = Drive(power_limit_w=15.0)
    drive.go(10, lambda: drive.read(60.0, board_w=14.9))
    drive.go(1.0, lambda: drive.read(60.0, board_w=30.0))
    drive.go(10, lambda: drive.read(60.0, board_w=14.0))
    assert drive.changes == []
    drive.go(2, lambda: drive.read(60.0, board_w=15.1))
    assert drive.causes == ["power"]
    drive.go(120, lambda: drive.read(60.0, board_w=14.0))
    assert drive.level == 1, "within a tenth of the limit it does not fall"
    drive.go(31, lambda: drive.read(60.0, board_w=13.0))
    assert drive.level == 0


def test_latency_above_its_share_for_a_second_raises_the_level() -> None:
    drive = Drive()
    drive.at(50.0, 1.0, LATE)
    assert drive.level == 0
    drive.at(50.0, 0.5, LATE)
    assert drive.causes == ["latency"]
    assert drive.changes[0][1].detail == "judgements take 50.0 ms (p95), more than 28.3"


def test_lost_frames_raise_the_level() -> None:
    drive = Drive()
    drive.at(50.0, 10, Load(0.003, 0.05))
    assert drive.changes == []
    drive.at(50.0, 2, Load(0.003, 0.06))
    assert drive.causes == ["drops"]


def test_the_level_falls_only_where_the_dearer_one_would_be_in_time() -> None:
    """Level 1 costs 0.7 of level 0: 0.725 of the budget is expected from 0.5075 of it at level 1."""
    drive = Drive()
    drive.at(50.0, 1.5, LATE)
    drive.at(50.0, 120, Load(0.51 * BUDGET_S, 0.0))
    assert drive.level == 1
    drive.at(50.0, 31, Load(0.505 * BUDGET_S, 0.0))
    assert drive.level == 0


def test_the_level_falls_only_where_it_is_in_time_itself() -> None:
    drive = Drive(costs=(1.0,) * 5)
    drive.at(50.0, 1.5, LATE)
    drive.at(50.0, 120, Load(0.61 * BUDGET_S, 0.0))
    assert drive.level == 1
    drive.at(50.0, 31, Load(0.59 * BUDGET_S, 0.0))
    assert drive.level == 0


@pytest.mark.parametrize("load", [Load(None, None), Load(math.nan, 0.0), Load(0.003, 0.02)])
def test_without_a_judged_frame_or_with_lost_ones_the_level_does_not_fall(load: Load) -> None:
    drive = Drive()
    drive.at(50.0, 1.5, LATE)
    drive.at(50.0, 120, load)
    assert drive.level == 1


@pytest.mark.parametrize("busy", [{"pressure": 0.8}, {"cpu_load": 0.95}, {"gpu_load": 0.95}])
def test_a_busy_machine_keeps_the_level(busy: dict[str, float]) -> None:
    drive = Drive()
    drive.at(50.0, 1.5, LATE)
    drive.go(120, lambda: drive.read(50.0, **busy))
    assert drive.level == 1
    drive.go(31, lambda: drive.read(50.0, pressure=0.1, cpu_load=0.3, gpu_load=0.3))
    assert drive.level == 0


def test_a_relapse_makes_the_next_step_down_wait_twice_as_long_up_to_a_bound() -> None:
    drive = Drive()
    waits_s = []
    for _ in range(7):
        drive.at(50.0, 1.5, LATE)
        rose_s = drive.changes[-1][0]
        while drive.level:
            drive.at(50.0, 0.5)
        waits_s.append(round(drive.now_s - rose_s))
    assert waits_s == pytest.approx([30, 60, 120, 240, 480, 480, 480], abs=1)
    drive.at(50.0, 301)
    drive.at(50.0, 1.5, LATE)
    drive.at(50.0, 32)
    assert drive.level == 0, "long after the last one it is no relapse"


def test_several_steps_of_one_relapse_are_one() -> None:
    drive = Drive(changes_per_min=60)
    drive.at(50.0, 1.5, LATE)
    drive.at(50.0, 31)
    drive.at(50.0, 8, LATE)
    assert drive.level == 4
    calm_s = drive.now_s
    while drive.level:
        drive.at(50.0, 0.5)
    assert drive.now_s - calm_s == pytest.approx(60 + 3 * 30, abs=3)


def test_too_many_changes_hold_the_level_and_are_told() -> None:
    drive = Drive(changes_per_min=2, down_after_s=5.0)
    drive.at(50.0, 4, LATE)
    assert drive.level == 2
    decision = drive.at(50.0, 2, LATE)
    assert (decision.level, decision.cause, decision.held) == (2, "rate_limit", True)
    assert "held" in drive.policy.troubles()["level_held"]
    drive.at(50.0, 50, LATE)
    assert drive.level == 2
    drive.at(50.0, 10, LATE)
    assert drive.level > 2
    drive.at(50.0, 70)
    assert "level_held" not in drive.policy.troubles()


def test_heat_is_never_held_back_by_the_number_of_changes() -> None:
    drive = Drive(changes_per_min=1)
    drive.at(98.0, 10)
    assert drive.level == 4


def test_the_end_of_a_hold_is_told() -> None:
    drive = Drive(changes_per_min=1)
    drive.at(50.0, 50, LATE)
    told = [drive.at(50.0, 0.5) for _ in range(150)]
    causes = [cause for cause, _ in groupby(told, lambda decision: decision.cause)]
    assert causes == ["rate_limit", "released", "recovered"]
    assert [d.held for d in told] == [d.cause == "rate_limit" for d in told]


def test_a_step_down_that_waits_for_the_minute_to_pass_is_no_trouble() -> None:
    drive = Drive(changes_per_min=1, down_after_s=5.0)
    drive.at(50.0, 1.5, LATE)
    decision = drive.at(50.0, 50)
    assert (drive.level, decision.held, drive.policy.troubles()) == (1, False, {})
    drive.at(50.0, 12)
    assert drive.level == 0


def test_a_lost_temperature_holds_the_level_and_is_told_with_the_cure() -> None:
    drive = Drive()
    drive.at(82.0)
    decision = drive.at(None, 600)
    assert (decision.level, decision.cause, decision.held) == (1, "temperature_unknown", True)
    assert "/sys/class/thermal" in drive.policy.troubles()["temperature_unknown"]
    decision = drive.at(60.0, 5)
    assert (decision.cause, decision.held) == ("released", False)
    drive.at(60.0, 60)
    assert drive.level == 0
    assert drive.policy.troubles() == {}


def test_load_still_raises_the_level_while_the_temperature_is_lost() -> None:
    drive = Drive()
    drive.at(60.0, 5)
    drive.at(None, 10)
    drive.at(None, 2, LATE)
    assert drive.level == 1


def test_a_lost_zone_counts_as_it_was_read_last() -> None:
    drive = Drive()
    both = {"cpu-thermal": 60.0, "gpu-thermal": 82.0}
    drive.go(60, lambda: drive.read(None, temperatures_c=both))
    assert drive.level == 1
    drive.go(300, lambda: drive.read(None, temperatures_c={"cpu-thermal": 60.0, "gpu-thermal": None}))
    assert drive.level == 1
    assert "gpu-thermal" in drive.policy.troubles()["temperature_unknown"]
    drive.go(300, lambda: drive.read(None, temperatures_c={"cpu-thermal": 60.0}))
    assert drive.level == 1
    drive.go(60, lambda: drive.read(None, temperatures_c={**both, "gpu-thermal": 61.0}))
    assert drive.level == 0
    assert drive.policy.troubles() == {}


def test_a_reading_that_is_not_renewed_is_no_reading() -> None:
    drive = Drive()
    drive.at(82.0)
    old = drive.read(40.0)
    drive.go(600, lambda: old)
    assert drive.level == 1
    assert "temperature_unknown" in drive.policy.troubles()


def test_readings_may_be_as_rare_as_decisions() -> None:
    drive = Drive(every_s=10.0)
    for _ in range(20):
        drive.now_s += 10.0
        assert drive.policy.update(drive.now_s, drive.read(82.0), IN_TIME).held is False
    assert drive.level == 1
    assert drive.policy.troubles() == {}


def test_readings_on_another_clock_than_the_frames_are_readings() -> None:
    """Recordings are judged by recorded time, sensors are read on the machine's clock."""
    drive = Drive()
    machine_s = iter(range(5_000_000, 6_000_000))
    drive.go(60, lambda: DeviceReading(next(machine_s) / 2, {"tj": 82.0}, TRIP_C))
    assert drive.level == 1
    assert drive.policy.troubles() == {}


def test_a_virtual_machine_is_controlled_by_its_load_alone() -> None:
    drive = Drive()
    bare = lambda: DeviceReading(drive.now_s, cpu_load=0.2)  # noqa: E731
    decision = drive.go(20, bare)
    assert decision.cause == "start"
    assert decision.detail == "no temperature is known; clocks are taken to fall at 95 C (assumed)"
    assert drive.policy.troubles() == {}, "nothing that could be mended"
    drive.go(2, bare, LATE)
    assert drive.level == 1
    drive.go(31, bare)
    assert drive.level == 0


def test_where_nothing_is_ever_read_that_is_told_and_load_goes_both_ways() -> None:
    drive = Drive()
    drive.go(4, lambda: None)
    assert drive.policy.troubles() == {}, "sensors may take a while to be read first"
    drive.go(10, lambda: None)
    assert "was never read" in drive.policy.troubles()["temperature_unknown"]
    drive.go(2, lambda: None, LATE)
    assert drive.level == 1
    drive.go(31, lambda: None)
    assert drive.level == 0


def test_zones_that_were_never_read_are_told_of_and_hold_nothing() -> None:
    """Else one busy minute would take phones from the driver's monitor until its next start."""
    drive = Drive()
    drive.at(None, 10)
    assert "was never read; the level goes by the rest" in drive.policy.troubles()["temperature_unknown"]
    drive.at(None, 6, LATE)
    assert drive.level == 3
    told = [drive.at(None, 0.5) for _ in range(240)]
    assert drive.level == 0
    assert not any(decision.held for decision in told)
    assert {decision.cause for decision in told} == {"latency", "recovered"}
    assert "temperature_unknown" in drive.policy.troubles()


LOST: list[tuple[str, dict[str, object], dict[str, object]]] = [
    ("power_unknown", {"board_w": 16.0}, {"board_w": 5.0}),
    ("throttling_unknown", {"throttled_by": ("cpufreq-cpu0",)}, {"throttled_by": ()}),
]


@pytest.mark.parametrize(("code", "bad", "good"), LOST)
def test_a_lost_sensor_holds_the_level_which_is_told_until_it_is_back(
    code: str, bad: dict[str, object], good: dict[str, object]
) -> None:
    drive = Drive(power_limit_w=15.0)
    steady = {"board_w": 5.0, "throttled_by": ()}
    drive.go(3, lambda: drive.read(60.0, **{**steady, **bad}))
    reached = drive.level
    assert reached > 0
    lost = dict.fromkeys(bad)
    decision = drive.go(3600, lambda: drive.read(60.0, **{**steady, **lost}))
    assert (decision.level, decision.cause, decision.held) == (reached, code, True)
    assert list(drive.policy.troubles()) == [code]
    assert "can no longer be read; the level does not fall; look at" in drive.policy.troubles()[code]
    assert decision.detail == drive.policy.troubles()[code]
    decision = drive.go(1, lambda: drive.read(60.0, **{**steady, **good}))
    assert (decision.cause, decision.held, drive.policy.troubles()) == ("released", False, {})
    drive.go(31 * reached, lambda: drive.read(60.0, **steady))
    assert drive.level == 0


def test_a_lost_count_of_over_currents_holds_the_level_too() -> None:
    drive = Drive()
    drive.go(3, lambda: drive.read(60.0, over_current=0))
    drive.go(3, lambda: drive.read(60.0, over_current=1))
    decision = drive.go(600, lambda: drive.read(60.0))
    assert (decision.level, decision.cause, decision.held) == (1, "over_current_unknown", True)


def test_a_sensor_that_is_silent_for_a_moment_is_no_trouble() -> None:
    drive = Drive()
    drive.go(10, lambda: drive.read(60.0, throttled_by=()))
    drive.go(4.5, lambda: drive.read(60.0))
    assert drive.policy.troubles() == {}


def test_several_lost_sensors_are_told_each_and_the_level_is_held_until_all_are_back() -> None:
    drive = Drive(power_limit_w=15.0)
    known = {"board_w": 5.0, "throttled_by": ()}
    drive.go(60, lambda: drive.read(82.0, **known))
    drive.go(60, lambda: None)
    assert set(drive.policy.troubles()) == {"temperature_unknown", "throttling_unknown", "power_unknown"}
    decision = drive.go(600, lambda: drive.read(50.0, throttled_by=()))
    assert (decision.level, decision.cause, decision.held) == (1, "power_unknown", True)
    drive.go(31, lambda: drive.read(50.0, **known))
    assert drive.level == 0


def test_a_power_limit_on_a_board_that_never_tells_its_power_is_told_and_holds_nothing() -> None:
    drive = Drive(power_limit_w=15.0)
    drive.at(60.0, 10)
    assert "so control.power_limit_w does nothing" in drive.policy.troubles()["power_unknown"]
    drive.at(60.0, 2, LATE)
    drive.at(60.0, 31)
    assert drive.level == 0
    without = Drive()
    without.at(60.0, 600)
    assert without.policy.troubles() == {}, "no limit, no need to know"


def test_sensors_that_appear_later_are_taken_up() -> None:
    drive = Drive()
    drive.go(60, lambda: DeviceReading(drive.now_s))
    drive.at(98.0, 10)
    assert drive.level == 4


def test_level_4_and_the_trip_point_reached_there_are_told_with_the_cure() -> None:
    drive = Drive()
    drive.at(98.0, 20)
    assert list(drive.policy.troubles()) == ["reduced"]
    assert "phones are not seen" in drive.policy.troubles()["reduced"]
    drive.at(100.0, 20)
    assert list(drive.policy.troubles()) == ["reduced", "overheating"]
    assert "100.0 C" in drive.policy.troubles()["overheating"]


def test_levels_below_the_last_are_normal_operation() -> None:
    drive = Drive()
    drive.at(94.0)
    assert drive.level == 3
    assert drive.policy.troubles() == {}


def test_a_jump_of_the_clock_is_no_calm() -> None:
    drive = Drive()
    drive.at(50.0, 1.5, LATE)
    drive.at(50.0, 3)
    drive.now_s += 86_400
    drive.at(50.0, 15)
    assert drive.level == 1


def test_a_clock_that_runs_back_does_not_stop_the_decisions() -> None:
    drive = Drive()
    drive.at(60.0, 10)
    drive.now_s -= 5000
    drive.at(72.0, 10)
    drive.at(82.0, 60)
    assert drive.level == 1
    drive.now_s -= 900
    drive.at(60.0, 60)
    assert drive.level == 0


def test_a_time_that_is_no_number_passes_by() -> None:
    drive = Drive()
    drive.at(60.0, 10)
    assert drive.policy.update(math.nan, drive.read(60.0), LATE).level == 0
    assert drive.policy.update(math.inf, drive.read(60.0), LATE).level == 0
    drive.at(60.0, 2, LATE)
    assert drive.level == 1


@pytest.mark.parametrize("budget_s", [0.0, -1.0])
def test_a_budget_that_nothing_can_keep_leads_to_level_4_and_no_further(budget_s: float) -> None:
    drive = Drive(budget_s)
    drive.at(50.0, 300)
    assert drive.level == 4
    assert "reduced" in drive.policy.troubles()


@pytest.mark.parametrize("costs", [(), (1.0,) * 4, (1, 1, 1, 0, 1), (1, 1, math.nan, 1, 1), (1, 1, -1, 1, 1)])
def test_costs_are_one_positive_number_a_level(costs: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="5 levels"):
        Policy(ControlConfig(), BUDGET_S, costs)
