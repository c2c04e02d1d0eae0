"""How face boxes, landmarks and the engines' crops fit together, for whole tables of faces."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dms import landmarks as lm
from dms.records import Box
from dms.stages.tensors import Crop, eyes_crop, fatigue_crop

Array = NDArray[Any]

LANDMARKS_IN_BOX = (-0.013, 0.234, 1.005, 1.0)
"""Where the landmarks' box lies in a detector's box (medians over 11,000 faces), in box sides."""
BOX_ROUND_LANDMARKS = (0.0125, -0.304, 0.995, 1.0)
"""The way back: the detector's box in units of the landmarks' box."""
DETECTOR_POINTS = lm.indices("right_iris", "left_iris", "nose_tip", "mouth_right", "mouth_left")
"""The landmarks that stand for the detector's five points."""


def relative_box(boxes: Array, relative: tuple[float, float, float, float]) -> Array:
    """Boxes (n, 4) given by fractions of other boxes' sides."""
    sides = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    corner = np.tile(boxes[:, :2], 2)
    return np.asarray(corner + np.asarray(relative) * sides, np.float32)


def landmark_boxes(points: Array) -> Array:
    """Tight boxes (n, 4) round landmarks (n, 60, 2)."""
    return np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1)


def crops(boxes: Array) -> Array:
    """Eyes crops (n, 4): centre x, centre y, side, angle, round boxes (n, 4)."""
    return crop_rows([eyes_crop(Box(*map(float, box))) for box in boxes])


def crop_rows(found: list[Crop]) -> Array:
    """Crops as an array (n, 4)."""
    rows = [(c.center_x, c.center_y, c.side, c.angle_rad) for c in found]
    return np.array(rows, np.float32).reshape(-1, 4)


def fatigue_crops(points: Array) -> Array:
    """Fatigue crops (n, 4) of landmarks (n, 60, 2)."""
    return crop_rows([fatigue_crop(p) for p in points])


def known_box(points: Array) -> Array:
    """Tight box (4,) round those of the landmarks (60, 2) that are known (not NaN)."""
    return np.concatenate([np.nanmin(points, axis=0), np.nanmax(points, axis=0)])


_USUAL_POINTS = ((0.27, 0.38), (0.73, 0.38), (0.50, 0.58), (0.31, 0.74), (0.69, 0.74))
"""Medians over the data pack, in box sides, made even."""


def points_in_boxes(boxes: Array) -> Array:
    """Where the detector's five points (n, 5, 2) usually lie in its boxes (n, 4)."""
    sides = (boxes[:, 2:] - boxes[:, :2])[:, None]
    return np.asarray(boxes[:, None, :2] + np.array(_USUAL_POINTS) * sides, np.float32)


def parts(points: Array) -> Array:
    """Centres of right eye, left eye and mouth (n, 3, 2), from landmarks (n, 60, 2)."""
    groups = (lm.RIGHT_EYE, lm.LEFT_EYE, lm.INNER_MOUTH)
    return np.stack([points[:, list(g)].mean(axis=1) for g in groups], axis=1).astype(np.float32)
