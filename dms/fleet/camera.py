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
from dms.fleet.heart import Heart, Pulse
from dms.loop import UNDER_WAY_S, Loop
from dms.metrics import Metrics
from dms.pipeline import Pipeline
from dms.records import Health, HealthState, Message
from dms.sinks import Sink
from dms.sources import FrameSource
from dms.summary import Summary, SummarySink

log = logging.getLogger(__name__)

SIGN_EVERY_S = 1.0
"""A camera without a first frame gives a sign of life this often: well within the watchdog's five seconds."""
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
    ) -> None:
        self.name = name
        self.failure: str | None = None
        """What ended it before its time."""
        self.missing: str | None = None
        """Why the first frame did not come in time; None once it has, or while it still may."""
        self._config = _with_signs(config)
        self._open_timeout_s = config.source.open_timeout_s
        self._source = source
        self._reopen = reopen
        self._pipeline = pipeline
        self._governor = governor
        self._heart = heart
        self._stop = stop
        self._metrics = Metrics(VITALS_WINDOW_S)
        self._totals = SummarySink()
        self._pulse = Pulse(lambda: heart.spoke(name), time.monotonic)
        self._sinks = (*sinks, self._totals, self._pulse)
        self._hung = False
        self._interrupted = False
        self._dropped = 0
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

        Called by another thread while this one may speak: sinks take a `Health` from any.
        """
        silent_s = now_s - self._pulse.last_s
        if not self._hung and silent_s > HUNG_AFTER_S and self._thread.is_alive():
            self._hung = True
            why = f"camera {self.name} has told nothing for {silent_s:.0f} s: it hangs; restart the process"
            log.error("%s", why)
            self._tell_others(Health(self._now_s(), HealthState.FAULT, {"camera_hung": why}))
        elif self._hung and silent_s <= HUNG_AFTER_S:
            self._hung = False
            log.warning("camera %s lives again", self.name)
            if self._pulse.health is not None:
                self._tell_others(replace(self._pulse.health, captured_s=self._now_s()))

    def summary(self) -> Summary:
        """What came of it until now."""
        return self._totals.summary(
            self._dropped + self._source.dropped,
            (self._ended_s or time.monotonic()) - self._begun_s,
            interrupted=self._interrupted and not self._source.live,
        )

    def _run(self) -> None:
        while not self._is_over():
            self._stop.wait(SIGN_EVERY_S)
            self._renew_source()
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
            self._judge()
        except Exception as error:
            # The wall between drivers: whatever breaks for one is told aloud and touches no other.
            log.error("camera %s failed", self.name, exc_info=error)
            why = f"{type(error).__name__}: {error}"
            self._tell_trouble(HealthState.FAULT, {"internal_fault": why})
            if self._source.live:
                return self._stop.is_set()
            self.failure = why
        return True

    def _judge(self) -> None:
        loop = Loop(
            self._source,
            self._pipeline,
            self._sinks,
            self._metrics,
            self._config,
            clock=time.monotonic,
            stop=self._stop.is_set,
            heartbeat=self._judged,
            governor=self._governor,
        )
        while True:
            try:
                return loop.run()
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
        self._dropped += self._source.dropped
        self._source.close()
        self._source = self._reopen()

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

    def _tell_others(self, health: Health) -> None:
        """All sinks but the pulse: it is not this camera's thread that speaks."""
        for sink in self._sinks:
            if sink is not self._pulse:
                sink.publish(health)


def _with_signs(config: Config) -> Config:
    """A loop that does not wait longer for its first frame than a sign of life may take."""
    wait_s = min(config.source.open_timeout_s, SIGN_EVERY_S)
    return config.model_copy(update={"source": config.source.model_copy(update={"open_timeout_s": wait_s})})
