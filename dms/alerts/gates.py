"""What arms the rules beside their signals: speed and direction of the vehicle.

Unknown speed is fast, unknown direction is forward: nothing is switched off by what is not known. While the
vehicle tells otherwise a rule raises nothing; only what it has told for `SETTLED_S` ends an alert or starts a
time anew.
"""

from __future__ import annotations

from dms.alerts.rules import Speed

STANDSTILL_BELOW_KMH = 1.0
"""A known speed below this is standstill: sources tell whole km/h, or stray by less (GNSS) [E]."""

SETTLED_S = 2.0
"""What is told for less than this may be one wrong message: the age at which a message is too old [E]."""

FROM_THE_START_S = -1e9
"""What is so from the start has been so for ever."""


class Spell:
    """Since when something is so; a break shorter than `SETTLED_S` does not start it anew."""

    def __init__(self) -> None:
        """Start with what has always been so."""
        self.since_s: float | None = FROM_THE_START_S
        """Since when it is so; None during a break."""
        self._began_s = self._broken_s = FROM_THE_START_S

    def update(self, so: bool, now_s: float) -> None:
        """Take whether it is so now."""
        if not so:
            if self.since_s is not None:
                self.since_s, self._broken_s = None, now_s
        elif self.since_s is None:
            if self.is_over(now_s):
                self._began_s = now_s
            self.since_s = self._began_s

    def is_over(self, now_s: float) -> bool:
        """Whether it has not been so for long enough to be believed."""
        return self.since_s is None and now_s - self._broken_s >= SETTLED_S


class Gate:
    """Opens from a speed on, closes below another.

    What is timed while a gate opens is timed from there: a glance that began in the car park is not 6 s old
    at 20 km/h.
    """

    def __init__(self, speed: Speed) -> None:
        """Start open: the speed is not known."""
        self._speed = speed
        self._fast = False
        self._open = Spell()

    @property
    def opened_s(self) -> float | None:
        """When it opened last; None while it is closed."""
        return self._open.since_s

    def update(self, speed_kmh: float | None, now_s: float) -> None:
        """Take the present speed, None where unknown."""
        if speed_kmh is not None:
            speed = self._speed
            self._fast = speed_kmh >= speed.from_kmh or (self._fast and speed_kmh > speed.down_to_kmh)
        self._open.update(speed_kmh is None or self._fast, now_s)
