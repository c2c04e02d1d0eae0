"""One camera of several: its loop in a thread of its own, kept going whatever happens to it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from dms.app import VITALS_WINDOW_S
from dms.config import Config
from dms.control.governor import Governor
from dms.errors import SourceLost
from dms.fleet.guarded import Guarded
from dms.fleet.heart import Heart, Pulse
from dms.loop import UNDER_WAY_S, Loop
from dms.metrics import Metrics
from dms.pipeline import Pipeline
from dms.records import (
    NOTHING_KNOWN,
    Assessment,
    Context,
    DriverState,
    Health,
    HealthState,
    Judgement,
    Message,
    Observation,
    Signal,
    UnknownCause,
)
from dms.sinks import Sink
from dms.sources import FrameSource
from dms.summary import Summary, SummarySink

log = logging.getLogger(__name__)

RETRY_EVERY_S = 0.4
"""Pause before a source that failed is opened anew: within the time in which moments without a frame join
into one stretch (`assess.availability.stale_after_s`), or no alert would tell that nobody watches."""
HUNG_AFTER_S = 3.0
"""A camera that told nothing for this long hangs: whatever happens, it tells something every second."""


class Camera:
    """One driver: source, pipeline and sinks of his own.

    Args:
        name: as configured.
        config: of this camera alone.
        source: opened already.
        reopen: opens the source anew after a failure.
        pipeline: judges it.
        governor: changes its level; None leaves it at 0.
        sinks: told; closed with the camera.
        heart: told of each sign of life.
        stop: set when all is to end.
        context: what is known beside the picture.
    """

    def __init__(
        self,
        name: str,
        config: Config,
        source: FrameSource,
        reopen: Callable[[], FrameSource],
        pipeline: Pipeline,
        governor: Governor | None,
        sinks: Sequence[Sink],
        heart: Heart,
        stop: threading.Event,
        context: Callable[[], Context] = lambda: NOTHING_KNOWN,
    ) -> None:
        self.name = name
        self.failure: str | None = None
        """What ended it before its time."""
        self.missing: str | None = None
        """Why the first frame did not come in time; None once it has, or while it still may."""
        self._open_timeout_s = config.source.open_timeout_s
        self._source = source
        self._reopen = reopen
        self._pipeline = pipeline
        self._heart = heart
        self._stop = stop
        self._totals = SummarySink()
        self._pulse = Pulse(lambda: heart.spoke(name), time.monotonic)
        self._guarded = [Guarded(sink) for sink in (*sinks, self._totals)]
        self._sinks: tuple[Sink, ...] = (*self._guarded, self._pulse)
        self._loop = Loop(
            source,
            pipeline,
            self._sinks,
            Metrics(VITALS_WINDOW_S),
            _with_signs(config),
            clock=time.monotonic,
            stop=stop.is_set,
            heartbeat=self._judged,
            governor=governor,
            context=context,
        )
        self._failed = False
        self._hung = False
        self._interrupted = False
        self._begun_s = time.monotonic()
        self._ended_s: float | None = None
        self._thread = threading.Thread(target=self._run, name=f"camera {name}", daemon=True)

    def start(self) -> None:
        """Begin judging."""
        self._begun_s = self._pulse.last_s = time.monotonic()
        self._thread.start()

    def join(self, timeout_s: float) -> bool:
        """Wait for the end; False when it did not come in time."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def watch(self, now_s: float) -> None:
        """Say of a thread that hangs what it cannot say itself, and take it back once it lives again.

        Called by another thread. The driver of a camera that hangs is unknown, whatever was seen last; once
        it lives again its own next judgement stands.
        """
        silent_s = now_s - self._pulse.last_s
        if not self._hung and silent_s > HUNG_AFTER_S and self._thread.is_alive():
            self._hung = True
            why = f"camera {self.name} has told nothing for {silent_s:.0f} s: it hangs; restart the process"
            log.error("%s", why)
            self._tell_for_it(self._unknown())
            self._tell_for_it(Health(self._now_s(), HealthState.FAULT, {"camera_hung": why}))
        elif self._hung and silent_s <= HUNG_AFTER_S:
            self._hung = False
            log.warning("camera %s lives again", self.name)
            if self._pulse.health is not None:
                self._tell_for_it(replace(self._pulse.health, captured_s=self._now_s()))

    def summary(self) -> Summary:
        """What came of it until now."""
        return self._totals.summary(
            self._loop.drops,
            (self._ended_s or time.monotonic()) - self._begun_s,
            interrupted=self._interrupted and not self._source.live,
        )

    def _run(self) -> None:
        while not self._is_over():
            self._stop.wait(RETRY_EVERY_S)
        self._interrupted = self._stop.is_set()
        if (last := self._pipeline.finish()) is not None:
            self._tell(last)  # a loop that failed has not ended its alerts
        self._source.close()
        for sink in self._sinks:
            sink.close()
        self._ended_s = time.monotonic()
        # Not reached where even telling a failure fails: the watchdog then ends the process.
        self._heart.left(self.name)

    def _is_over(self) -> bool:
        """Judge until the source ends or a stop is asked for; False: it failed and is worth another try."""
        try:
            if self._failed:
                self._renew_source()
            self._judge()
        except Exception as error:
            self._failed = True
            # The wall between drivers: whatever breaks for one is told aloud and touches no other.
            log.error("camera %s failed", self.name, exc_info=error)
            why = f"{type(error).__name__}: {error}"
            self._tell_trouble(HealthState.FAULT, {"internal_fault": why})
            if self._source.live:
                return self._stop.is_set()
            self.failure = why
        return True

    def _judge(self) -> None:
        while True:
            try:
                return self._loop.run()
            except SourceLost as error:
                self._live_without(str(error))

    def _judged(self) -> None:
        self.missing = None
        self._heart.judged()

    def _live_without(self, why: str) -> None:
        """The first frame has not come, and may yet."""
        if time.monotonic() - self._begun_s >= self._open_timeout_s:
            self.missing = why
        self._tell_trouble(HealthState.DEGRADED, {"source_lost": why})

    def _renew_source(self) -> None:
        self._source.close()
        self._source = self._reopen()
        self._failed = False
        self._loop.go_on_with(self._source)

    def _tell_trouble(self, state: HealthState, causes: Mapping[str, str]) -> None:
        """Judge the moment without a frame, so that no former verdict stands; say why if that is new."""
        now_s = self._now_s()
        self._tell(self._pipeline.blind(now_s))
        told = self._pulse.health
        if told is None or told.causes.keys() != causes.keys():
            self._tell(Health(now_s, state, causes))

    def _now_s(self) -> float:
        return self._source.now_s() - UNDER_WAY_S

    def _tell(self, message: Message) -> None:
        for sink in self._sinks:
            sink.publish(message)

    def _tell_for_it(self, message: Message) -> None:
        """To all sinks but the pulse: it is not this camera's thread that speaks."""
        for sink in self._guarded:
            sink.publish_if_free(message)

    def _unknown(self) -> Judgement:
        """A moment without a frame. Not by the pipeline: that is this camera's thread's alone."""
        now_s = self._now_s()
        told = self._pulse.verdict
        signals = {name: Signal(None) for name in told.signals} if told else {}
        verdict = Assessment(now_s, DriverState.UNKNOWN, (UnknownCause.STALE,), signals)
        return Judgement(Observation(now_s, frame_id=-1), verdict, (), {}, stand_in=True)


def _with_signs(config: Config) -> Config:
    """A loop that waits for its first frame as for any other: time without a judgement is never longer."""
    wait_s = min(config.source.open_timeout_s, config.assess.availability.stale_after_s / 2)
    return config.model_copy(update={"source": config.source.model_copy(update={"open_timeout_s": wait_s})})
