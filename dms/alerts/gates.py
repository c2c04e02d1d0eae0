"""What arms the rules beside their signals: speed and direction of the vehicle.

Unknown speed is fast, unknown direction is forward: nothing is switched off by what is not known.
"""

from __future__ import annotations

from dms.alerts.rules import Speed

STANDSTILL_BELOW_KMH = 1.0
"""A known speed below this is standstill: sources tell whole km/h, or stray by less (GNSS) [E]."""

FROM_THE_START_S = -1e9
"""What is open from the start has been so for ever."""


class Gate:
    """Opens from a speed on, closes below another.

    What is timed while a gate opens is timed from there: a glance that began in the car park is not 6 s old
    at 20 km/h.
    """

    def __init__(self, speed: Speed) -> None:
        """Start open: the speed is not known."""
        self._speed = speed
        self._fast = False
        self.opened_s: float | None = FROM_THE_START_S
        """When it opened last; None while it is closed."""

    def update(self, speed_kmh: float | None, now_s: float) -> None:
        """Take the present speed, None where unknown."""
        if speed_kmh is not None:
            speed = self._speed
            self._fast = speed_kmh >= speed.from_kmh or (self._fast and speed_kmh > speed.down_to_kmh)
            if not self._fast:
                self.opened_s = None
                return
        if self.opened_s is None:
            self.opened_s = now_s


class Reverse:
    """Whether the vehicle is known to reverse, and since when it does not."""

    def __init__(self) -> None:
        """Start forward."""
        self.forward_since_s: float | None = FROM_THE_START_S
        """Since when the vehicle is not known to reverse; None while it is."""

    def update(self, reversing: float | None, now_s: float) -> None:
        """Take the signal, None where unknown."""
        if reversing:
            self.forward_since_s = None
        elif self.forward_since_s is None:
            self.forward_since_s = now_s
