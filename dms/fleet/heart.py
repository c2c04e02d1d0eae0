"""Signs of life of several cameras, and the watchdog they feed together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping

from dms.records import Assessment, Health, Judgement, Message
from dms.service import Notifier


class Heart:
    """Feeds the watchdog each time every camera has spoken since the last time, and one of them has judged.

    So it proves work of all: a camera that hangs stops it, one that says aloud that it cannot judge does not.
    """

    def __init__(self, notifier: Notifier, names: Iterable[str]) -> None:
        self._notifier = notifier
        self._lock = threading.Lock()
        self._running = set(names)
        self._silent = set(self._running)
        self._judged = False
        self._ready = False

    @property
    def ready(self) -> bool:
        """Whether a camera has judged yet."""
        return self._ready

    def spoke(self, name: str) -> None:
        """A camera has told something."""
        with self._lock:
            self._silent.discard(name)
            self._feed()

    def judged(self) -> None:
        """A camera has judged a moment and told it."""
        with self._lock:
            if not self._ready:
                self._ready = True
                self._notifier.ready()
            self._judged = True
            self._feed()

    def left(self, name: str) -> None:
        """A camera has come to its end: nothing is expected of it any more."""
        with self._lock:
            self._running.discard(name)
            self._silent.discard(name)

    def _feed(self) -> None:
        if self._judged and not self._silent:
            self._notifier.watchdog()
            self._silent.update(self._running)
            self._judged = False


class Pulse:
    """The last sink of a camera: what comes here was told to all the others. `last_s` is when, by `clock`."""

    name = "pulse"

    def __init__(self, spoke: Callable[[], None], clock: Callable[[], float]) -> None:
        self._spoke = spoke
        self._clock = clock
        self.last_s = clock()
        self.health: Health | None = None
        self.verdict: Assessment | None = None

    def publish(self, message: Message) -> None:
        """Note that the camera lives, and what it says of its driver and its health."""
        self.last_s = self._clock()
        if isinstance(message, Health):
            self.health = message
        elif isinstance(message, Judgement):
            self.verdict = message.assessment
        self._spoke()

    def fault(self) -> str | None:
        """Never at fault."""
        return None

    def figures(self) -> Mapping[str, float]:
        """Nothing to tell."""
        return {}

    def close(self) -> None:
        """Nothing to release."""
