"""What surrounds the driver: the cabin, the light and the camera."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from dms.simulator.geometry import Floats
from dms.simulator.portrait import Image


@dataclass(frozen=True, slots=True)
class Optics:
    """How camera and light show the scene.

    Attributes:
        brightness: what the picture is multiplied by.
        nir: near-infrared look, 0 to 1: grey, flat, darker rim.
        noise: standard deviation of the sensor noise, grey levels.
        blocked: how far the lens is covered, 0 to 1.
    """

    brightness: float = 1.0
    nir: float = 0.0
    noise: float = 2.0
    blocked: float = 0.0


def cabin(width: int, height: int) -> Image:
    """An empty driver's seat seen from the dash, BGR."""
    down = np.linspace(1, 0, height, dtype=np.float32)[:, None, None]
    picture = np.empty((height, width, 3), np.float32)
    picture[:] = np.array([46, 44, 44], np.float32) + 18 * down
    _window(picture, [(0.0, 0.05), (0.20, 0.08), (0.27, 0.52), (0.0, 0.60)], (214, 204, 190), (150, 160, 150))
    _window(
        picture,
        [(0.70, 0.10), (0.93, 0.06), (1.0, 0.10), (1.0, 0.46), (0.76, 0.44)],
        (196, 190, 182),
        (130, 138, 136),
    )
    picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.006 * width), np.float32)
    _soft_polygon(
        picture, [(0.30, 1.0), (0.33, 0.62), (0.37, 0.50), (0.63, 0.50), (0.67, 0.62), (0.70, 1.0)], 62
    )
    _soft_polygon(
        picture, [(0.40, 0.46), (0.405, 0.16), (0.43, 0.11), (0.57, 0.11), (0.595, 0.16), (0.60, 0.46)], 70
    )
    for post in (0.45, 0.55):
        _soft_polygon(
            picture,
            [(post - 0.006, 0.45), (post + 0.006, 0.45), (post + 0.006, 0.52), (post - 0.006, 0.52)],
            104,
        )
    _soft_polygon(picture, [(0.655, 0.55), (0.70, 0.30), (0.715, 0.30), (0.68, 0.60)], 34)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.003 * width).clip(0, 255), np.uint8)


def _pixels(picture: Floats, outline: list[tuple[float, float]]) -> Floats:
    size = np.array(picture.shape[1::-1], np.float32)
    return np.asarray(np.array(outline, np.float32) * size, np.float32)


def _window(
    picture: Floats, outline: list[tuple[float, float]], sky: tuple[int, int, int], road: tuple[int, int, int]
) -> None:
    mask = np.zeros(picture.shape[:2], np.uint8)
    points = _pixels(picture, outline)
    cv2.fillPoly(mask, [points.astype(np.int32)], 255)
    y = np.arange(picture.shape[0], dtype=np.float32)
    share = np.clip((y - points[:, 1].min()) / np.ptp(points[:, 1]), 0, 1)[:, None, None]
    view = np.array(sky, np.float32) * (1 - share) + np.array(road, np.float32) * share
    on = mask > 0
    picture[on] = np.broadcast_to(view, picture.shape)[on]


def _soft_polygon(picture: Floats, outline: list[tuple[float, float]], tone: float) -> None:
    mask = np.zeros(picture.shape[:2], np.float32)
    points = _pixels(picture, outline)
    cv2.fillPoly(mask, [points.astype(np.int32)], 1.0)
    soft = cv2.GaussianBlur(mask, (0, 0), 0.004 * picture.shape[1])[..., None]
    round_off = cv2.GaussianBlur(mask, (0, 0), 0.03 * picture.shape[1])[..., None]
    colour = tone * (0.45 + 0.75 * round_off) * np.array([1.02, 1.0, 0.98], np.float32)
    picture += (colour - picture) * soft


def expose(frame: Image, optics: Optics, rng: np.random.Generator) -> Image:
    """The frame as the camera gives it: light, infrared look, cover and noise."""
    picture = frame.astype(np.float32)
    if optics.nir > 0:
        picture += (_infrared(picture) - picture) * np.float32(optics.nir)
    if optics.brightness != 1:
        picture *= np.float32(optics.brightness)
    if optics.blocked > 0:
        picture += (_COVERED - picture) * np.float32(optics.blocked)
    if optics.noise > 0:
        noise = rng.standard_normal((frame.shape[0] * frame.shape[1] // 4 + 4,), dtype=np.float32)
        start = int(rng.integers(0, len(noise)))
        grain = np.resize(np.roll(noise, start), frame.shape[:2]) * np.float32(optics.noise)
        picture += grain[..., None]
    return cv2.convertScaleAbs(np.maximum(picture, 0)).astype(np.uint8, copy=False)


_COVERED = np.float32(9.0)
"""Grey level of a covered lens."""


def _infrared(picture: Floats) -> Floats:
    """Grey, lit from beside the lens: near things bright, the rim and the distance dark."""
    height, width = picture.shape[:2]
    grey = picture @ np.array([0.10, 0.35, 0.55], np.float32)
    y, x = np.indices((height, width), dtype=np.float32)
    away = np.hypot((x / width - 0.5) * 1.5, y / height - 0.5)
    fall = 1.12 - 0.95 * away**1.6
    lit = 255 * (np.clip(grey, 0, 255) / 255) ** 0.75 * np.clip(fall, 0.1, 1.2)
    return np.asarray(np.repeat(lit[..., None], 3, axis=2), np.float32)
