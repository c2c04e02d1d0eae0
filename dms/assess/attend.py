"""AttenD: a buffer of attention, drained by looks away, filled by looks at the road.

All figures are those of Kircher & Ahlstrom, VTI 638A, 2009.
"""

from __future__ import annotations

from dms.assess.glances import FREE_ZONES, Look, Stretch

FULL_S = 2.0
"""The full buffer; it drains and fills at one second a second."""
REFILL_DELAY_S = 0.1
"""A look back fills the buffer only after this: the eyes must settle first."""
LATENCY_S = 1.0
"""Mirrors and the speedometer drain it only after this. Looks at the road earn it back second by second, as
they fill the buffer: else glances of just this length, however dense, would never drain it [E]."""


class AttenD:
    """The buffer: `FULL_S` full, 0 distracted. Time unseen, or with closed eyes, leaves it as it is."""

    def __init__(self) -> None:
        """Start with a full buffer."""
        self.buffer_s = FULL_S
        self._on_road_s = 0.0
        self._latency_left_s = LATENCY_S

    def update(self, settled: Stretch | None) -> None:
        """Take the stretch settled now, if any."""
        if settled is None:
            return
        if settled.look is Look.ROAD:
            self._fill(settled.seconds)
        else:
            self._drain(settled)

    def _fill(self, seconds: float) -> None:
        before_s = max(self._on_road_s, REFILL_DELAY_S)
        self._on_road_s += seconds
        if self._on_road_s > before_s:
            gained_s = self._on_road_s - before_s
            self.buffer_s = min(FULL_S, self.buffer_s + gained_s)
            self._latency_left_s = min(LATENCY_S, self._latency_left_s + gained_s)

    def _drain(self, settled: Stretch) -> None:
        self._on_road_s = 0.0
        seconds = settled.seconds
        if settled.zone in FREE_ZONES:
            spared_s = min(seconds, self._latency_left_s)
            self._latency_left_s -= spared_s
            seconds -= spared_s
        self.buffer_s = max(0.0, self.buffer_s - seconds)
