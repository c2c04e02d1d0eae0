"""What a button's ups and downs mean: a press is one acknowledgement, a button that stays down a fault."""

from __future__ import annotations

import threading


class Presses:
    """Told of every change by one thread, asked for faults by another. Times are monotonic seconds."""

    def __init__(self, stuck_after_s: float) -> None:
        self._stuck_after_s = stuck_after_s
        self._lock = threading.Lock()
        self._down_since_s: float | None = None

    def down(self, now_s: float) -> bool:
        """The button is down; tells whether that is a new press."""
        with self._lock:
            new = self._down_since_s is None
            if new:
                self._down_since_s = now_s
            return new

    def up(self) -> None:
        """The button is up, or can no longer be told."""
        with self._lock:
            self._down_since_s = None

    def stuck_s(self, now_s: float) -> float | None:
        """For how long the button has been down, where that is too long for a press; None where it is not."""
        with self._lock:
            held_s = 0.0 if self._down_since_s is None else now_s - self._down_since_s
        return held_s if held_s > self._stuck_after_s else None
