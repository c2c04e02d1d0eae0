"""Single decisions of the scheduler; what holds for all of them: test_scheduler_laws.py."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from dms.config import DistractionRateConfig, FaceRateConfig, FatigueRateConfig, ScheduleConfig
from dms.control.levels import LEVELS, Level
from dms.errors import ConfigError
from dms.records import Alert, Assessment, DriverState, Phase, Severity, Signal
from dms.scheduler import Scheduler, urgent
from dms.stage_cost import StageCost

FPS_30_S = 1 / 30
SIGNALS = ("openness", "closure_s", "off_road_s", "phone_s", "yawn_s")


def scheduler(budget_s: float | None = 1.0, **rates: object) -> Scheduler:
    return Scheduler(ScheduleConfig(budget_s=budget_s, **rates), FPS_30_S)


def due(plan: Scheduler, now_s: float, *, tracking: bool = True, urgent: bool = False) -> set[str]:
    return set(plan.due(now_s, age_s=0.0, tracking=tracking, urgent=urgent))


def play(plan: Scheduler, fps: float, seconds: float, *, urgent: bool = False) -> dict[str, list[float]]:
    """When each stage ran, after a first frame on which the face was found."""
    ran: dict[str, list[float]] = {"face": [], "fatigue": [], "distraction": []}
    due(plan, -1 / fps, tracking=False)
    for i in range(int(seconds * fps)):
        for name in due(plan, i / fps, urgent=urgent):
            ran[name].append(i / fps)
    return ran


@pytest.mark.parametrize("fps", [15, 30, 60, 120])
def test_rates_are_kept_in_time_not_in_frames(fps: float) -> None:
    ran = play(scheduler(), fps, 60)
    assert len(ran["face"]) == pytest.approx(60, abs=1)
    assert len(ran["distraction"]) == pytest.approx(300, rel=0.02)
    # At 15 fps the other two take frames that the default rate would have fatigue on.
    assert len(ran["fatigue"]) == pytest.approx(60 / 0.066 if fps > 15 else 900 - 360, rel=0.02)


def test_an_urgent_driver_is_looked_at_on_every_frame_and_his_hands_as_often_as_asked() -> None:
    ran = play(scheduler(), 30, 10, urgent=True)
    assert len(ran["distraction"]) == pytest.approx(100, rel=0.3)
    assert len(ran["fatigue"]) + len(ran["distraction"]) + len(ran["face"]) == 300


def test_the_detector_alone_runs_on_every_frame_without_a_track_whatever_the_budget() -> None:
    plan = scheduler(budget_s=1e-6)
    for i in range(30):
        assert due(plan, i / 30, tracking=False) == {"face"}
        plan.ran({"face": 1.0, "eyes": 0.0})


def test_with_a_new_track_the_stages_follow_one_a_frame() -> None:
    plan = scheduler()
    assert due(plan, 0.0, tracking=False) == {"face"}
    assert [due(plan, i / 30) for i in (1, 2)] == [{"fatigue"}, {"distraction"}]


def test_a_track_lost_and_found_all_the_time_starves_nobody() -> None:
    plan = scheduler()
    ran = [due(plan, i / 30, tracking=i % 2 == 1) for i in range(40)]
    assert sum("distraction" in names for names in ran) == pytest.approx(10, abs=1)


def test_a_stage_that_does_not_fit_waits_until_its_age_would_break() -> None:
    plan = scheduler(budget_s=0.01)
    due(plan, -FPS_30_S, tracking=False)
    seen = []
    for i in range(300):
        names = due(plan, i / 30)
        plan.ran({"eyes": 0.004, **dict.fromkeys(names, 0.008)})
        seen += [i / 30] if "distraction" in names else []
    gaps = [b - a for a, b in pairwise(seen)]
    assert max(gaps[2:]) <= 0.45 + 1e-6
    assert min(gaps[2:]) > 0.45 - 2 / 30  # no sooner than it must, but where two would meet


def test_frames_that_come_now_soon_now_late_are_expected_late() -> None:
    plan = scheduler(budget_s=1e-6)  # nothing fits: all that runs is what must
    now_s = 0.0
    due(plan, now_s, tracking=False)
    for i in range(600):
        now_s += 0.08 if i % 2 else 0.01
        names = due(plan, now_s)
        plan.ran({"eyes": 0.004, **dict.fromkeys(names, 0.008)})
        assert len(names) <= 1, i


def test_a_frame_that_is_old_already_leaves_less_room() -> None:
    plan = scheduler(budget_s=0.02)
    due(plan, 0.0, tracking=False)
    due(plan, 0.033)
    plan.ran({"eyes": 0.004, "fatigue": 0.008})
    assert plan.due(0.1, age_s=0.009, tracking=True, urgent=True) == {"distraction"}
    plan.ran({"eyes": 0.004, "distraction": 0.001})
    assert plan.due(0.133, age_s=0.009, tracking=True, urgent=True) == frozenset()
    assert plan.due(0.166, age_s=0.0, tracking=True, urgent=True) == {"fatigue"}


def test_a_level_stretches_rates_up_to_the_maximum_age_and_switches_stages_off() -> None:
    plan = scheduler()
    plan.use(LEVELS[1])
    ran = play(plan, 60, 20)
    assert len(ran["fatigue"]) == pytest.approx(20 / 0.132, rel=0.02)
    assert len(ran["distraction"]) == pytest.approx(20 / 0.4, rel=0.04)
    plan.use(Level(9, "slower than any age allows", slower=100.0))
    assert len(play(plan, 60, 20)["distraction"]) == pytest.approx(20 / 0.45, rel=0.07)
    plan.use(LEVELS[4])
    assert not play(plan, 60, 20)["distraction"]


def test_costs_of_one_precision_do_not_hold_for_another() -> None:
    plan = scheduler(budget_s=0.02)
    due(plan, 0.0, tracking=False)
    due(plan, 0.1)
    plan.ran({"eyes": 0.004, "fatigue": 0.5})
    assert due(plan, 0.2, urgent=True) == {"distraction"}
    plan.ran({"eyes": 0.004, "distraction": 0.001})
    plan.use(LEVELS[2])
    assert due(plan, 0.21, urgent=True) == {"fatigue"}  # unknown by this engine: it gets its run
    plan.ran({"eyes": 0.004, "fatigue": 0.001})
    plan.use(LEVELS[1])
    assert due(plan, 0.22, urgent=True) == set()


@pytest.mark.parametrize(("fps", "asked"), [(30, 20), (30, 15), (60, 20), (25, 20), (240, 15), (15, 15)])
def test_a_level_admits_so_many_frames_a_second(fps: float, asked: float) -> None:
    plan = scheduler()
    plan.use(Level(3, "fewer", max_fps=asked))
    jitter_s = [0.0, 0.1 / fps, -0.1 / fps]
    reasons = [plan.admits(i / fps + jitter_s[i % 3], 0.0) for i in range(int(60 * fps))]
    assert reasons.count(None) == pytest.approx(60 * asked, rel=0.02)
    assert set(reasons) <= {None, "level"}


def test_a_late_frame_drops_the_next_but_never_two() -> None:
    plan = scheduler(budget_s=0.03)
    due(plan, 0.0, tracking=False)
    due(plan, 0.033)
    plan.ran({"eyes": 0.01})
    assert plan.admits(0.066, 0.005) is None
    due(plan, 0.066)
    assert plan.admits(0.1, 0.021) == "late"
    assert plan.admits(0.133, 0.0) is None
    due(plan, 0.133)
    assert plan.admits(0.166, 0.025) == "late"
    assert [plan.admits(0.2 + i / 30, 0.025) for i in range(30)] == [None] * 30  # it does not help


@pytest.mark.parametrize(("fps", "passed"), [(30, True), (15, True), (10, False), (5, False)])
def test_no_frame_is_passed_over_as_late_where_frames_are_few(fps: float, passed: bool) -> None:
    plan = Scheduler(ScheduleConfig(), 1 / fps)
    due(plan, 0.0, tracking=False)
    due(plan, 1 / fps)
    plan.ran({"eyes": 0.001})
    assert plan.admits(2 / fps, 1 / fps) == ("late" if passed else None)


def test_with_costs_above_the_budget_every_frame_is_judged_as_it_comes() -> None:
    plan = scheduler(budget_s=0.03)
    due(plan, 0.0, tracking=False)
    due(plan, 0.033)
    plan.ran({"eyes": 0.2})
    assert [plan.admits(0.2 * i, 0.15) for i in range(1, 9)] == [None] * 8


def test_as_fast_as_it_goes_there_is_no_budget() -> None:
    plan = Scheduler(ScheduleConfig(), math.inf)
    due(plan, 0.0, tracking=False)
    for i in range(1, 60):
        names = due(plan, i / 30)
        plan.ran({"eyes": 5.0, **dict.fromkeys(names, 5.0)})
        assert plan.admits((i + 1) / 30, 0.0) is None
    assert len(play(plan, 30, 10)["distraction"]) == pytest.approx(50, abs=1)


@pytest.mark.parametrize("times_s", [[5.0, 5.0], [5.0, 5.02, 5.0], [5.0, 4.99]], ids=str)
def test_a_frame_whose_time_does_not_go_on_is_judged_at_any_level(times_s: list[float]) -> None:
    plan = scheduler()
    plan.use(LEVELS[4])
    assert [plan.admits(now_s, 0.0) for now_s in times_s][-1] is None


def test_a_clock_set_back_starts_the_rates_anew() -> None:
    plan = scheduler()
    play(plan, 30, 60)
    plan.use(LEVELS[3])
    assert plan.admits(5000.0, 0.0) is None
    assert plan.admits(2.0, 0.0) is None
    seen = [due(plan, 2.0 + i / 30) for i in range(3)]
    assert sorted(map(sorted, seen)) == [["distraction"], ["face"], ["fatigue"]]


@pytest.mark.parametrize("interval_s", [0.0, -1.0, math.nan])
def test_an_interval_that_is_none_is_refused(interval_s: float) -> None:
    with pytest.raises(ConfigError, match="above 0 s"):
        Scheduler(ScheduleConfig(), interval_s)


def test_rates_of_ones_own() -> None:
    plan = scheduler(
        face=FaceRateConfig(every_s=0.5, urgent_every_s=0.5),
        fatigue=FatigueRateConfig(every_s=0.1),
        distraction=DistractionRateConfig(every_s=0.3),
    )
    ran = play(plan, 30, 30)
    assert [len(ran[name]) for name in ("face", "fatigue", "distraction")] == pytest.approx(
        [60, 300, 100], rel=0.03
    )


def test_ten_times_the_cost_is_believed_at_once_and_forgotten_within_seconds() -> None:
    cost = StageCost()
    for i in range(30):
        cost.note(0.001, i / 30)
    cost.note(0.010, 1.0)
    assert cost.expected_s == 0.010
    for i in range(1, 31):
        cost.note(0.001, 1 + i / 30)
    assert 0.003 < cost.expected_s < 0.006
    for i in range(31, 151):
        cost.note(0.001, 1 + i / 30)
    assert cost.expected_s == pytest.approx(0.001, rel=0.1)


def test_one_quick_run_changes_nothing() -> None:
    cost = StageCost()
    for i in range(10):
        cost.note(0.010, float(i))
    cost.note(0.001, 100.0)
    assert cost.expected_s == 0.010
    cost.note(0.001, 200.0)
    assert cost.expected_s == pytest.approx(0.001)


def test_a_cost_that_cannot_be_is_none() -> None:
    cost = StageCost()
    for seconds in (-1.0, math.nan, 0.0):
        cost.note(seconds, math.nan)
    assert cost.expected_s == 0.0


def assessment(**values: float | None) -> Assessment:
    signals = {name: Signal(values.get(name, 0.9 if name == "openness" else 0.0)) for name in SIGNALS}
    return Assessment(0.0, DriverState.ATTENTIVE, signals=signals)


def alert(severity: Severity) -> Alert:
    return Alert("a-1", "fatigue.drowsy", Phase.START, severity, 0.0, 0.0, 0.0, "", {}, "test")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, False),
        ({"openness": 0.45}, True),
        ({"openness": None, "closure_s": None, "off_road_s": None}, False),
        ({"closure_s": 0.03}, True),
        ({"off_road_s": 0.1}, True),
        ({"phone_s": 0.1}, True),
        ({"yawn_s": 0.1}, True),
    ],
)
def test_what_is_urgent(values: dict[str, float | None], expected: bool) -> None:
    assert urgent(assessment(**values), ()) is expected


def test_a_standing_alert_is_urgent_and_an_information_is_not() -> None:
    assert urgent(assessment(), (alert(Severity.WARNING),))
    assert not urgent(assessment(), (alert(Severity.CAUTION),))
