"""What is known beside the camera's pictures: the vehicle, and whether the driver has acknowledged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class Turn(str, Enum):
    """Position of the turn signal."""

    OFF = "off"
    LEFT = "left"
    RIGHT = "right"
    HAZARD = "hazard"


@dataclass(frozen=True, slots=True)
class Vehicle:
    """What the vehicle tells of itself now. None is unknown: never standstill, never forward gear.

    Each value is fresh and plausible, or None. `gear` is negative for reverse, 0 for neutral. `steering_deg`
    is the angle of the wheel, + to the driver's left. `driver_side` is the side of the wheel, `left` or
    `right`. `speed_age_s` is how old the speed is. `faults` maps a source (`can`, `mqtt`, `gnss`) or a
    quantity to what is wrong with it.
    """

    speed_kmh: float | None = None
    speed_source: str | None = None
    speed_age_s: float | None = None
    reversing: bool | None = None
    gear: int | None = None
    turn: Turn | None = None
    steering_deg: float | None = None
    driver_side: str | None = None
    faults: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The driver, or somebody for him, has taken note: of one alert, or of all (`alert_id` None).

    `by` is how: `mqtt`, `gpio` or `key`.
    """

    by: str
    alert_id: str | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """All that is known beside the picture at the moment of one observation.

    `acknowledgements` are those that came since the observation before. `configured` tells whether any
    source of the vehicle's speed is set up: without one its absence is no fault.
    """

    vehicle: Vehicle = field(default_factory=Vehicle)
    acknowledgements: tuple[Acknowledgement, ...] = ()
    configured: bool = False


NOTHING_KNOWN = Context()
