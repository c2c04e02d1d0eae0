from __future__ import annotations

from dataclasses import replace
from itertools import count

import numpy as np

from dms.alerts.manager import AlertManager
from dms.alerts.profiles import load_profile
from dms.assess.assessor import Assessor
from dms.config import ScheduleConfig
from dms.config.assess import AssessConfig
from dms.errors import EngineOutputError
from dms.pipeline import Pipeline
from dms.records import DriverState, Fatigue, Frame, FrameState, UnknownCause
from dms.scheduler import Scheduler
from dms.stages import Stage


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


def pipeline(*stages: Stage, fatigue_every_s: float = 0.0) -> Pipeline:
    ticks = count()
    return Pipeline(
        stages,
        Scheduler(ScheduleConfig(fatigue_every_s=fatigue_every_s)),
        Assessor(AssessConfig()),
        AlertManager(load_profile("euroncap_2026"), "test"),
        clock=lambda: next(ticks) * 0.001,
    )


def frame(index: int, fps: float = 30) -> Frame:
    return Frame(index, index / fps, np.full((36, 64), 100, np.uint8))


def test_every_stage_is_timed_by_name() -> None:
    judgement = pipeline(FatigueOnDemand()).step(frame(0))
    assert set(judgement.stage_s) == {"fatigue", "judge"}
    assert all(seconds > 0 for seconds in judgement.stage_s.values())


def test_a_result_not_due_is_carried_with_the_time_it_was_measured() -> None:
    line = pipeline(FatigueOnDemand(), fatigue_every_s=0.2)
    seen = [line.step(frame(i)).observation for i in range(4)]
    assert [s.fatigue.captured_s for s in seen if s.fatigue] == [0.0] * 4
    assert seen[3].captured_s == 0.1


def test_a_failing_stage_is_unknown_and_told_and_the_rest_goes_on() -> None:
    line = pipeline(FatigueOnDemand(broken=frozenset({1})))
    judged = [line.step(frame(i)) for i in range(3)]
    assert "NaN" in judged[1].faults["fatigue"]
    assert not judged[0].faults
    assert not judged[2].faults
    carried = judged[1].observation.fatigue
    assert carried is not None
    assert carried.captured_s < judged[1].observation.captured_s


def test_a_moment_without_a_frame_is_unknown_and_stale() -> None:
    line = pipeline()
    line.step(frame(0))
    judgement = [line.blind(0.5 + i * 0.5) for i in range(4)][-1]
    assert judgement.observation.frame_id == -1
    assert judgement.assessment.state is DriverState.UNKNOWN
    assert UnknownCause.STALE in judgement.assessment.unknown_causes


def test_nothing_to_finish_before_the_first_frame() -> None:
    assert pipeline().finish() is None
