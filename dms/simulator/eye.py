"""Painting eyes and mouth into the openings that lids and lips leave."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dms.simulator.geometry import Floats, smooth
from dms.simulator.portrait import Image
from dms.simulator.raster import blend, fixed, polygon_cover, region


@dataclass(frozen=True, slots=True, eq=False)
class EyeColours:
    """BGR colours of one portrait's eyes, each float (3,)."""

    sclera: Floats
    iris: Floats
    lashes: Floats


def eye_colours(photo: Image, ring: Floats, iris: Floats, iris_radius: float) -> EyeColours:
    """Sample the colours of an open eye: `ring` (k, 2) and `iris` (2,) in pixels of the photograph."""
    mask = polygon_cover((photo.shape[0], photo.shape[1]), ring) > 0.9
    y, x = np.nonzero(mask)
    away = np.hypot(x - iris[0], y - iris[1]) / iris_radius
    colour = photo[y, x].astype(np.float32)
    luma = colour.mean(1) if len(colour) else np.zeros(0, np.float32)
    skin = _median(photo, ring[:, 0].mean(), ring[:, 1].max() + 2.2 * iris_radius, iris_radius)
    white, dark = away > 1.15, (away > 0.35) & (away < 0.9)
    sclera = _bright_part(colour[white], luma[white], skin * 0.95)
    iris_colour = np.median(colour[dark], axis=0) if dark.sum() > 3 else skin * 0.35
    white_luma = float(np.clip(sclera.mean(), 0.72 * skin.mean(), 1.12 * skin.mean()))
    sclera = _f32(0.5 * sclera + 0.5 * white_luma)
    iris_colour = iris_colour * min(1.0, 0.55 * sclera.mean() / max(float(iris_colour.mean()), 1.0))
    return EyeColours(_f32(sclera), _f32(iris_colour), _f32(skin * 0.22))


def _f32(values: NDArray[np.generic]) -> Floats:
    return np.asarray(values, dtype=np.float32)


def _bright_part(colour: Floats, luma: Floats, otherwise: Floats) -> Floats:
    if len(colour) < 4:
        return otherwise
    return _f32(colour[luma >= np.quantile(luma, 0.6)].mean(0))


def _median(photo: Image, x: float, y: float, radius: float) -> Floats:
    r = max(1, int(radius))
    x0, y0 = max(0, int(x) - r), max(0, int(y) - r)
    patch = photo[y0 : y0 + 2 * r, x0 : x0 + 2 * r].reshape(-1, 3)
    return _f32(np.median(patch, axis=0)) if len(patch) else np.full(3, 120, np.float32)


def paint_eye(
    frame: Image,
    colours: EyeColours,
    upper: Floats,
    lower: Floats,
    iris: Floats,
    iris_radius: float,
    gaze: Floats,
    visible: Floats,
    light: float,
    bright_pupil: float,
) -> None:
    """Paint one eye in place.

    Args:
        frame: BGR.
        colours: of this eye.
        upper: upper lid rim (9, 2) in pixels; `lower` the lower one, corners shared.
        lower: see `upper`.
        iris: centre (2,) in pixels.
        iris_radius: pixels.
        gaze: unit vector (3,) of the gaze against the camera.
        visible: cover (h, w) of the frame: 0 where something lies before the eye.
        light: what colours are multiplied by.
        bright_pupil: 0 dark to 1 shining as under infrared light beside the lens.
    """
    box = region(np.vstack([upper, lower]), (frame.shape[1], frame.shape[0]), 6)
    if box is None:
        return
    x1, y1, x2, y2 = box
    corner = np.array([x1, y1], np.float32)
    shape = (y2 - y1, x2 - x1)
    seen = visible[y1:y2, x1:x2]
    top, bottom = rounded(upper - corner), rounded(lower - corner)
    opening = polygon_cover(shape, np.vstack([top, bottom[-2:0:-1]]))
    ball = _ball(shape, iris - corner, iris_radius, gaze, colours, bright_pupil)
    width = float(np.linalg.norm(upper[-1] - upper[0]))
    shadow = _lid_shadow(shape, top, bottom, width)
    blend(frame, ball * (shadow * light)[..., None], opening * seen, x1, y1)
    gap = float((lower[4] - upper[4])[1]) / max(width, 1.0)
    _lashes(frame, colours, top, seen, width, gap, x1, y1)


def rounded(points: Floats) -> Floats:
    """A finer line through lid points: two rounds of corner cutting, ends kept."""
    for _ in range(2):
        a, b = points[:-1], points[1:]
        cut = np.stack([0.75 * a + 0.25 * b, 0.25 * a + 0.75 * b], axis=1).reshape(-1, 2)
        points = np.vstack([points[:1], cut, points[-1:]])
    return points


def _ball(
    shape: tuple[int, int],
    iris: Floats,
    radius: float,
    gaze: Floats,
    colours: EyeColours,
    bright_pupil: float,
) -> Floats:
    """Sclera, iris, pupil and glint (h, w, 3); the iris is an ellipse when the gaze leaves the camera."""
    y, x = np.indices(shape, dtype=np.float32)
    dx, dy = x - iris[0], y - iris[1]
    tilt = float(np.hypot(gaze[0], gaze[1]))
    ux, uy = (float(gaze[0]) / tilt, float(gaze[1]) / tilt) if tilt > 1e-6 else (1.0, 0.0)
    along, across = dx * ux + dy * uy, -dx * uy + dy * ux
    away = np.hypot(along / max(abs(float(gaze[2])), 0.25), across) / radius
    edge = max(radius, 1.0)
    iris_cover = np.clip((1 - away) * edge + 0.5, 0, 1)[..., None]
    pupil_cover = np.clip((0.40 - away) * edge + 0.5, 0, 1)[..., None]
    rim = (0.62 + 0.38 * smooth((1.02 - away) / 0.35))[..., None]
    shade = (1 - 0.16 * np.clip(np.abs(dx) / (3.0 * radius), 0, 1))[..., None]
    pupil = colours.iris * 0.30 * (1 - bright_pupil) + 235.0 * bright_pupil
    ball = colours.sclera * shade
    ball = ball + (colours.iris * rim - ball) * iris_cover
    ball = ball + (pupil - ball) * pupil_cover
    glint = np.clip((0.20 - np.hypot(dx / radius + 0.22, dy / radius + 0.28)) * edge + 0.4, 0, 1)[..., None]
    return np.asarray(ball + (235.0 - ball) * glint * 0.75, dtype=np.float32)


def _lid_shadow(shape: tuple[int, int], top: Floats, bottom: Floats, width: float) -> Floats:
    """Darkness under the upper lid, less at the lower one: (h, w), 0 to 1."""
    x = np.arange(shape[1], dtype=np.float32)
    y = np.arange(shape[0], dtype=np.float32)[:, None]
    order, order_low = np.argsort(top[:, 0]), np.argsort(bottom[:, 0])
    under = (y - np.interp(x, top[order, 0], top[order, 1])) / (0.16 * width)
    above = (np.interp(x, bottom[order_low, 0], bottom[order_low, 1]) - y) / (0.07 * width)
    return np.asarray((0.42 + 0.58 * smooth(under + 0.1)) * (0.78 + 0.22 * smooth(above)), dtype=np.float32)


def _lashes(
    frame: Image, colours: EyeColours, top: Floats, seen: Floats, width: float, gap: float, x: int, y: int
) -> None:
    """The dark rim of the upper lid; it grows while the lid comes down."""
    closed = float(np.clip(1 - gap / 0.22, 0, 1))
    line = np.zeros(seen.shape, np.uint8)
    thick = max(1, round(width * (0.035 + 0.06 * closed)))
    lower = top + np.array([0, 0.012 * width], np.float32)
    cv2.polylines(line, [fixed(lower)], False, 255, thick, cv2.LINE_AA, 4)
    cover = cv2.GaussianBlur(line, (3, 3), 0) * np.float32(1 / 255) * seen
    blend(frame, colours.lashes, np.asarray(cover * (0.30 + 0.58 * closed), np.float32), x, y)


def paint_mouth(frame: Image, upper: Floats, lower: Floats, visible: Floats, light: float) -> None:
    """Paint the inside of the mouth in place: dark, with the upper teeth under the lip.

    `upper` and `lower` are the inner lip rims (11, 2) in pixels, corners shared.
    """
    ring = np.vstack([upper, lower[-2:0:-1]])
    box = region(ring, (frame.shape[1], frame.shape[0]))
    if box is None:
        return
    x1, y1, x2, y2 = box
    corner = np.array([x1, y1], np.float32)
    opening = polygon_cover((y2 - y1, x2 - x1), _closed(upper, lower) - corner)
    width = float(np.linalg.norm(upper[-1] - upper[0]))
    gap = float(lower[5, 1] - upper[5, 1]) / max(width, 1.0)
    dark = np.array([28, 22, 48], np.float32) * light
    inside = np.empty((*opening.shape, 3), np.float32)
    inside[:] = dark
    _tongue_and_teeth(inside, upper - corner, lower - corner, width, gap, light)
    blend(frame, inside, opening * visible[y1:y2, x1:x2], x1, y1)


def _closed(upper: Floats, lower: Floats) -> Floats:
    return np.vstack([rounded(upper), rounded(lower)[-2:0:-1]])


def _tongue_and_teeth(
    inside: Floats, upper: Floats, lower: Floats, width: float, gap: float, light: float
) -> None:
    x = np.arange(inside.shape[1], dtype=np.float32)
    y = np.arange(inside.shape[0], dtype=np.float32)[:, None]
    middle = float(upper[:, 0].mean())
    across = np.clip(1 - ((x - middle) / (0.40 * width)) ** 2, 0, 1)
    top = np.interp(x, *upper[np.argsort(upper[:, 0])].T)
    low = np.interp(x, *lower[np.argsort(lower[:, 0])].T)
    wide = float(np.clip((gap - 0.08) / 0.2, 0, 1))
    soft = max(1.0, 0.02 * width)
    teeth = np.clip((top + 0.075 * width * np.sqrt(across) - y) / soft, 0, 1) * (across > 0) * wide
    tongue = np.clip((y - low + 0.34 * width * wide * across) / (0.12 * width), 0, 1) * wide * 0.8
    for cover, colour in ((tongue, (70, 62, 128)), (teeth * 0.85, (176, 190, 196))):
        inside += (np.array(colour, np.float32) * light - inside) * np.asarray(cover, np.float32)[..., None]
