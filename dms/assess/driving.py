"""Whether the vehicle drives, and how fast that is known."""

from __future__ import annotations

from dms.assess.temporal import Tick
from dms.records import Context, Signal


class Driving:
    """Folds what the vehicle tells into the signals of driving."""

    def __init__(self) -> None:
        """Start knowing nothing."""
        self._speed_kmh: float | None = None
        self._reversing: bool | None = None
        self._unknown_since_s: float | None = None
        self._unknown_s = 0.0

    @property
    def moving(self) -> bool | None:
        """Whether the vehicle moves forward; None where that is not known."""
        if self._speed_kmh is None:
            return None
        return self._speed_kmh > 0.0 and not self._reversing

    def update(self, tick: Tick, context: Context) -> None:
        """Take what is known of the vehicle now."""
        self._speed_kmh, self._reversing = context.vehicle.speed_kmh, context.vehicle.reversing
        lacking = context.configured and self._speed_kmh is None
        if not lacking:
            self._unknown_since_s = None
        elif self._unknown_since_s is None:
            self._unknown_since_s = tick.now_s
        self._unknown_s = 0.0 if self._unknown_since_s is None else tick.now_s - self._unknown_since_s

    def signals(self) -> dict[str, Signal]:
        """All signals of this question."""
        return {
            "speed_kmh": Signal(self._speed_kmh),
            "speed_unknown_s": Signal(self._unknown_s, self._unknown_since_s),
            "reversing": Signal(None if self._reversing is None else float(self._reversing)),
        }
