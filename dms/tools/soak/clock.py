"""Driving time in a hurry: the waiting between two frames is left out, the work is not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class DrivingClock:
    """Seconds of driving; call it for the present. Runs as the machine's clock does, but for `pass_until`.

    So what takes a millisecond takes a millisecond of driving, and latencies are judged against the same
    budget as on the road: only the time in which nothing is to be done goes by `speed` times as fast.
    """

    def __init__(
        self,
        speed: float,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._speed = speed
        self._monotonic = monotonic
        self._sleep = sleep
        self._skipped_s = 0.0
        self._passed_s = self()
        self._passed_wall_s = monotonic()
        self.in_real_time = False
        """Wait in full: others that keep the machine's time, such as a broker, are being watched."""

    def __call__(self) -> float:
        """Present time of driving."""
        return self._monotonic() + self._skipped_s

    def pass_until(self, then_s: float) -> None:
        """Let time pass; nothing happens where `then_s` is over."""
        if then_s > self():
            speed = 1.0 if self.in_real_time else self._speed
            waits_s = (then_s - self._passed_s) / speed - (self._monotonic() - self._passed_wall_s)
            self._sleep(min(max(0.0, waits_s), then_s - self()))
            self._skipped_s += max(0.0, then_s - self())
        self._passed_s, self._passed_wall_s = self(), self._monotonic()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Work that no car does (watching), or does beside (decoding), takes no driving time."""
        begun_s = self._monotonic()
        try:
            yield
        finally:
            self._skipped_s -= self._monotonic() - begun_s
