"""What an input tells: a value of one quantity at one moment, or that it refused one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Quantity(str, Enum):
    """What can be told of the vehicle, with its unit and sign."""

    SPEED = "speed"
    """km/h, never negative."""
    GEAR = "gear"
    """Negative for reverse, 0 for neutral and park."""
    REVERSE = "reverse"
    """1 while reverse is selected, else 0."""
    TURN_LEFT = "turn_left"
    """1 while the left turn signal is on, else 0."""
    TURN_RIGHT = "turn_right"
    """1 while the right turn signal is on, else 0."""
    HAZARD = "hazard"
    """1 while the hazard lights are on, else 0."""
    STEERING = "steering"
    """Degrees of the steering wheel, + to the driver's left."""
    DRIVER_SIDE = "driver_side"
    """Side of the steering wheel: +1 left, -1 right."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One value, well formed but not yet believed.

    `source` is the name of the input. `at_s` is when it was true, seconds on the monotonic clock.
    """

    source: str
    quantity: Quantity
    value: float
    at_s: float


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message that was not taken.

    `reason` is one word of few, such as `malformed`; `detail` says what was wrong, in printable characters:
    what a stranger sent ends up in logs.
    """

    source: str
    reason: str
    detail: str
    at_s: float
