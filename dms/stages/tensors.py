"""From frames to engine inputs: which square of the frame an engine sees, and how it is cut out.

Training cuts its samples with the same functions, so what an engine learned is what it gets.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, hypot, sin, sqrt

import cv2
import numpy as np
from numpy.typing import NDArray

from dms import landmarks as lm
from dms.records import Box, Luma, Points

Matrix = NDArray[np.float64]

EYES_MARGIN = 1.5
"""Side of the eyes crop over the larger side of the landmarks' box: brows to chin plus room to move."""
DISTRACTION_FACES = 2.5
"""Side of the driver region in face widths: reaches the ears, the hands at the face and the upper wheel."""
_FATIGUE_POINTS = [*lm.OUTER_EYE_CORNERS, lm.INDEX["mouth_right"], lm.INDEX["mouth_left"]]
"""What the crop of the `fatigue` engine is placed by."""


@dataclass(frozen=True, slots=True)
class Crop:
    """A square of the frame: centre and side in pixels, turned clockwise by `angle_rad`."""

    center_x: float
    center_y: float
    side: float
    angle_rad: float = 0.0

    def to_frame(self, size: int) -> Matrix:
        """The 2x3 matrix that takes pixels of a `size` x `size` crop to pixels of the frame."""
        scale = self.side / size
        c, s = scale * cos(self.angle_rad), scale * sin(self.angle_rad)
        half = (size - 1) / 2
        return np.array(
            [
                [c, -s, self.center_x - c * half + s * half],
                [s, c, self.center_y - s * half - c * half],
            ]
        )


def landmark_box(points: Points) -> Box:
    """The tight box round landmarks of shape (n, 2)."""
    x, y = points.T.tolist()
    return Box(min(x), min(y), max(x), max(y))


def eyes_crop(face: Box) -> Crop:
    """The upright crop of the `eyes` engine round a face box or the landmarks' box of the frame before."""
    x, y = face.center
    return Crop(x, y, EYES_MARGIN * max(face.width, face.height))


def fatigue_crop(points: Points) -> Crop:
    """The roll-aligned crop of the `fatigue` engine, from landmarks of shape (60, 2).

    The crop's horizontal is the mean of the eye line and the normal of the eyes-to-mouth line, so that it
    stays defined when the head is turned and the eye line is short.
    """
    right, left, mouth_right, mouth_left = points[_FATIGUE_POINTS]
    eyes, mouth = (right + left) / 2, (mouth_right + mouth_left) / 2
    eye_line, down = left - right, mouth - eyes
    across = eye_line + np.array([down[1], -down[0]])
    x, y = ((eyes + mouth) / 2).tolist()
    side = max(hypot(*eye_line) + hypot(*down), 1.0)
    return Crop(x, y, side, float(np.arctan2(across[1], across[0])))


def distraction_crop(face: Box) -> Crop:
    """The driver region of the `distraction` engine: below and beside the landmarks' box `face`."""
    x, y = face.center
    width = max(face.width, 0.85 * face.height)
    return Crop(x, y + 0.4 * width, DISTRACTION_FACES * width)


def cut(image: Luma, crop: Crop, out: Luma) -> None:
    """Fill `out`, shape (size, size), with the crop; pixels beyond the frame are 0.

    Raises nothing for crops outside the frame: they come out black.
    """
    size = out.shape[0]
    cv2.warpAffine(
        image,
        crop.to_frame(size),
        (size, size),
        dst=out,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=0,
    )


@dataclass(frozen=True, slots=True)
class Letterbox:
    """How a whole frame is fitted into an input: frame pixel = (input pixel - pad) / scale.

    `width` and `height` are those of the fitted frame in the input; the rest of the input is 0.
    """

    scale: float
    pad_x: int
    pad_y: int
    width: int
    height: int

    @property
    def shrinks(self) -> bool:
        """Whether areas of the frame are averaged; between a scale of 1 and this, four pixels are blended."""
        return self.scale < 1 / sqrt(2)


def fitted(frame: tuple[int, ...], height: int, width: int) -> Letterbox:
    """How a frame of shape (height, width) is fitted into an input, keeping its aspect."""
    scale = min(width / frame[1], height / frame[0])
    w, h = max(1, round(frame[1] * scale)), max(1, round(frame[0] * scale))
    return Letterbox(scale, (width - w) // 2, (height - h) // 2, w, h)


def letterbox(image: Luma, out: Luma) -> Letterbox:
    """Fit the whole frame into `out`, shape (height, width), keeping its aspect; the rest is 0."""
    fit = fitted(image.shape, *out.shape)
    x, y, right, below = fit.pad_x, fit.pad_y, fit.pad_x + fit.width, fit.pad_y + fit.height
    out[:y], out[below:], out[:, :x], out[:, right:] = 0, 0, 0, 0
    interpolation = cv2.INTER_AREA if fit.shrinks else cv2.INTER_LINEAR
    out[y:below, x:right] = cv2.resize(image, (fit.width, fit.height), interpolation=interpolation)
    return fit
