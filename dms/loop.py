"""The loop: newest frame → pipeline → sinks. It alone decides to degrade, by the only broad except."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from dms.config import Config
from dms.errors import SourceEnded, SourceLost
from dms.metrics import Metrics
from dms.pipeline import Pipeline
from dms.records import Frame, Health, HealthState, Judgement, Message
from dms.sinks import Sink
from dms.sources import FrameSource

log = logging.getLogger(__name__)

Observer = Callable[[Frame, Judgement], None]


UNDER_WAY_S = 0.05
"""A frame captured this long ago may still be under way: no moment later than that is judged without one, or
time would seem to run backwards when the frame comes."""


SIGHT = frozenset({"face", "eyes"})
"""The engines without which nothing of the driver is judged."""


class Loop:
    """Runs until the source ends or `stop()` tells so. `clock` is the monotonic clock of live sources.

    `heartbeat` is called after each moment that was judged and told, never otherwise: a watchdog fed by it
    proves work, not life. With an engine of `SIGHT` failing there is none: a fresh process may mend what this
    one cannot, such as a GPU after a fault, or run the engine elsewhere. `observer` sees frames beside their
    judgements inside this process (overlay, progress); nothing else but the pipeline does.
    """

    def __init__(
        self,
        source: FrameSource,
        pipeline: Pipeline,
        sinks: Sequence[Sink],
        metrics: Metrics,
        config: Config,
        *,
        clock: Callable[[], float],
        stop: Callable[[], bool],
        heartbeat: Callable[[], None],
        observer: Observer | None = None,
    ) -> None:
        self._source = source
        self._pipeline = pipeline
        self._sinks = sinks
        self._metrics = metrics
        self._lost_after_s = config.source.lost_after_s
        self._open_timeout_s = config.source.open_timeout_s
        self._vitals_every_s = config.service.vitals_every_s
        # Two looks within the time after which a result is stale: the judgement never pauses for longer.
        self._frame_timeout_s = config.assess.availability.stale_after_s / 2
        self._clock = clock
        self._stop = stop
        self._heartbeat = heartbeat
        self._observer = observer
        self._now_s = 0.0
        self._frame_s = 0.0
        self._next_vitals_s: float | None = None
        self._trouble: Mapping[str, str] | None = None

    def run(self) -> None:
        """Judge frames until the source ends or a stop is asked for, then end open alerts.

        Raises:
            SourceLost: the first frame never came; a loss later is published and lived through.
        """
        if self._stop() or not self._begin():
            return
        while not self._stop() and self._tick():
            pass
        if (last := self._pipeline.finish()) is not None:
            self._publish(last)

    def _begin(self) -> bool:
        try:
            frame = self._source.newest(self._open_timeout_s)
        except SourceEnded:
            return False
        self._step(frame)
        return True

    def _tick(self) -> bool:
        try:
            frame = self._source.newest(self._frame_timeout_s)
        except SourceEnded:
            return False
        except SourceLost as e:
            self._live_through_loss(str(e))
            return True
        self._step(frame)
        return True

    def _step(self, frame: Frame) -> None:
        self._now_s = self._frame_s = frame.captured_s
        begun_s = self._clock()
        try:
            judgement = self._pipeline.step(frame)
        except Exception as e:
            # Whatever broke, the driver must not be left with a silent monitor: say so and go on blind.
            self._live_through_fault(frame, e)
            return
        since_s = frame.captured_s if self._source.live else begun_s
        self._metrics.frame(frame.captured_s, self._clock() - since_s, judgement.stage_s)
        self._tell(frame, judgement)
        if SIGHT.isdisjoint(judgement.faults):
            self._heartbeat()

    def _live_through_loss(self, why: str) -> None:
        self._now_s = max(self._now_s, self._source.now_s() - UNDER_WAY_S)
        self._publish(self._pipeline.blind(self._now_s))
        if self._now_s - self._frame_s >= self._lost_after_s:
            self._set_trouble(HealthState.DEGRADED, {"source_lost": why, **self._sink_faults()})
        self._tell_vitals(self._now_s)
        self._heartbeat()

    def _live_through_fault(self, frame: Frame, error: Exception) -> None:
        if not self._trouble or "internal_fault" not in self._trouble:
            log.error("the pipeline failed on frame %s", frame.id, exc_info=error)
        self._set_trouble(HealthState.FAULT, {"internal_fault": f"{type(error).__name__}: {error}"})
        self._publish(self._pipeline.blind(frame.captured_s))

    def _tell(self, frame: Frame, judgement: Judgement) -> None:
        self._publish(judgement)
        self._set_trouble(
            HealthState.DEGRADED,
            {
                **{f"engine_{name}": why for name, why in judgement.faults.items()},
                **self._sink_faults(),
            },
        )
        if self._observer:
            self._observer(frame, judgement)
        self._tell_vitals(frame.captured_s)

    def _sink_faults(self) -> dict[str, str]:
        return {f"sink_{sink.name}": why for sink in self._sinks if (why := sink.fault())}

    def _tell_vitals(self, now_s: float) -> None:
        if self._next_vitals_s is None:
            self._next_vitals_s = now_s + self._vitals_every_s
        elif now_s >= self._next_vitals_s:
            self._next_vitals_s = now_s + self._vitals_every_s
            self._publish(self._metrics.vitals(now_s, self._source.dropped))

    def _set_trouble(self, state: HealthState, trouble: Mapping[str, str]) -> None:
        """Publish a change of what is wrong; an empty `trouble` means all is well."""
        if self._trouble is not None and trouble.keys() == self._trouble.keys():
            return
        self._trouble = trouble
        self._publish(Health(self._now_s, state if trouble else HealthState.OK, trouble))

    def _publish(self, message: Message) -> None:
        for sink in self._sinks:
            sink.publish(message)
