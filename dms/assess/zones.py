"""Which part of the cabin a gaze is on, if it can be told.

Records give directions as seen in the image; a cabin is described as its driver sees it. The one conversion
between the two stands here: relative to the learned forward direction, yaw with its sign turned.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from dms.assess.forward import Neutral
from dms.config.cabin import Cabin, Zone
from dms.records import Direction

LIKELY = 0.5
"""A zone is named when the gaze is more likely in it than anywhere else [E]."""


@dataclass(frozen=True, slots=True)
class View:
    """A direction as the driver sees it: degrees from the road ahead, yaw + to his right, pitch + up."""

    yaw_deg: float
    pitch_deg: float
    sigma_deg: float


def as_the_driver_sees(direction: Direction, ahead: Neutral | Direction) -> View:
    """A direction seen in the image, from the driver's eyes, measured from where the road is `ahead`.

    Image and driver face each other: the image's right is his left.
    """
    return View(ahead.yaw_deg - direction.yaw_deg, direction.pitch_deg - ahead.pitch_deg, direction.sigma_deg)


class Zones:
    """The zones of a cabin, for a wheel on the left, on the right, or on a side not yet known."""

    def __init__(self, cabin: Cabin | None) -> None:
        """Take the cabin; without one no zone is ever named."""
        self._by_side = {side: cabin.seen_from(side) if cabin else {} for side in ("left", "right")}

    def name(self, view: View, wheel_side: str | None) -> str | None:
        """The zone looked at; None where the error of the gaze, or the unknown wheel side, leaves it open."""
        if wheel_side is not None:
            return _likely(self._by_side[wheel_side], view)
        one, other = (_likely(zones, view) for zones in self._by_side.values())
        return one if one == other else None

    def of_side(self, wheel_side: str, zone: str) -> Zone | None:
        """One zone for a wheel on the `left` or `right`; None where the cabin has none of that name."""
        return self._by_side[wheel_side].get(zone)


def likelihood(zone: Zone, view: View) -> float:
    """Probability that a gaze with a normal error lies in the zone."""
    return _within(zone.yaw_deg, view.yaw_deg, view.sigma_deg) * _within(
        zone.pitch_deg, view.pitch_deg, view.sigma_deg
    )


def _likely(zones: dict[str, Zone], view: View) -> str | None:
    # zones do not overlap, and only one that holds the direction can have more than half of its probability
    for name, zone in zones.items():
        if zone.holds(view.yaw_deg, view.pitch_deg):
            return name if likelihood(zone, view) >= LIKELY else None
    return None


def _within(span_deg: tuple[float, float], at_deg: float, sigma_deg: float) -> float:
    if sigma_deg <= 0.0:
        return float(span_deg[0] <= at_deg <= span_deg[1])
    scale = 1.0 / (sigma_deg * math.sqrt(2.0))
    return (math.erf((span_deg[1] - at_deg) * scale) - math.erf((span_deg[0] - at_deg) * scale)) / 2


SURE = 0.9
"""The wheel side is decided when it is this likely: eight glances at the inner mirror that all agree [E]."""


class WheelSide:
    """On which side the steering wheel is: told, or learned from where the driver finds the inner mirror.

    Up and to one side lies nothing else that is glanced at shortly and often; the mirrors on the doors and
    the displays lie too alike on both sides. A cabin without an inner mirror must be told.
    """

    def __init__(self, zones: Zones, configured: str | None = None) -> None:
        """Start with `left` or `right` where it is configured."""
        self._zones = zones
        self._configured = configured
        self._told = configured
        self._glances = {"left": 0, "right": 0}

    @property
    def side(self) -> str | None:
        """`left`, `right`, or None while it is not known."""
        if self._told is not None:
            return self._told
        side = max(self._glances, key=self._glances.__getitem__)
        return side if self._likely(side) >= SURE else None

    @property
    def confidence(self) -> float:
        """How sure it is, 0 (nothing known) to 1 (told)."""
        if self._told is not None:
            return 1.0
        return 2.0 * max(self._likely("left"), self._likely("right")) - 1.0

    def tell(self, side: str | None) -> None:
        """Take what the vehicle says, if anything: its last word holds, unless a side is configured."""
        self._told = self._configured or side or self._told

    def note(self, view: View) -> None:
        """Take where one short glance went."""
        for side in self._glances:
            mirror = self._zones.of_side(side, "inner_mirror")
            if mirror is not None and likelihood(mirror, view) >= LIKELY:
                self._glances[side] += 1

    def _likely(self, side: str) -> float:
        # rule of succession: no number of glances makes it certain, one makes it 2 to 1
        return (self._glances[side] + 1) / (sum(self._glances.values()) + 2)
