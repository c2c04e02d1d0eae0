"""One frame, top to bottom: perceive, assess, decide. No loop, no I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, TypeVar

from dms.alerts.manager import AlertManager
from dms.assess.assessor import Assessor
from dms.errors import EngineError
from dms.records import (
    NOTHING_KNOWN,
    Alert,
    Assessment,
    Context,
    Distraction,
    Fatigue,
    Frame,
    FrameState,
    Judgement,
    Observation,
)
from dms.scheduler import TURNS, Scheduler, urgent
from dms.stages import Stage, with_fault

Result = TypeVar("Result", Fatigue, Distraction)

Checkpointing = Callable[[float, Assessor, AlertManager, bool], Mapping[str, Any] | None]
"""Takes the time, who judges, and whether it is urgent; returns a checkpoint where one is due."""


def judged(
    seen: Observation, assessor: Assessor, alerts: AlertManager
) -> tuple[Assessment, tuple[Alert, ...]]:
    """What is concluded from the next observation: the judgement, and the alerts that change with it."""
    assessment = assessor.update(seen)
    changes = alerts.update(assessment)
    return alerts.told(assessment), changes


class Pipeline:
    """Turns frames into judgements. `clock` (seconds) only times the stages."""

    def __init__(
        self,
        stages: Sequence[Stage],
        scheduler: Scheduler,
        assessor: Assessor,
        alerts: AlertManager,
        clock: Callable[[], float],
        checkpoint: Checkpointing | None = None,
    ) -> None:
        self._stages = stages
        self._scheduler = scheduler
        self._assessor = assessor
        self._alerts = alerts
        self._clock = clock
        self._checkpoint = checkpoint
        self._previous: Observation | None = None
        self._last: Judgement | None = None
        self._urgent = False

    def admits(self, captured_s: float, age_s: float) -> str | None:
        """Whether to judge the frame captured then and this old by now: None, or why it is passed over."""
        return self._scheduler.admits(captured_s, age_s)

    def step(self, frame: Frame, age_s: float = 0.0, context: Context = NOTHING_KNOWN) -> Judgement:
        """Judge one frame that is `age_s` old by now, with what is known beside it."""
        state = self._begin(frame, age_s, context)
        stage_s: dict[str, float] = {}
        begun_s = self._clock()
        for stage in self._stages:
            try:
                state = stage.run(state)
            except EngineError as e:
                # What this stage would have seen is unknown; the others still see.
                state = replace(state, seen=with_fault(state.seen, stage.name, e))
            ended_s = self._clock()
            if stage.name in state.due or stage.name not in TURNS:
                stage_s[stage.name] = ended_s - begun_s
            begun_s = ended_s
        self._previous = state.seen
        judgement = self._judge(state.seen, stage_s)
        self._scheduler.ran(stage_s)
        return judgement

    def blind(
        self,
        captured_s: float,
        context: Context = NOTHING_KNOWN,
        faults: Mapping[str, str] = MappingProxyType({}),
    ) -> Judgement:
        """Judge a moment without a frame: lost, late or, with `faults`, broken on; the driver is unknown."""
        self._previous = None
        blind = Observation(
            captured_s, frame_id=-1, faults=faults, context=context, level=self._scheduler.level
        )
        return self._judge(blind, {})

    def finish(self) -> Judgement | None:
        """The last judgement again, with the ends of the alerts still active; None when there are none."""
        if self._last is None:
            return None
        seen = self._last.observation
        ended = self._alerts.close(seen.captured_s)
        if not ended:
            return None
        return replace(
            self._last, observation=replace(seen, frame_id=-1), alerts=ended, stage_s={}, checkpoint=None
        )

    def _begin(self, frame: Frame, age_s: float, context: Context) -> FrameState:
        captured_s = frame.captured_s
        previous = self._previous
        if previous is not None and not previous.captured_s <= captured_s:
            previous = None  # the clock was set back: what was seen "later" would count as fresh for ever
        due = self._scheduler.due(
            captured_s,
            age_s=age_s,
            tracking=previous is not None and previous.eyes is not None,
            urgent=self._urgent,
        )
        oldest_s = captured_s - self._assessor.stale_after_s
        seen = Observation(
            captured_s,
            frame.id,
            fatigue=_since(oldest_s, previous.fatigue) if previous else None,
            distraction=_since(oldest_s, previous.distraction) if previous else None,
            context=context,
            age_s=age_s,
            level=self._scheduler.level,
        )
        return FrameState(frame, seen, previous, due)

    def _judge(self, seen: Observation, stage_s: dict[str, float]) -> Judgement:
        checkpoint = self._checkpointed(seen.captured_s, stage_s)
        begun_s = self._clock()
        assessment, changes = judged(seen, self._assessor, self._alerts)
        self._urgent = urgent(assessment, self._alerts.active)
        stage_s["judge"] = self._clock() - begun_s
        self._last = Judgement(seen, assessment, changes, stage_s, checkpoint)
        return self._last

    def _checkpointed(self, now_s: float, stage_s: dict[str, float]) -> Mapping[str, Any] | None:
        """The state before the frame is judged, where somebody keeps it and it is due."""
        if self._checkpoint is None:
            return None
        begun_s = self._clock()
        taken = self._checkpoint(now_s, self._assessor, self._alerts, self._urgent)
        if taken is not None:
            stage_s["checkpoint"] = self._clock() - begun_s
        return taken


def _since(oldest_s: float, result: Result | None) -> Result | None:
    """A result measured then or later. An older one is used by no judgement: nobody is told of it either."""
    return result if result is not None and result.captured_s >= oldest_s else None
