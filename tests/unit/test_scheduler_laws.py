"""What the scheduler guarantees, over rates, costs, budgets, levels and times drawn at random.

*Feasible* means here, exactly: every maximum age is at least three intervals between frames (as many as there
are stages that take turns), and the age of a frame, what every frame costs and any one of those stages fit
into the budget together.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dms.config import DistractionRateConfig, FaceRateConfig, FatigueRateConfig, RateConfig, ScheduleConfig
from dms.control.levels import LEVELS, Level
from dms.errors import ConfigError
from dms.scheduler import INTERVALS, ROUNDING_S, Scheduler

STAGES = ("face", "fatigue", "distraction")
SECONDS = 5.0
LEVEL_S = 1.5
"""Each level of a setting lasts this long, then comes the next."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One world for the scheduler to live in. Costs and ages in seconds."""

    config: ScheduleConfig
    fps: float
    costs: dict[str, float]
    rest_s: float
    age_s: float
    levels: tuple[Level, ...]
    jitter: float = 0.0

    @property
    def max_age_s(self) -> dict[str, float]:
        return {name: getattr(self.config, name).max_age_s for name in STAGES}

    def times(self, shake: list[float]) -> list[float]:
        count = max(20, int(SECONDS * self.fps))
        return [(i + self.jitter * shake[i % len(shake)]) / self.fps for i in range(count)]


@dataclass(slots=True)
class Trace:
    """What came of it, frame by frame."""

    times: list[float] = field(default_factory=list)
    due: list[frozenset[str]] = field(default_factory=list)
    took_s: list[float] = field(default_factory=list)


def rate(kind: type[RateConfig]) -> st.SearchStrategy[RateConfig]:
    ages = st.floats(0.1, 3.0)
    shares = st.tuples(st.floats(0, 1), st.floats(0, 1))
    return st.builds(
        lambda age, share: kind(
            urgent_every_s=age * share[0] * share[1], every_s=age * share[0], max_age_s=age
        ),
        ages,
        shares,
    )


levels = st.one_of(
    st.sampled_from(LEVELS),
    st.builds(
        lambda slower, cheapest, off: Level(9, "drawn", slower=slower, cheapest=cheapest, off=frozenset(off)),
        st.floats(1, 10),
        st.booleans(),
        st.sets(st.sampled_from(("fatigue", "distraction"))),
    ),
)
costs = st.floats(1e-5, 0.2)
settings = st.builds(
    Setting,
    config=st.builds(
        ScheduleConfig,
        budget_s=st.floats(1e-4, 1.0),
        face=rate(FaceRateConfig),
        fatigue=rate(FatigueRateConfig),
        distraction=rate(DistractionRateConfig),
    ),
    fps=st.floats(5, 120),
    costs=st.fixed_dictionaries({name: costs for name in STAGES}),
    rest_s=costs,
    age_s=st.floats(0, 0.05),
    levels=st.lists(levels, min_size=1, max_size=3).map(tuple),
    jitter=st.sampled_from((0.0, 0.4, 0.9)),
)
shakes = st.lists(st.floats(0, 1), min_size=1, max_size=20)


def play(setting: Setting, times: list[float], *, levels: bool = True) -> Trace:
    """Run all frames with a track; the driver is urgent in every other second."""
    plan, trace = Scheduler(setting.config, 1 / setting.fps), Trace()
    plan.due(times[0] - 1 / setting.fps, age_s=0.0, tracking=False, urgent=False)
    for now_s in times:
        if levels:
            plan.use(setting.levels[int(now_s // LEVEL_S) % len(setting.levels)])
        due = plan.due(now_s, age_s=setting.age_s, tracking=True, urgent=int(now_s) % 2 == 1)
        took = {"eyes": setting.rest_s, **{name: setting.costs[name] for name in due}}
        plan.ran(took)
        trace.times.append(now_s)
        trace.due.append(due)
        trace.took_s.append(sum(took.values()))
    return trace


def ages(trace: Trace, name: str) -> list[float]:
    """How old the stage's result is on each frame, once it is judged; the track's beginning counts as one."""
    ran_s, found = trace.times[0], []
    for now_s, due in zip(trace.times, trace.due, strict=True):
        ran_s = now_s if name in due else ran_s
        found.append(now_s - ran_s)
    return found


def feasible_ages(setting: Setting) -> bool:
    return min(setting.max_age_s.values()) >= 3 / setting.fps


@given(settings, shakes)
def test_no_result_gets_older_than_its_maximum_age(setting: Setting, shake: list[float]) -> None:
    trace = play(setting, setting.times(shake), levels=False)
    for name, limit_s in setting.max_age_s.items():
        assert max(ages(trace, name)) <= limit_s + ROUNDING_S


@given(settings, shakes)
def test_nor_at_any_level_that_keeps_the_stage(setting: Setting, shake: list[float]) -> None:
    trace = play(setting, setting.times(shake))
    kept = [name for name in STAGES if all(name not in level.off for level in setting.levels)]
    for name in kept:
        assert max(ages(trace, name)) <= setting.max_age_s[name] + ROUNDING_S


@given(settings)
def test_a_stage_that_is_off_never_runs(setting: Setting) -> None:
    trace = play(setting, setting.times([0.0]))
    for now_s, due in zip(trace.times, trace.due, strict=True):
        assert due.isdisjoint(setting.levels[int(now_s // LEVEL_S) % len(setting.levels)].off)


@given(settings, shakes)
def test_stages_run_one_a_frame_where_ages_allow(setting: Setting, shake: list[float]) -> None:
    """Where ages are feasible, whatever the budget; two only on a frame that came later than any of late."""
    widened = Setting(
        config=ScheduleConfig(
            budget_s=setting.config.budget_s,
            **{
                name: getattr(setting.config, name).model_copy(
                    update={"max_age_s": max(limit_s, 3 * (1 + setting.jitter) / setting.fps)}
                )
                for name, limit_s in setting.max_age_s.items()
            },
        ),
        **{name: getattr(setting, name) for name in ("fps", "costs", "rest_s", "age_s", "levels", "jitter")},
    )
    times = widened.times(shake)
    trace = play(widened, times)
    gaps = [b - a for a, b in zip([times[0] - 1 / setting.fps, *times], times, strict=False)]
    for i, due in enumerate(trace.due):
        expected_s = sorted(gaps[max(0, i - INTERVALS) : i])[-2:][:1]
        if expected_s and gaps[i] <= expected_s[0] + ROUNDING_S:
            assert len(due) <= 1, (i, due)


@given(settings)
def test_the_deadline_is_kept_wherever_it_can_be(setting: Setting) -> None:
    one = setting.age_s + setting.rest_s + max(setting.costs.values())
    if not feasible_ages(setting) or one > (setting.config.budget_s or 0.0):
        setting = Setting(
            config=ScheduleConfig(budget_s=one * 1.01),
            fps=max(setting.fps, 12.5),  # the default ages are feasible from 12 frames a second on
            costs=setting.costs,
            rest_s=setting.rest_s,
            age_s=setting.age_s,
            levels=setting.levels,
        )
    trace = play(setting, setting.times([0.0]))
    budget_s = setting.config.budget_s or 0.0
    assert max(trace.took_s) + setting.age_s <= budget_s + ROUNDING_S


@given(settings, shakes)
def test_what_does_not_fit_runs_only_when_it_must(setting: Setting, shake: list[float]) -> None:
    """Costs known, a frame over the budget carries a stage that one more frame or two would make too old."""
    times = setting.times(shake)
    trace = play(setting, times, levels=False)
    longest_s = max(b - a for a, b in pairwise(times))
    known: set[str] = set()
    for i, due in enumerate(trace.due):
        over = setting.age_s + trace.took_s[i] > (setting.config.budget_s or 0.0) + ROUNDING_S
        if i > 0 and due and due <= known and over:
            oldest = [
                times[i] - before(trace, name, i) + 3 * longest_s - setting.max_age_s[name] for name in due
            ]
            assert max(oldest) >= -ROUNDING_S, (i, due)
        known |= due


def before(trace: Trace, name: str, i: int) -> float:
    """When the stage had last run before frame `i`, or the track began."""
    ran = [trace.times[k] for k in range(i) if name in trace.due[k]]
    return ran[-1] if ran else trace.times[0]


@given(
    fps=st.floats(40, 120),
    urgent=st.booleans(),
    face_s=st.floats(0.5, 2.0),
    fatigue_s=st.floats(0.15, 0.3),
    distraction_s=st.floats(0.2, 0.5),
)
def test_rates_are_kept_in_time(
    fps: float, urgent: bool, face_s: float, fatigue_s: float, distraction_s: float
) -> None:
    """Where periods are at least three intervals and the budget leaves room, to one run in fifty."""
    periods_s = {"face": face_s, "fatigue": fatigue_s, "distraction": distraction_s}
    rates = {
        name: kind(every_s=seconds, urgent_every_s=seconds / 2 if urgent else seconds, max_age_s=5.0)
        for (name, seconds), kind in zip(
            periods_s.items(), (FaceRateConfig, FatigueRateConfig, DistractionRateConfig), strict=True
        )
    }
    plan = Scheduler(ScheduleConfig(budget_s=1.0, **rates), 1 / fps)
    plan.due(-1 / fps, age_s=0.0, tracking=False, urgent=urgent)
    seconds = 30
    due = [plan.due(i / fps, age_s=0.0, tracking=True, urgent=urgent) for i in range(int(seconds * fps))]
    for name, period_s in periods_s.items():
        expected = seconds / (period_s / 2 if urgent else period_s)
        assert abs(sum(name in names for names in due) - expected) <= 2 + 0.02 * expected


times_of_all_kinds = st.lists(
    st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.floats(-1, 1), st.just(5.0)), max_size=60
)


@given(times_of_all_kinds, st.floats(5, 120), st.lists(st.booleans(), min_size=1, max_size=7))
def test_no_timestamps_break_it_for_good(garbage: list[float], fps: float, tracks: list[bool]) -> None:
    plan = Scheduler(ScheduleConfig(), 1 / fps)
    plan.use(LEVELS[1])
    for i, now_s in enumerate(garbage):
        plan.admits(now_s, abs(now_s))
        due = plan.due(now_s, age_s=abs(now_s), tracking=tracks[i % len(tracks)], urgent=i % 3 == 0)
        assert due <= set(STAGES)
        plan.ran({"eyes": now_s, **dict.fromkeys(due, now_s)})
    trace = Trace()
    for i in range(int(4 * fps)):
        trace.times.append(50.0 + i / fps)
        trace.due.append(plan.due(50.0 + i / fps, age_s=0.0, tracking=True, urgent=False))
        plan.ran({"eyes": 0.001, **dict.fromkeys(trace.due[-1], 0.001)})
    for name, limit_s in (("face", 3.0), ("fatigue", 0.25), ("distraction", 0.45)):
        assert max(ages(trace, name)) <= limit_s + ROUNDING_S


@given(times_of_all_kinds, st.floats(5, 240), st.floats(10, 60))
def test_admission_comes_back_after_any_timestamps(garbage: list[float], fps: float, asked: float) -> None:
    plan = Scheduler(ScheduleConfig(budget_s=0.02), 1 / fps)
    plan.use(Level(3, "fewer", max_fps=asked))
    for now_s in garbage:
        assert plan.admits(now_s, now_s) in (None, "late", "level")
    admitted = sum(plan.admits(50.0 + i / fps, 0.0) is None for i in range(int(20 * fps)))
    assert abs(admitted - 20 * min(fps, asked)) <= 2 + 0.02 * 20 * asked


@given(
    st.lists(st.floats(0, 0.2), min_size=30, max_size=120),
    st.floats(0, 0.1),
    st.floats(0.001, 0.1),
)
def test_never_two_frames_in_a_row_are_late(waits_s: list[float], rest_s: float, budget_s: float) -> None:
    plan = Scheduler(ScheduleConfig(budget_s=budget_s), 0.033)
    plan.due(0.0, age_s=0.0, tracking=False, urgent=False)
    plan.due(0.033, age_s=0.0, tracking=True, urgent=False)
    plan.ran({"eyes": rest_s})
    reasons = []
    for i, wait_s in enumerate(waits_s):
        reasons.append(plan.admits(0.066 + i / 30, wait_s))
        if reasons[-1] is None:
            plan.due(0.066 + i / 30, age_s=wait_s, tracking=True, urgent=False)
            plan.ran({"eyes": rest_s})
    for i, reason in enumerate(reasons):
        assert reason in (None, "late")
        if reason == "late":
            assert rest_s <= budget_s < waits_s[i] + rest_s
            assert reasons[i - 1] is None or i == 0


@given(st.floats(max_value=0) | st.just(float("nan")))
def test_a_budget_that_is_none_is_refused(seconds: float) -> None:
    for budget_s, interval_s in ((None, seconds), (0.03, seconds)):
        with pytest.raises(ConfigError):
            Scheduler(ScheduleConfig(budget_s=budget_s), interval_s)
