"""A camera that sends decoded pictures of a clip, at its rate and for ever."""

from __future__ import annotations

import time
from collections.abc import Sequence

from dms.errors import SourceLost
from dms.records import Frame, Luma

FPS = 30.0


class LoopedSource:
    """A live source that plays decoded pictures in turns, `FPS` a second, the newest one to whoever asks.

    Args:
        pictures: all of them.
        phase: from 0 to 1: where in the pictures, and where in the interval between two frames, it begins.
        begin_s: when, on the monotonic clock.
    """

    live = True
    fps = FPS

    def __init__(self, pictures: Sequence[Luma], phase: float, begin_s: float) -> None:
        self.dropped = 0
        self._pictures = pictures
        self._first = round(phase * len(pictures))
        self._begin_s = begin_s + phase / FPS
        self._next = 0

    def newest(self, timeout_s: float) -> Frame:
        """The newest frame that has come, or the next one once it comes.

        Raises:
            SourceLost: it comes later than `timeout_s`.
        """
        wait_s = self._captured_s(self._next) - time.monotonic()
        if wait_s > timeout_s:
            time.sleep(timeout_s)
            raise SourceLost("the pictures are not played yet")
        time.sleep(max(wait_s, 0.0))
        number = max(self._next, int((time.monotonic() - self._begin_s) * FPS))
        self.dropped += number - self._next
        self._next = number + 1
        picture = self._pictures[(self._first + number) % len(self._pictures)]
        return Frame(number, self._captured_s(number), picture)

    def now_s(self) -> float:
        """The machine's monotonic clock."""
        return time.monotonic()

    def close(self) -> None:
        """Nothing to release."""

    def _captured_s(self, number: int) -> float:
        return self._begin_s + number / FPS
