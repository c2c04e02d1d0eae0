from __future__ import annotations

from dataclasses import replace
from itertools import count

import numpy as np

from dms.alerts.manager import AlertManager
from dms.alerts.profiles import load_profile
from dms.assess.assessor import Assessor
from dms.config import FatigueRateConfig, ScheduleConfig
from dms.config.assess import AssessConfig
from dms.control.levels import LEVELS
from dms.errors import EngineOutputError
from dms.pipeline import Pipeline
from dms.records import Distraction, DriverState, Fatigue, Frame, FrameState, UnknownCause
from dms.scheduler import Scheduler
from dms.stages import Stage
from dms.testing import Scene, Story


class FatigueOnDemand:
    """Fills `fatigue` when due; fails on the frames named in `broken`."""

    name = "fatigue"

    def __init__(self, broken: frozenset[int] = frozenset()) -> None:
        self._broken = broken

    def run(self, state: FrameState) -> FrameState:
        if state.frame.id in self._broken:
            raise EngineOutputError("engine fatigue: output state holds NaN or infinity")
        if self.name not in state.due:
            return state
        found = Fatigue(state.frame.captured_s, 0.1, 0.1, 0.1, 0.1, 0.1)
        return replace(state, seen=replace(state.seen, fatigue=found))


class Look:
    """Follows a face from the first frame on; says what it was asked for and how long it takes."""

    name = "eyes"

    def __init__(self, openness: float = 0.9) -> None:
        self.openness = openness
        self.due: list[frozenset[str]] = []

    def run(self, state: FrameState) -> FrameState:
        self.due.append(state.due)
        seen = Story(fps=30).then(1.0, Scene(openness=self.openness)).observations()[0]
        now_s = state.frame.captured_s
        eyes = seen.eyes and replace(seen.eyes, captured_s=now_s)
        face = seen.face and replace(seen.face, captured_s=now_s)
        return replace(state, seen=replace(state.seen, face=face, eyes=eyes))


def pipeline(*stages: Stage, fatigue_every_s: float = 0.0, scheduler: Scheduler | None = None) -> Pipeline:
    ticks = count()
    rate = FatigueRateConfig(every_s=fatigue_every_s, max_age_s=0.25)
    return Pipeline(
        stages,
        scheduler or Scheduler(ScheduleConfig(fatigue=rate), 1 / 30),
        Assessor(AssessConfig()),
        AlertManager([load_profile("euroncap_2026")], "test"),
        clock=lambda: next(ticks) * 0.001,
    )


def frame(index: int, fps: float = 30) -> Frame:
    return Frame(index, index / fps, np.full((36, 64), 100, np.uint8))


def test_every_stage_is_timed_by_name() -> None:
    line = pipeline(Look(), FatigueOnDemand())
    first, second = line.step(frame(0)).stage_s, line.step(frame(1)).stage_s
    assert set(first) == {"eyes", "judge"}  # a stage that was not due took no time worth telling
    assert set(second) == {"eyes", "fatigue", "judge"}
    assert all(seconds > 0 for seconds in (*first.values(), *second.values()))


def test_a_result_not_due_is_carried_with_the_time_it_was_measured() -> None:
    line = pipeline(Look(), FatigueOnDemand(), fatigue_every_s=0.2)
    seen = [line.step(frame(i)).observation for i in range(5)]
    assert seen[0].fatigue is None  # there was nothing to look at before
    assert [s.fatigue.captured_s for s in seen if s.fatigue] == [1 / 30] * 4
    assert seen[4].captured_s == 4 / 30


def test_a_failing_stage_is_unknown_and_told_and_the_rest_goes_on() -> None:
    line = pipeline(Look(), FatigueOnDemand(broken=frozenset({2})))
    judged = [line.step(frame(i)) for i in range(4)]
    assert "NaN" in judged[2].faults["fatigue"]
    assert not judged[1].faults
    assert not judged[3].faults
    carried = judged[2].observation.fatigue
    assert carried is not None
    assert carried.captured_s < judged[2].observation.captured_s


def test_a_moment_without_a_frame_is_unknown_and_after_a_grace_a_fault() -> None:
    line = pipeline()
    line.step(frame(0))
    first, *_, last = [line.blind(0.5 + i * 0.5) for i in range(6)]
    assert first.observation.frame_id == last.observation.frame_id == -1
    assert first.assessment.state is DriverState.UNKNOWN
    assert first.assessment.unknown_causes
    assert last.assessment.state is DriverState.FAULT
    assert UnknownCause.CAMERA_LOST in last.assessment.unknown_causes


def test_nothing_to_finish_before_the_first_frame() -> None:
    assert pipeline().finish() is None


def test_closing_eyes_make_the_next_frames_urgent() -> None:
    look = Look()
    line = pipeline(look, FatigueOnDemand(), fatigue_every_s=0.2)
    for i in range(60):
        line.step(frame(i))
    look.openness = 0.05
    for i in range(60, 90):
        line.step(frame(i))
    calm, closing = (sum("fatigue" in due for due in dues) for dues in (look.due[30:60], look.due[61:90]))
    assert calm == 5
    assert closing >= 20  # every frame but those the distraction has


def test_a_frame_over_the_budget_teaches_the_scheduler() -> None:
    """The clock of this line gives every stage a millisecond, so two stages and the judgement take three."""
    scheduler = Scheduler(ScheduleConfig(budget_s=0.0031), 1 / 30)
    look = Look()
    line = pipeline(look, FatigueOnDemand(), scheduler=scheduler)
    for i in range(10):
        line.step(frame(i))
    assert line.admits(10 / 30, 0.0) is None
    assert line.admits(10 / 30, 0.002) == "late"


def test_a_stage_that_a_level_switches_off_is_unknown_soon_and_the_rest_is_judged_on() -> None:
    class Hands(FatigueOnDemand):
        name = "distraction"

        def run(self, state: FrameState) -> FrameState:
            if self.name not in state.due:
                return state
            found = Distraction(state.frame.captured_s, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
            return replace(state, seen=replace(state.seen, distraction=found))

    scheduler = Scheduler(ScheduleConfig(), 1 / 30)
    line = pipeline(Look(), FatigueOnDemand(), Hands(), scheduler=scheduler)
    before = [line.step(frame(i)) for i in range(300)][-1]
    scheduler.use(LEVELS[4])
    judged = [line.step(frame(i)) for i in range(300, 345)]
    after = judged[-1]
    carried = [j.observation for j in judged if j.observation.distraction]
    ages_s = [seen.captured_s - seen.distraction.captured_s for seen in carried]
    assert 0.4 < max(ages_s) <= AssessConfig().availability.stale_after_s
    assert after.observation.distraction is None, "what is told is no older than what is judged by"
    assert before.assessment.signals["phone_s"].value == 0.0
    assert after.assessment.signals["phone_s"].value is None
    assert UnknownCause.STALE in after.assessment.unknown_causes
    assert after.assessment.state is before.assessment.state is DriverState.ATTENTIVE


def test_after_a_clock_set_back_nothing_seen_in_the_future_is_carried() -> None:
    line = pipeline(Look(), FatigueOnDemand(), fatigue_every_s=0.2)
    for i in range(3000, 3010):
        line.step(frame(i))
    seen = line.step(frame(1)).observation
    assert seen.fatigue is None
    fresh = line.step(frame(2)).observation.fatigue
    assert fresh is not None
    assert fresh.captured_s == 2 / 30
