"""Which numbers of an observation can be at all. Comparisons with NaN come out False, so NaN never can."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from dms.records import Box, Direction, Distraction, Eye, Eyes, Fatigue, ImageQuality, Observation

_OVERSHOOT = 0.05
"""A share a little beyond 0 or 1 is an engine's rounding; further out it is none."""
_FARTHEST_PX = 1e5
"""No camera has so many pixels a side: a box beyond is none."""


def garbled(observation: Observation) -> Iterator[str]:
    """The stages that gave a number that cannot be."""
    quality, face, eyes = observation.quality, observation.face, observation.eyes
    if quality is not None and not _is_quality(quality):
        yield "quality"
    if face is not None and not (is_box(face.box) and (face.rival is None or 0 <= face.rival < math.inf)):
        yield "face"
    if eyes is not None and not _are_eyes(eyes):
        yield "eyes"
    if observation.fatigue is not None and not _is_fatigue(observation.fatigue):
        yield "fatigue"
    if observation.distraction is not None and not _is_distraction(observation.distraction):
        yield "distraction"


def is_share(value: float) -> bool:
    """Whether this can be a probability, an openness or the like."""
    return -_OVERSHOOT <= value <= 1.0 + _OVERSHOOT


def is_box(box: Box) -> bool:
    """Whether this can be a box in a picture: the right way round, of a size, not miles away."""
    far = _FARTHEST_PX
    return -far < box.x1 < box.x2 < far and -far < box.y1 < box.y2 < far


def is_direction(direction: Direction) -> bool:
    """Whether this can be a direction with its error."""
    return (
        abs(direction.yaw_deg) <= 180.0
        and abs(direction.pitch_deg) <= 90.0
        and 0.0 <= direction.sigma_deg < math.inf
    )


def is_eye(eye: Eye) -> bool:
    """Whether this can be an eye: shares, and an error that is not below 0."""
    return is_share(eye.openness) and is_share(eye.visibility) and 0.0 <= eye.openness_sigma < math.inf


def are_points(eyes: Eyes) -> bool:
    """Whether the landmarks are places: an eye seen with landmarks that are none was not seen."""
    return bool(np.count_nonzero(np.isfinite(eyes.landmarks)) == eyes.landmarks.size)


def _are_eyes(eyes: Eyes) -> bool:
    return (
        are_points(eyes)
        and is_eye(eyes.right)
        and is_eye(eyes.left)
        and is_direction(eyes.gaze)
        and is_direction(eyes.head)
        and (eyes.glasses is None or is_share(eyes.glasses))
    )


def _is_fatigue(said: Fatigue) -> bool:
    return (
        is_share(said.closed_right)
        and is_share(said.closed_left)
        and is_share(said.yawn)
        and is_share(said.mouth_covered)
        and is_share(said.squint)
    )


def _is_distraction(said: Distraction) -> bool:
    return (
        is_share(said.phone_at_ear)
        and is_share(said.phone_in_hand)
        and is_share(said.eating_drinking)
        and is_share(said.smoking)
        and is_share(said.hand_on_face)
        and is_share(said.none)
    )


def _is_quality(quality: ImageQuality) -> bool:
    return (
        _within(quality.contrast, 0.0, 255.0)
        and _within(quality.brightness, 0.0, 255.0)
        and _within(quality.saturated, 0.0, 1.0)
        and _within(quality.sharpness, 0.0, math.inf)
        and _within(quality.change, 0.0, 255.0)
        and _within(quality.view, -1.001, 1.001)
    )


def _within(value: float | None, low: float, high: float) -> bool:
    return value is None or low <= value <= high
