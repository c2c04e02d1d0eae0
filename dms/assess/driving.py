"""Whether the vehicle drives, and how fast that is known."""

from __future__ import annotations

import math

from dms.assess.clocks import Since
from dms.assess.signals import UNKNOWN
from dms.assess.temporal import Hysteresis, Tick
from dms.records import Context, Signal

MOVES_ABOVE_KMH = 5.0
"""Above this the vehicle moves: satellite receivers tell up to 2 km/h at rest, and shunting is no driving."""
STANDS_BELOW_KMH = 3.0
"""Below this a moving vehicle stands: many wheel sensors tell nothing slower."""


class Driving:
    """Folds what the vehicle tells into the signals of driving."""

    def __init__(self) -> None:
        """Start knowing nothing."""
        self._speed_kmh: float | None = None
        self._reversing: bool | None = None
        self._fast = Hysteresis(MOVES_ABOVE_KMH, STANDS_BELOW_KMH)
        self._unknown = Since()

    @property
    def moving(self) -> bool | None:
        """Whether the vehicle moves forward; None where that is not known."""
        if self._reversing:
            return False
        return None if self._speed_kmh is None else self._fast.on

    def update(self, tick: Tick, context: Context) -> None:
        """Take what is known of the vehicle now."""
        vehicle = context.vehicle
        self._speed_kmh = _speed(vehicle.speed_kmh)
        self._reversing = vehicle.reversing
        if self._speed_kmh is not None:
            self._fast.update(self._speed_kmh)
        self._unknown.update(tick.now_s, context.configured and self._speed_kmh is None)

    def signals(self) -> dict[str, Signal]:
        """All signals of this question."""
        speed_kmh, reversing = self._speed_kmh, self._reversing
        return {
            "speed_kmh": UNKNOWN if speed_kmh is None else Signal(speed_kmh),
            "speed_unknown_s": self._unknown.signal(),
            "reversing": UNKNOWN if reversing is None else Signal(float(reversing)),
        }


def _speed(speed_kmh: float | None) -> float | None:
    """A speed, or unknown where none can be."""
    return speed_kmh if speed_kmh is not None and math.isfinite(speed_kmh) and speed_kmh >= 0 else None
