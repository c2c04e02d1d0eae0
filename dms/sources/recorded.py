"""What all recordings share: every frame in order, or paced by the recorded time with drops like a camera."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import NamedTuple

from dms.errors import SourceEnded, SourceLost
from dms.records import Frame, Luma


class Shot(NamedTuple):
    """One recorded frame: its time, and its pixels on demand (None when they turn out to be broken)."""

    captured_s: float
    luma: Callable[[], Luma | None]


Shots = Generator[Shot, None, None]


class RecordedSource:
    """Plays shots whose times rise strictly.

    With `realtime`, a frame is handed out when its time has come, and one that is late by more than a period
    of the nominal rate `fps` is dropped undecoded. `clock` and `sleep` are seconds; tests pass their own.
    """

    live = False

    def __init__(
        self,
        shots: Shots,
        *,
        fps: float,
        realtime: bool,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.fps = fps
        self.dropped = 0
        self._shots = shots
        self._realtime = realtime
        self._clock = clock
        self._sleep = sleep
        self._next_id = 0
        self._early: Shot | None = None
        self._started_s: float | None = None
        self._last_s = 0.0

    def newest(self, timeout_s: float) -> Frame:
        """The next frame.

        Raises:
            SourceEnded: the recording is over, or closed.
            SourceLost: played in real time, the next frame is further away than `timeout_s`.
        """
        while True:
            shot = self._next_due(timeout_s) if self._realtime else self._next()
            if (image := shot.luma()) is not None:
                frame_id, self._next_id = self._next_id, self._next_id + 1
                self._last_s = shot.captured_s
                return Frame(frame_id, shot.captured_s, image)

    def now_s(self) -> float:
        """Recorded time: of the frame handed out last, or how far playing at its pace has come."""
        if not self._realtime or self._started_s is None:
            return self._last_s
        return max(self._last_s, self._clock() - self._started_s)

    def close(self) -> None:
        """End the recording."""
        self._early = None
        self._shots.close()

    def _next(self) -> Shot:
        shot, self._early = self._early or next(self._shots, None), None
        if shot is None:
            raise SourceEnded("the recording is over")
        return shot

    def _next_due(self, timeout_s: float) -> Shot:
        shot = self._next()
        while (wait_s := self._wait_s(shot)) < -1 / self.fps:
            self.dropped += 1
            self._next_id += 1
            shot = self._next()
        if wait_s > timeout_s:
            self._early = shot
            self._sleep(timeout_s)
            raise SourceLost(f"the recording has no frame before second {shot.captured_s:.2f}")
        self._sleep(max(wait_s, 0.0))
        return shot

    def _wait_s(self, shot: Shot) -> float:
        """Seconds until the shot's time comes; playing starts with the first one."""
        if self._started_s is None:
            self._started_s = self._clock() - shot.captured_s
        return self._started_s + shot.captured_s - self._clock()
