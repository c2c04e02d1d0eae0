"""What a run of a stage is expected to take, learned from its last runs."""

from __future__ import annotations

import math

FADE_S = 1.0
"""Time constant in which a high cost is forgotten: ten times the usual is half forgotten in 0.7 s and down to
a tenth above the usual in 4.5 s."""


class StageCost:
    """What a run is expected to take: the larger of its last two, and of a high value that fades in time.

    So ten times the usual is believed at once and forgotten within seconds, and one run that was quick by
    chance changes nothing.
    """

    __slots__ = ("_last_s", "_noted_s", "expected_s")

    def __init__(self) -> None:
        self.expected_s = 0.0
        """Seconds; 0 before the first run, so that it gets one."""
        self._last_s = 0.0
        self._noted_s = 0.0

    def note(self, cost_s: float, now_s: float) -> None:
        """Take the measured cost of a run at `now_s`."""
        usual_s = max(0.0, cost_s, self._last_s)
        above_s = max(0.0, self.expected_s - usual_s)
        if above_s:
            above_s *= math.exp(-max(0.0, now_s - self._noted_s) / FADE_S)
        self.expected_s = usual_s + above_s
        self._last_s, self._noted_s = cost_s, now_s
