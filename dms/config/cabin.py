"""The cabin around the driver: where mirrors, displays and windows are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Literal

from pydantic import Field, field_validator, model_validator

from dms.config.assess import RoadConfig
from dms.config.nearest import nearest
from dms.config.section import Section

ROAD = "road"
"""The zone straight ahead: no box of the cabin, but the road ellipse around the learned forward direction."""
MIRRORS = frozenset({"driver_mirror", "passenger_mirror", "inner_mirror"})
GAUGES = frozenset({"cluster"})
WINDOWS = frozenset({"driver_window", "passenger_window"})
ZONES = (
    *sorted(MIRRORS),
    *sorted(GAUGES),
    *sorted(WINDOWS),
    "centre_display",
    "glovebox",
    "lap",
    "passenger",
    "passenger_footwell",
)
"""The zones a cabin may have; `driver_` is the side of the wheel. Names as in Euro NCAP's gaze targets."""
BELOW = GAUGES | {"lap"}
"""Zones straight below the road: pitch below 0."""
GAUGE_YAW_DEG = 25.0
"""Gauges lie within this to each side: the free second on them must not excuse a look aside [E]."""
ROAD_DEG = (RoadConfig().gaze_yaw_deg, RoadConfig().gaze_pitch_deg)
"""Half width and height of the road's ellipse for the gaze, as shipped (`assess.road`)."""


class CabinConfig(Section):
    """Where in the cabin the driver's gaze zones lie."""

    geometry: str = "saloon"
    """A shipped cabin's name (`saloon`, `van`, `truck`), or the path of a cabin file of your own."""
    driver_side: Literal["left", "right", "auto"] = "auto"
    """Side of the steering wheel; `auto` = as the vehicle tells, else learned from the driver's glances."""


class Zone(Section):
    """A box of directions, degrees from the forward direction as the driver sees them."""

    yaw_deg: tuple[float, float] = Field(strict=False)
    """From and to; + is to the driver's right."""
    pitch_deg: tuple[float, float] = Field(strict=False)
    """From and to; + is up."""
    source: str = Field(min_length=1)
    """Where the figures come from."""

    @model_validator(mode="after")
    def _check(self) -> Zone:
        for name, span, limit_deg in (("yaw_deg", self.yaw_deg, 180.0), ("pitch_deg", self.pitch_deg, 90.0)):
            if not -limit_deg <= span[0] < span[1] <= limit_deg:
                raise ValueError(
                    f"{name} {list(span)} must be [from, to], rising, "
                    f"from {-limit_deg:g} to {limit_deg:g} at most"
                )
        if meets_road(self.yaw_deg, self.pitch_deg):
            yaw_deg, pitch_deg = ROAD_DEG
            raise ValueError(
                f"it lies over the road, an ellipse of {yaw_deg:g} degrees to each side and {pitch_deg:g} up "
                "and down of straight ahead: keep the box out of it"
            )
        return self

    def holds(self, yaw_deg: float, pitch_deg: float) -> bool:
        """Whether a direction lies in the box."""
        return (
            self.yaw_deg[0] <= yaw_deg <= self.yaw_deg[1]
            and self.pitch_deg[0] <= pitch_deg <= self.pitch_deg[1]
        )

    def mirrored(self) -> Zone:
        """The same box for a driver on the other side."""
        left_deg, right_deg = self.yaw_deg
        return Zone(yaw_deg=(-right_deg, -left_deg), pitch_deg=self.pitch_deg, source=self.source)

    def overlaps(self, other: Zone) -> bool:
        """Whether two boxes share more than an edge."""
        return boxes_overlap((self.yaw_deg, self.pitch_deg), (other.yaw_deg, other.pitch_deg))


class Cabin(Section):
    """A cabin file: the zones around a driver whose wheel is on the `wheel_side`; the other is its mirror."""

    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")
    """Name of the cabin."""
    description: str = ""
    """For people."""
    wheel_side: Literal["left", "right"] = "left"
    """Side of the wheel for which the angles are given."""
    zones: dict[str, Zone]
    """The zones by name; what lies in none of them is off the road and nothing else is known of it."""

    @field_validator("zones")
    @classmethod
    def _zones_exist(cls, zones: dict[str, Zone]) -> dict[str, Zone]:
        for name in zones:
            if name not in ZONES:
                raise ValueError(f"no zone is called {name!r}; {_nearest(name)}")
        return zones

    @model_validator(mode="after")
    def _what_lies_below_lies_there(self) -> Cabin:
        for name in sorted(BELOW & self.zones.keys()):
            if self.zones[name].pitch_deg[1] >= 0:
                raise ValueError(f"zone {name} must lie below the road: pitch_deg below 0 at both ends")
        for name in sorted(GAUGES & self.zones.keys()):
            if max(map(abs, self.zones[name].yaw_deg)) > GAUGE_YAW_DEG:
                raise ValueError(
                    f"zone {name} must lie within {GAUGE_YAW_DEG:g} degrees to each side: the first second "
                    "on it is free, which is for the gauges behind the wheel alone"
                )
        return self

    @model_validator(mode="after")
    def _zones_are_apart(self) -> Cabin:
        for (name, zone), (other_name, other) in combinations(self.zones.items(), 2):
            if zone.overlaps(other):
                raise ValueError(
                    f"zones {name} and {other_name} overlap: a direction must lie in one; "
                    f"{name} has yaw {list(zone.yaw_deg)} pitch {list(zone.pitch_deg)}, "
                    f"{other_name} yaw {list(other.yaw_deg)} pitch {list(other.pitch_deg)}"
                )
        return self

    def seen_from(self, side: str) -> dict[str, Zone]:
        """The zones for a wheel on the `left` or `right`."""
        if side == self.wheel_side:
            return self.zones
        return {name: zone.mirrored() for name, zone in self.zones.items()}


def boxes_overlap(one: Sequence[Sequence[float]], other: Sequence[Sequence[float]]) -> bool:
    """Whether two boxes, each a span [from, to] of yaw and one of pitch, share more than an edge."""
    return all(mine[0] < theirs[1] and theirs[0] < mine[1] for mine, theirs in zip(one, other, strict=True))


def meets_road(yaw_deg: Sequence[float], pitch_deg: Sequence[float]) -> bool:
    """Whether a box, spans [from, to] of yaw and pitch, reaches into the road's ellipse."""
    yaw, pitch = (
        min(max(0.0, low), high) for low, high in (yaw_deg, pitch_deg)
    )  # of the box, nearest to ahead
    return math.hypot(yaw / ROAD_DEG[0], pitch / ROAD_DEG[1]) < 1.0


def _nearest(name: str) -> str:
    if name == ROAD:
        return "the road is learned while driving (assess.road), not given in a cabin file"
    return nearest(name, ZONES)
