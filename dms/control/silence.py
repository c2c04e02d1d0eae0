"""Sensors that tell nothing: which of them hold the level, and what a person must know of. Pure.

What was told once and is no more holds the level: a lost sensor is never taken for calm. What was never told
cannot, or a board without that sensor would stay for good at a level that one busy minute raised.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from dms.control.pace import Lasting

TEMPERATURE = "temperature_unknown"
THROTTLING = "throttling_unknown"
OVER_CURRENT = "over_current_unknown"
POWER = "power_unknown"
ZONES = "look at /sys/class/thermal, and whether the service may read it"
LOST = {
    TEMPERATURE: f"the temperature can no longer be read; the level does not fall; {ZONES}",
    THROTTLING: f"whether clocks are held down can no longer be read; the level does not fall; {ZONES}",
    OVER_CURRENT: "over-currents can no longer be read; the level does not fall; look at /sys/class/hwmon",
    POWER: "the power of the board can no longer be read; the level does not fall; look at /sys/class/hwmon",
}
NEVER_TOLD = {
    TEMPERATURE: f"the temperature was never read; the level goes by the rest, above all the load; {ZONES}",
    POWER: "the power of the board was never read, so control.power_limit_w does nothing; take it out, or "
    "see in docs/sensors.md where it is read",
}
"""The others are sensors that many boards do not have."""


class Silence:
    """How long each sensor has told nothing; after `patience_s` a person hears of it."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._silent = {code: Lasting() for code in LOST}
        self._silent_s = dict.fromkeys(LOST, -math.inf)
        self._known: set[str] = set()

    @property
    def holds(self) -> bool:
        """Whether something that was told once is not told now."""
        return any(self._silent_s[code] >= 0 for code in self._known)

    @property
    def lost(self) -> str | None:
        """The code of the first sensor that has been lost for too long."""
        return next((code for code in self._too_long() if code in self._known), None)

    def update(self, now_s: float, told: Mapping[str, bool]) -> None:
        """Take which sensors tell something now; one that need not tell anything is not among them."""
        self._known.update(code for code, tells in told.items() if tells)
        for code, silent in self._silent.items():
            self._silent_s[code] = silent.update(now_s, not told.get(code, True))

    def troubles(self) -> dict[str, str]:
        """What a person must know of: by a stable code, a sentence with the cure."""
        told = {code: (LOST if code in self._known else NEVER_TOLD).get(code) for code in self._too_long()}
        return {code: sentence for code, sentence in told.items() if sentence is not None}

    def _too_long(self) -> list[str]:
        return [code for code, silent_s in self._silent_s.items() if silent_s >= self._patience_s]
