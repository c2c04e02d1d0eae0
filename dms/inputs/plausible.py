"""What may be believed of the vehicle: ranges, ages, plausibility and agreement. Reads no clock."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

from dms.config.inputs import InputsConfig
from dms.inputs.reading import Quantity, Reading, Refusal
from dms.records import NOTHING_KNOWN, Turn, Vehicle

KMH_PER_MPS = 3.6
SPEED_STEP_KMH = 2.0
"""A speed may change this much in no time: OBD-II tells whole km/h, and messages come in bursts."""
SPEED_WINDOW_S = 1.0
"""It may do so once in this time, or a speed in small steps could fall as fast as messages come [E]."""
REVERSE_LIMIT_KMH = 20.0
"""Nobody backs up faster [E]; from here on the shipped profiles warn of looks away."""
TURN_HELD_S = 1.0
"""A turn signal told as its lamp flashes, 60 to 120 times a minute (UN R48), is on in the dark half too."""
REFUSALS_TOLD_S = 10.0
"""A refused message is told of for this long."""

RANGES: Mapping[Quantity, tuple[float, float]] = MappingProxyType(
    {
        Quantity.SPEED: (0.0, math.inf),
        Quantity.GEAR: (-10.0, 30.0),
        Quantity.REVERSE: (0.0, 1.0),
        Quantity.TURN_LEFT: (0.0, 1.0),
        Quantity.TURN_RIGHT: (0.0, 1.0),
        Quantity.HAZARD: (0.0, 1.0),
        Quantity.STEERING: (-2000.0, 2000.0),
        Quantity.DRIVER_SIDE: (-1.0, 1.0),
    }
)
"""Lowest and highest value; the highest speed is configured."""

_TURNS = (Quantity.TURN_LEFT, Quantity.TURN_RIGHT, Quantity.HAZARD)


class Believed:
    """A fold over readings; asked at any moment for what they make of the vehicle.

    Each source's readings are judged by themselves. Of several sources the first of `speed_from` that is
    fresh is taken, for other quantities in the same order.

    Args:
        config: the limits.
        now_s: present moment on the clock of the readings.
    """

    def __init__(self, config: InputsConfig, now_s: float) -> None:
        self._config = config
        self._order = list(dict.fromkeys([*config.speed_from, "can", "mqtt", "gnss"]))
        self._heard_s = dict.fromkeys(config.sources, now_s)
        self._newest: dict[tuple[str, Quantity], Reading] = {}
        self._anchor: dict[str, Reading] = {}
        self._refused: dict[str, Counter[str]] = {}
        self._last_refusal: dict[str, Refusal] = {}
        self._doubted = False
        self._turning_since_s: float | None = None

    def take(self, told: Reading | Refusal) -> None:
        """Keep a reading, or refuse and count it."""
        if isinstance(told, Reading):
            refusal = self._judged(told)
            if refusal is None:
                self._keep(told)
                return
            told = refusal
        self._refused.setdefault(told.source, Counter())[told.reason] += 1
        self._last_refusal[told.source] = told

    def vehicle(self, now_s: float, faults: Mapping[str, str]) -> Vehicle:
        """What is believed at this moment; `faults` are those the sources tell of themselves."""
        if not (self._heard_s or self._last_refusal or faults):  # most installations: nobody tells anything
            return NOTHING_KNOWN.vehicle
        told = self._faults(now_s, faults)
        speeds = self._speeds(now_s)
        self._compare(speeds, now_s)
        if self._doubted:
            told["speed"] = self._doubt(speeds)
        speed = speeds[0] if speeds and not self._doubted else None
        gear = self._first(Quantity.GEAR, now_s)
        steering = self._first(Quantity.STEERING, now_s)
        reversing = self._reversing(now_s)
        if reversing and any(each.value > REVERSE_LIMIT_KMH for each in speeds):
            told["reverse"] = f"reverse is told at more than {REVERSE_LIMIT_KMH:g} km/h and not believed"
            reversing = None
        return Vehicle(
            speed_kmh=speed.value if speed else None,
            speed_source=speed.source if speed else None,
            speed_age_s=max(0.0, now_s - speed.at_s) if speed else None,
            reversing=reversing,
            gear=int(gear.value) if gear else None,
            turn=self._turn(now_s),
            steering_deg=steering.value if steering else None,
            driver_side=self._driver_side(),
            faults=told,
        )

    def _judged(self, reading: Reading) -> Refusal | None:
        """Why a reading cannot be true; None where it can."""
        low, high = RANGES[reading.quantity]
        if reading.quantity is Quantity.SPEED:
            high = self._config.speed_limit_kmh
        if not low <= reading.value <= high:  # nor is NaN
            detail = f"{reading.quantity.value} {reading.value:g} is not within {low:g} to {high:g}"
            return Refusal(reading.source, "absurd", detail, reading.at_s)
        before = self._newest.get((reading.source, reading.quantity))
        if before is None:
            return None
        elapsed_s = reading.at_s - before.at_s
        if elapsed_s < 0:
            detail = f"{reading.quantity.value} is {-elapsed_s:.1f} s older than what was heard before"
            return Refusal(reading.source, "replayed", detail, reading.at_s)
        if reading.quantity is Quantity.SPEED and elapsed_s <= self._config.stale_after_s:
            return self._jump(before, reading) or self._jump(self._anchor[reading.source], reading)
        return None

    def _jump(self, before: Reading, reading: Reading) -> Refusal | None:
        elapsed_s = reading.at_s - before.at_s
        limit_kmh = KMH_PER_MPS * self._config.acceleration_limit_mps2 * elapsed_s + SPEED_STEP_KMH
        if abs(reading.value - before.value) <= limit_kmh:
            return None
        detail = f"speed from {before.value:g} to {reading.value:g} km/h within {elapsed_s:.2f} s"
        return Refusal(reading.source, "implausible", detail, reading.at_s)

    def _keep(self, reading: Reading) -> None:
        key = reading.source, reading.quantity
        self._heard_s[reading.source] = reading.at_s
        if reading.quantity is Quantity.SPEED:
            anchor = self._anchor.setdefault(reading.source, reading)
            if reading.at_s - anchor.at_s >= SPEED_WINDOW_S:
                self._anchor[reading.source] = reading
        before = self._newest.get(key)
        flashing = reading.quantity in _TURNS and not reading.value and before is not None and before.value
        if not (flashing and before and reading.at_s - before.at_s < TURN_HELD_S):
            self._newest[key] = reading

    def _fresh(self, quantity: Quantity, now_s: float) -> list[Reading]:
        """What is not too old, the best source first."""
        oldest_s = now_s - self._config.stale_after_s
        found = (self._newest.get((source, quantity)) for source in self._order)
        return [reading for reading in found if reading is not None and reading.at_s >= oldest_s]

    def _first(self, quantity: Quantity, now_s: float) -> Reading | None:
        return next(iter(self._fresh(quantity, now_s)), None)

    def _speeds(self, now_s: float) -> list[Reading]:
        fresh = self._fresh(Quantity.SPEED, now_s)
        return [reading for reading in fresh if reading.source in self._config.speed_from]

    def _compare(self, speeds: list[Reading], now_s: float) -> None:
        """Doubt sources that disagree for long, and trust them again once they have agreed for as long."""
        if len(speeds) < 2:
            self._turning_since_s = None
            return
        apart_kmh = max(each.value for each in speeds) - min(each.value for each in speeds)
        disagree = apart_kmh > self._config.disagree_kmh
        if disagree == self._doubted:
            self._turning_since_s = None
        elif self._turning_since_s is None:
            self._turning_since_s = now_s
        elif now_s - self._turning_since_s >= self._config.disagree_after_s:
            self._doubted, self._turning_since_s = disagree, None

    def _doubt(self, speeds: list[Reading]) -> str:
        heard = ", ".join(f"{each.source} {each.value:.0f} km/h" for each in speeds) or "nothing is heard"
        return (
            f"sources were more than {self._config.disagree_kmh:g} km/h apart; no speed is believed until "
            f"two have agreed for {self._config.disagree_after_s:g} s (now: {heard})"
        )

    def _reversing(self, now_s: float) -> bool | None:
        """Whether all that is heard says so; sources that contradict each other leave it unknown."""
        votes = {reading.value > 0 for reading in self._fresh(Quantity.REVERSE, now_s)}
        votes |= {reading.value < 0 for reading in self._fresh(Quantity.GEAR, now_s)}
        return votes.pop() if len(votes) == 1 else None

    def _turn(self, now_s: float) -> Turn | None:
        left, right, hazard = (self._lit(quantity, now_s) for quantity in _TURNS)
        if hazard or (left and right):
            return Turn.HAZARD
        if left or right:
            return Turn.LEFT if left else Turn.RIGHT
        return None if left is None or right is None else Turn.OFF

    def _lit(self, quantity: Quantity, now_s: float) -> bool | None:
        reading = self._first(quantity, now_s)
        return None if reading is None else reading.value > 0

    def _driver_side(self) -> str | None:
        """A property of the vehicle: it does not age."""
        for source in self._order:
            if reading := self._newest.get((source, Quantity.DRIVER_SIDE)):
                return "left" if reading.value > 0 else "right"
        return None

    def _faults(self, now_s: float, faults: Mapping[str, str]) -> dict[str, str]:
        told = dict(faults)
        for source, heard_s in self._heard_s.items():
            if source not in told and now_s - heard_s > self._config.missing_after_s:
                told[source] = f"nothing was heard for more than {self._config.missing_after_s:g} s"
        for source, last in self._last_refusal.items():
            if now_s - last.at_s <= REFUSALS_TOLD_S:
                told[source] = "; ".join([*filter(None, [told.get(source)]), self._refusals(last)])
        return told

    def _refusals(self, last: Refusal) -> str:
        counts = ", ".join(
            f"{count} {reason}" for reason, count in sorted(self._refused[last.source].items())
        )
        return f"messages refused since the start: {counts}; last: {last.detail}"
