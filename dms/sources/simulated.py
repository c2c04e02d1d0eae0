"""The simulated driver as a frame source: `sim:demo` or `sim:SCRIPT.yaml`."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from dms.errors import SourceEnded
from dms.records import Frame
from dms.simulator.driver import Driver
from dms.simulator.portrait import load_portrait
from dms.simulator.script import load_script
from dms.simulator.truth import Truth


class SimulatedSource:
    """Renders a script on demand; no thread, no buffer.

    Played in real time it is live: each call hands out the frame of the present moment, and frames whose
    moment went by between two calls count as dropped. Otherwise every frame comes in order, in script time.
    """

    def __init__(
        self,
        script: str | Path,
        realtime: bool = False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Load the script and its portrait.

        Args:
            script: a YAML file, or `demo`.
            realtime: play at the script's pace instead of as fast as asked.
            clock: monotonic seconds; stamps the frames when live.
            sleep: waits that many seconds.

        Raises:
            InputError: script or portrait are missing or wrong.
        """
        self.live = realtime
        self.dropped = 0
        self.truth: Truth | None = None
        """The truth of the frame handed out last."""
        self._script = load_script(script)
        self.fps = self._script.fps
        self._driver: Driver | None = Driver(load_portrait(self._script.portrait), self._script)
        self._clock, self._sleep = clock, sleep
        self._start_s: float | None = None
        self._next = 0
        self._last_s = 0.0

    def newest(self, timeout_s: float) -> Frame:
        """The next frame, or when live the present one; waits at most until it is due.

        Raises:
            SourceEnded: the script is over, or the source is closed.
        """
        start_s = self._wait() if self.live else 0.0
        if self._driver is None or self._next >= self._script.frames:
            raise SourceEnded("the script is over")
        moment_s = self._next / self._script.fps
        image, self.truth = self._driver.render(moment_s)
        luma = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
        self._last_s = start_s + moment_s
        frame = Frame(id=self._next, captured_s=self._last_s, image=luma)
        self._next += 1
        return frame

    def now_s(self) -> float:
        """The monotonic clock when live, else the script time of the frame handed out last."""
        return self._clock() if self.live else self._last_s

    def _wait(self) -> float:
        """Let the next frame come due and pass over those that are gone by; returns the start of the script.

        Pacing never outlasts one frame interval, so `timeout_s` needs no part in it.
        """
        now_s = self._clock()
        if self._start_s is None:
            self._start_s = now_s
        due_s = self._start_s + self._next / self._script.fps
        if due_s > now_s:
            self._sleep(due_s - now_s)
            return self._start_s
        present = min(int((now_s - self._start_s) * self._script.fps), self._script.frames)
        self.dropped += max(0, present - self._next)
        self._next = max(self._next, present)
        return self._start_s

    def close(self) -> None:
        """Let go of the portrait; further calls of `newest` end."""
        self._driver = None
