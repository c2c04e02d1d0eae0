"""One frame, top to bottom: perceive, assess, decide. No loop, no I/O."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from dms.alerts.manager import AlertManager, under_alerts
from dms.assess.assessor import Assessor
from dms.errors import EngineError
from dms.records import Frame, FrameState, Judgement, Observation
from dms.scheduler import Scheduler
from dms.stages import Stage, with_fault


class Pipeline:
    """Turns frames into judgements. `clock` (seconds) only times the stages."""

    def __init__(
        self,
        stages: Sequence[Stage],
        scheduler: Scheduler,
        assessor: Assessor,
        alerts: AlertManager,
        clock: Callable[[], float],
    ) -> None:
        self._stages = stages
        self._scheduler = scheduler
        self._assessor = assessor
        self._alerts = alerts
        self._clock = clock
        self._previous: Observation | None = None
        self._last: Judgement | None = None

    def step(self, frame: Frame) -> Judgement:
        """Judge one frame."""
        state = self._begin(frame)
        stage_s: dict[str, float] = {}
        for stage in self._stages:
            begun_s = self._clock()
            try:
                state = stage.run(state)
            except EngineError as e:
                # What this stage would have seen is unknown; the others still see.
                state = replace(state, seen=with_fault(state.seen, stage.name, e))
            stage_s[stage.name] = self._clock() - begun_s
        self._previous = state.seen
        return self._judge(state.seen, stage_s)

    def blind(self, captured_s: float) -> Judgement:
        """Judge a moment without a frame: the source is lost or late, so everything is unknown."""
        self._previous = None
        return self._judge(Observation(captured_s, frame_id=-1), {})

    def finish(self) -> Judgement | None:
        """The last judgement again, with the ends of the alerts still active; None when there are none."""
        if self._last is None:
            return None
        seen = self._last.observation
        ended = self._alerts.close(seen.captured_s)
        if not ended:
            return None
        return replace(self._last, observation=replace(seen, frame_id=-1), alerts=ended, stage_s={})

    def _begin(self, frame: Frame) -> FrameState:
        previous = self._previous
        tracking = previous is not None and previous.eyes is not None
        seen = Observation(
            captured_s=frame.captured_s,
            frame_id=frame.id,
            fatigue=previous.fatigue if previous else None,
            distraction=previous.distraction if previous else None,
        )
        return FrameState(frame, seen, previous, self._scheduler.due(frame.captured_s, tracking=tracking))

    def _judge(self, seen: Observation, stage_s: dict[str, float]) -> Judgement:
        begun_s = self._clock()
        assessment = self._assessor.update(seen)
        alerts = self._alerts.update(assessment)
        state = under_alerts(assessment.state, self._alerts.active)
        stage_s["judge"] = self._clock() - begun_s
        self._last = Judgement(seen, replace(assessment, state=state), alerts, stage_s)
        return self._last
