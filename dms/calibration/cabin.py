"""A cabin of one's own, from where a driver's gaze pointed while he looked at each zone in turn."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

from dms.assess.zones import as_the_driver_sees
from dms.config.cabin import (
    BELOW,
    GAUGE_YAW_DEG,
    GAUGES,
    ROAD,
    ROAD_DEG,
    ZONES,
    Cabin,
    Zone,
    boxes_overlap,
    meets_road,
)
from dms.errors import InputError
from dms.records import Direction

LEAST_SAMPLES = 10
"""Fewer tell neither where a zone is nor how far the gaze spreads on it."""
APART = 3.0
"""Two zones are told apart where they lie this many standard deviations of the gaze apart [E]."""
LEAST_SPREAD_DEG = 2.0
"""No gaze is steadier than this for long: the eyes wander over what they look at [E]."""
HALF_DEG = (14.0, 11.0)
"""Half width and height of a zone with nothing near it [E]: about twice the error of an in-car gaze."""
MAD_TO_SIGMA = 1.4826
"""A normal distribution's standard deviation over its median absolute deviation."""
RIGHTWARD = {zone: not zone.startswith("driver_") for zone in ZONES if zone not in BELOW}
"""Whether a zone lies to the driver's right with the wheel on the left; those straight below do neither."""

Sample = tuple[float, float]
"""Yaw and pitch of a gaze as seen in the image, degrees."""
Box = tuple[list[float], list[float]]
"""From and to, in yaw and in pitch."""


@dataclass(frozen=True, slots=True)
class Look:
    """Where the gaze pointed while the driver looked at one zone: medians and one-sigma spreads, degrees."""

    yaw_deg: float
    pitch_deg: float
    yaw_spread_deg: float
    pitch_spread_deg: float
    samples: int

    @property
    def direction(self) -> Direction:
        """The middle of the look, as seen in the image."""
        return Direction(self.yaw_deg, self.pitch_deg, max(self.yaw_spread_deg, self.pitch_spread_deg))

    def apart_from(self, other: Look) -> float:
        """How far away another look is, in standard deviations of the gaze."""
        return math.hypot(
            (self.yaw_deg - other.yaw_deg) / math.hypot(self.yaw_spread_deg, other.yaw_spread_deg),
            (self.pitch_deg - other.pitch_deg) / math.hypot(self.pitch_spread_deg, other.pitch_spread_deg),
        )


def measured(zone: str, samples: Sequence[Sample]) -> Look:
    """Where one zone is seen; medians, so that blinks and a late look do not count.

    Raises:
        InputError: there are too few samples.
    """
    if len(samples) < LEAST_SAMPLES:
        raise InputError(
            f"zone {zone}: the gaze was read on {len(samples)} frames only, {LEAST_SAMPLES} are needed: look "
            "at it longer, with the eyes towards the camera's side, or leave it out"
        )
    yaw_deg, yaw_spread_deg = _middle([yaw for yaw, _ in samples])
    pitch_deg, pitch_spread_deg = _middle([pitch for _, pitch in samples])
    return Look(yaw_deg, pitch_deg, yaw_spread_deg, pitch_spread_deg, len(samples))


def cabin_of(name: str, wheel_side: str, looks: Mapping[str, Look]) -> Cabin:
    """The cabin whose zones lie where the driver looked; `road` among them is straight ahead.

    Raises:
        InputError: the road is missing, two zones are too close to tell apart, or one was seen where it
            cannot be; says which.
    """
    if ROAD not in looks:
        raise InputError("the road was not looked at: it is what all other directions are measured from")
    _require_apart(looks)
    ahead = looks[ROAD].direction
    views = {zone: as_the_driver_sees(look.direction, ahead) for zone, look in looks.items()}
    centres = {zone: (round(view.yaw_deg, 1), round(view.pitch_deg, 1)) for zone, view in views.items()}
    _require_sides(wheel_side, centres)
    _require_off_the_road(centres)
    boxes = _boxes(centres)
    zones = {
        zone: Zone(
            yaw_deg=(boxes[zone][0][0], boxes[zone][0][1]),
            pitch_deg=(boxes[zone][1][0], boxes[zone][1][1]),
            source=_source(centres[zone], look),
        )
        for zone, look in looks.items()
        if zone != ROAD
    }
    return Cabin(
        name=name,
        description="Calibrated in place: dms calibrate cabin",
        wheel_side="left" if wheel_side == "left" else "right",
        zones=zones,
    )


def _middle(values: Sequence[float]) -> tuple[float, float]:
    middle = median(values)
    spread = MAD_TO_SIGMA * median(abs(value - middle) for value in values)
    return middle, max(LEAST_SPREAD_DEG, spread)


def _require_apart(looks: Mapping[str, Look]) -> None:
    close = [
        f"{one} and {other} ({looks[one].apart_from(looks[other]):.1f} standard deviations)"
        for one, other in combinations(looks, 2)
        if looks[one].apart_from(looks[other]) < APART
    ]
    if close:
        raise InputError(
            f"too close to be told apart by the gaze: {'; '.join(close)}; at least {APART:g} are needed. "
            "Leave one of each two out, or look at them again with the head turned as in driving"
        )


def _require_sides(wheel_side: str, centres: Mapping[str, Sample]) -> None:
    wrong = [
        f"{zone} was seen {abs(yaw_deg):.0f} degrees to the driver's {'right' if yaw_deg > 0 else 'left'}"
        for zone, (yaw_deg, _) in centres.items()
        if abs(yaw_deg) > LEAST_SPREAD_DEG
        and zone in RIGHTWARD
        and (yaw_deg > 0) != (RIGHTWARD[zone] == (wheel_side == "left"))
    ]
    if wrong:
        raise InputError(
            f"{'; '.join(wrong)}, where it cannot be with the wheel on the {wheel_side}: `driver_` zones lie "
            "on that side, all others but cluster and lap on the other. Correct the name or --wheel-side"
        )


def _require_off_the_road(centres: Mapping[str, Sample]) -> None:
    wrong = [
        f"{zone} was seen {yaw_deg:+.0f} degrees aside and {pitch_deg:+.0f} up, {fault}"
        for zone, (yaw_deg, pitch_deg) in centres.items()
        if (fault := _misplaced(zone, yaw_deg, pitch_deg)) is not None
    ]
    if wrong:
        raise InputError(f"{'; '.join(wrong)}. Correct the name, look at it again, or leave it out")


def _misplaced(zone: str, yaw_deg: float, pitch_deg: float) -> str | None:
    """Why a zone cannot be where it was seen, + to the driver's right and up; None where it can."""
    if zone in BELOW and pitch_deg > -ROAD_DEG[1]:
        return f"but lies below the road: {ROAD_DEG[1]:g} degrees down at least"
    if zone in GAUGES and abs(yaw_deg) > GAUGE_YAW_DEG:
        return f"but lies behind the wheel: within {GAUGE_YAW_DEG:g} degrees to each side"
    if zone != ROAD and meets_road((yaw_deg, yaw_deg), (pitch_deg, pitch_deg)):
        return "which is on the road: a look at it never counts as off the road"
    return None


def _boxes(centres: Mapping[str, Sample]) -> dict[str, Box]:
    """A box around each centre, cut midway to those it would overlap with, and out of the road's ellipse."""
    half_yaw_deg, half_pitch_deg = HALF_DEG
    boxes: dict[str, Box] = {
        zone: ([yaw - half_yaw_deg, yaw + half_yaw_deg], [pitch - half_pitch_deg, pitch + half_pitch_deg])
        for zone, (yaw, pitch) in centres.items()
    }
    for one, other in combinations(centres, 2):
        axis = _farther_axis(centres[one], centres[other])
        low, high = sorted((one, other), key=lambda zone: centres[zone][axis])
        middle = (centres[low][axis] + centres[high][axis]) / 2
        if boxes_overlap(boxes[low], boxes[high]):
            boxes[low][axis][1] = min(boxes[low][axis][1], middle)
            boxes[high][axis][0] = max(boxes[high][axis][0], middle)
    for zone in GAUGES & boxes.keys():
        low_deg, high_deg = boxes[zone][0]
        boxes[zone] = [max(-GAUGE_YAW_DEG, low_deg), min(GAUGE_YAW_DEG, high_deg)], boxes[zone][1]
    return {zone: _off_the_road(box, centres[zone]) for zone, box in boxes.items() if zone != ROAD}


def _off_the_road(box: Box, centre: Sample) -> Box:
    """The box, one end towards the road drawn in until it is off it, or both where that will not do."""
    farther = _farther_axis(centre, (0.0, 0.0))
    for axes in ((farther,), (0, 1)):
        for hundredths in range(101):
            yaw, pitch = (
                _drawn_in(box[axis], centre[axis], hundredths / 100 if axis in axes else 0.0)
                for axis in (0, 1)
            )
            if not meets_road(yaw, pitch):
                return yaw, pitch
    raise AssertionError(f"{centre} itself is on the road")


def _drawn_in(span: list[float], middle: float, share: float) -> list[float]:
    """A span whose end towards the road ahead lies this share of the way nearer to its middle."""
    low, high = span
    if middle > 0:
        low += share * (middle - low)
    else:
        high += share * (middle - high)
    return [round(low, 1), round(high, 1)]


def _farther_axis(one: Sample, other: Sample) -> int:
    """The axis on which two centres lie farther apart, against the size of a box."""
    yaw, pitch = (abs(one[axis] - other[axis]) / HALF_DEG[axis] for axis in (0, 1))
    return 0 if yaw >= pitch else 1


def _source(centre: Sample, look: Look) -> str:
    return (
        f"measured: {centre[0]:+.1f}, {centre[1]:+.1f}, spread {look.yaw_spread_deg:.1f} x "
        f"{look.pitch_spread_deg:.1f} deg over {look.samples} frames"
    )
