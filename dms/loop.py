"""The loop: newest frame → pipeline → sinks. It decides to degrade, by the broad except round a frame.

(There is one more broad except: the wall between cameras, in `fleet`.)
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence

from dms.config import Config
from dms.control.governor import Governor
from dms.control.policy import Load
from dms.errors import SourceEnded, SourceLost
from dms.metrics import Metrics
from dms.pipeline import Pipeline
from dms.records import NOTHING_KNOWN, Context, Control, Frame, Health, HealthState, Judgement, Message
from dms.sinks import Sink
from dms.sources import FrameSource
from dms.troubles import Troubles

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
    judgements inside this process (overlay, progress); nothing else but the pipeline does. `governor` changes
    the level between two frames; None leaves it where it is. `context` tells, at once, what is known beside
    the picture: the vehicle, and acknowledgements since it was last asked.

    Nothing waits in line: a source keeps its newest frame only, sinks return at once, and a frame that cannot
    be judged in time, or that the level does not ask for, is passed over and counted. That never silences the
    loop: whatever the frames' times, one is judged at least as often as a camera without frames is looked at.
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
        governor: Governor | None = None,
        context: Callable[[], Context] = lambda: NOTHING_KNOWN,
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
        self._governor = governor
        self._context = context
        self._known = NOTHING_KNOWN
        self._now_s = 0.0
        self._frame_s = -math.inf
        self._taken_s = 0.0
        self._judged_s = -math.inf
        self._dropped_before = 0
        self._not_judged = {"late": 0, "level": 0, "failed": 0}
        self._vitals_s: tuple[float, float] | None = None
        self._fixed_told = False
        self._troubles = Troubles(config)
        self._trouble: Mapping[str, str] | None = None

    @property
    def drops(self) -> Mapping[str, int]:
        """Frames never judged since the start, by reason."""
        return {"newer": self._dropped_before + self._source.dropped, **self._not_judged}

    def go_on_with(self, source: FrameSource) -> None:
        """Take a source opened anew in the place of one that failed, before `run` is called again."""
        self._dropped_before += self._source.dropped
        self._source = source
        self._trouble = None  # what was told in the meantime is not known here

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
        except SourceLost:
            self._now_s = max(self._now_s, self._source.now_s() - UNDER_WAY_S)
            self._govern()
            self._tell_vitals(self._now_s)
            raise
        self._take(frame)
        return True

    def _tick(self) -> bool:
        self._govern()
        try:
            frame = self._source.newest(self._frame_timeout_s)
        except SourceEnded:
            return False
        except SourceLost as e:
            self._live_through_loss(str(e))
            return True
        self._take(frame)
        return True

    def _govern(self) -> None:
        """Let the level follow the device, and tell it: or a dead predecessor's would pass for this one's."""
        if self._governor is None:
            if not self._fixed_told:
                self._fixed_told = True
                self._publish(Control(self._now_s, 0, 0, "fixed", "The level is not controlled in this run."))
            return
        decision = self._governor.tick(self._clock(), self._load)
        if decision is not None:
            self._publish(
                Control(
                    self._now_s,
                    decision.level,
                    decision.previous,
                    decision.cause,
                    decision.detail,
                    decision.held,
                )
            )

    def _load(self) -> Load:
        return self._metrics.load(self._now_s)

    def _take(self, frame: Frame) -> None:
        """Judge the frame, or pass it over."""
        captured_s = frame.captured_s
        age_s = self._age_s(captured_s)
        self._now_s = self._frame_s = captured_s
        self._taken_s = self._clock()
        reason = self._pipeline.admits(captured_s, age_s)
        if reason is None or self._clock() - self._judged_s >= self._frame_timeout_s:
            self._step(frame, age_s)
            self._judged_s = self._clock()
        else:
            self._not_judged[reason] += 1

    def _age_s(self, captured_s: float) -> float:
        """How old a frame is; 0 where its stamp cannot be right: no lower level would mend that."""
        age_s = max(0.0, self._source.now_s() - captured_s)
        if not captured_s > self._frame_s:
            how = f"after one with {self._frame_s:.3f}"
        elif age_s > self._lost_after_s:
            how = f"when its own clock said {captured_s + age_s:.3f}"
        else:
            return age_s
        self._troubles.note_clock(self._clock(), captured_s, how)
        return 0.0

    def _step(self, frame: Frame, age_s: float) -> None:
        begun_s = self._clock()
        try:
            self._known = self._context()
            judgement = self._pipeline.step(frame, age_s, self._known)
        except Exception as e:
            # Whatever broke, the driver must not be left with a silent monitor: say so and go on blind.
            self._live_through_fault(frame, e)
            return
        self._metrics.frame(
            frame.captured_s,
            age_s + self._clock() - begun_s,
            judgement.stage_s,
            waited_s=age_s,
            lost=self._dropped_before + self._source.dropped + self._not_judged["late"],
        )
        self._tell(frame, judgement)
        if SIGHT.isdisjoint(judgement.faults):
            self._heartbeat()

    def _live_through_loss(self, why: str) -> None:
        self._now_s = max(self._now_s, self._source.now_s() - UNDER_WAY_S)
        self._known = self._context()
        self._publish(self._pipeline.blind(self._now_s, self._known))
        if self._clock() - self._taken_s >= self._lost_after_s:
            self._set_trouble(HealthState.DEGRADED, {"source_lost": why, **self._other_troubles()})
        self._tell_vitals(self._now_s)
        self._heartbeat()

    def _live_through_fault(self, frame: Frame, error: Exception) -> None:
        self._not_judged["failed"] += 1
        if not self._trouble or "internal_fault" not in self._trouble:
            log.error("the pipeline failed on frame %s", frame.id, exc_info=error)
        self._set_trouble(
            HealthState.FAULT,
            {"internal_fault": f"{type(error).__name__}: {error}", **self._other_troubles()},
        )
        self._publish(self._pipeline.blind(frame.captured_s, self._known, {"pipeline": str(error)}))
        self._tell_vitals(frame.captured_s)

    def _tell(self, frame: Frame, judgement: Judgement) -> None:
        self._publish(judgement)
        self._troubles.note_faults(self._clock(), judgement.faults)
        faults = {f"engine_{name}": why for name, why in judgement.faults.items()}
        self._set_trouble(HealthState.DEGRADED, {**self._other_troubles(), **faults})
        if self._observer:
            self._observer(frame, judgement)
        self._tell_vitals(frame.captured_s)

    def _other_troubles(self) -> dict[str, str]:
        troubles = self._troubles.told(self._clock())
        troubles.update({f"sink_{sink.name}": why for sink in self._sinks if (why := sink.fault())})
        troubles.update({f"input_{name}": why for name, why in self._known.vehicle.faults.items()})
        if self._governor is not None:
            troubles.update(self._governor.troubles())
        return troubles

    def _tell_vitals(self, now_s: float) -> None:
        # By both: frames' times that stand still or were set back must not silence the vitals.
        moments_s = now_s, self._source.now_s()
        if self._vitals_s is None:
            self._vitals_s = moments_s
        passed_s = [moment_s - told_s for moment_s, told_s in zip(moments_s, self._vitals_s, strict=True)]
        if all(0 <= seconds < self._vitals_every_s for seconds in passed_s):
            return
        self._vitals_s = moments_s
        governor = self._governor
        self._publish(
            self._metrics.vitals(
                now_s,
                self.drops,
                level=governor.level if governor else 0,
                device=governor.reading if governor else None,
                sinks={sink.name: figures for sink in self._sinks if (figures := sink.figures())},
            )
        )

    def _set_trouble(self, state: HealthState, trouble: Mapping[str, str]) -> None:
        """Publish a change of what is wrong; an empty `trouble` means all is well."""
        if self._trouble is not None and trouble.keys() == self._trouble.keys():
            return
        self._trouble = trouble
        self._publish(Health(self._now_s, state if trouble else HealthState.OK, trouble))

    def _publish(self, message: Message) -> None:
        for sink in self._sinks:
            sink.publish(message)
