"""One frame, top to bottom: perceive, assess, decide. No loop, no I/O."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from dms.alerts.manager import AlertManager
from dms.assess.assessor import Assessor
from dms.errors import EngineError
from dms.records import Frame, FrameState, Judgement, Observation
from dms.scheduler import Scheduler
from dms.stages import Stage


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
        faults: dict[str, str] = {}
        for stage in self._stages:
            begun_s = self._clock()
            try:
                state = stage.run(state)
            except EngineError as e:
                # The stage's field stays as it was begun: unknown. The other stages still see.
                faults[stage.name] = str(e)
            stage_s[stage.name] = self._clock() - begun_s
        self._previous = state.seen
        return self._judge(state.seen, stage_s, faults)

    def blind(self, captured_s: float) -> Judgement:
        """Judge a moment without a frame: the source is lost or late, so everything is unknown."""
        self._previous = None
        return self._judge(Observation(captured_s, frame_id=-1), {}, {})

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

    def _judge(self, seen: Observation, stage_s: dict[str, float], faults: dict[str, str]) -> Judgement:
        begun_s = self._clock()
        assessment = self._assessor.update(seen)
        alerts = self._alerts.update(assessment)
        stage_s["judge"] = self._clock() - begun_s
        self._last = Judgement(seen, assessment, alerts, stage_s, faults)
        return self._last
