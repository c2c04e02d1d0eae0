"""Sinks that several threads tell: a camera's own and the one that watches it, or those of all cameras."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from dms.records import Message
from dms.sinks import Sink

FREE_WITHIN_S = 0.1
"""A sink returns at once; one that is not free after this long is what hangs."""


class Guarded:
    """Wraps a sink; one thread at a time tells it."""

    def __init__(self, sink: Sink) -> None:
        self.name = sink.name
        self._sink = sink
        self._lock = threading.Lock()

    def publish(self, message: Message) -> None:
        """Tell the sink."""
        with self._lock:
            self._sink.publish(message)

    def publish_if_free(self, message: Message) -> None:
        """Tell the sink, unless another thread hangs in it."""
        if self._lock.acquire(timeout=FREE_WITHIN_S):
            try:
                self._sink.publish(message)
            finally:
                self._lock.release()

    def fault(self) -> str | None:
        """See `Sink`."""
        return self._sink.fault()

    def figures(self) -> Mapping[str, float]:
        """See `Sink`."""
        return self._sink.figures()

    def close(self) -> None:
        """See `Sink`."""
        self._sink.close()


class Lent(Guarded):
    """Lends one sink to several cameras, such as the loudspeaker: one tells it at a time, none closes it."""

    def close(self) -> None:
        """Left to whoever lends it."""
