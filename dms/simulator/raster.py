"""Painting the moved mesh: nearest triangles last, colours fetched from the photograph in one remap."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dms.simulator.geometry import Floats
from dms.simulator.portrait import Image

_SHIFT = 4
"""Sub-pixel bits of polygon corners."""
_INSIDE_BGR = (30, 28, 36)
"""What shows in an opening until an eye or mouth is painted there."""


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A painted piece of the picture: BGR colours, cover 0 to 1, corner in the frame, triangle numbers."""

    colour: Image
    cover: Floats
    x: int
    y: int
    triangle: NDArray[np.int32]


def fixed(points: Floats) -> NDArray[np.int32]:
    """Pixel coordinates as OpenCV's fixed point numbers (use with `shift=4`)."""
    return np.rint(points * (1 << _SHIFT)).astype(np.int32)


def polygon_cover(shape: tuple[int, int], *polygons: Floats) -> Floats:
    """Cover 0 to 1 (h, w) of polygons with smooth edges."""
    mask = np.zeros(shape, np.uint8)
    for polygon in polygons:
        cv2.fillPoly(mask, [fixed(polygon)], 255, cv2.LINE_AA, _SHIFT)
    return np.asarray(mask * np.float32(1 / 255), dtype=np.float32)


def region(points: Floats, size: tuple[int, int], margin: int = 2) -> tuple[int, int, int, int] | None:
    """The box x1, y1, x2, y2 of points inside a frame of (width, height), or None outside of it."""
    low = np.floor(points.min(0)).astype(int) - margin
    high = np.ceil(points.max(0)).astype(int) + margin + 1
    x1, y1 = (max(0, int(v)) for v in low)
    x2, y2 = (min(limit, int(v)) for v, limit in zip(size, high, strict=True))
    return (x1, y1, x2, y2) if x2 - x1 > 1 and y2 - y1 > 1 else None


def paint(
    photo: Image,
    points: Floats,
    depth: Floats,
    light: Floats,
    uv: Floats,
    triangles: NDArray[np.int32],
    size: tuple[int, int],
) -> Layer | None:
    """Paint a mesh.

    Args:
        photo: texture, BGR.
        points: pixels (n, 2) of the vertices in the frame.
        depth: (n,), + away from the camera.
        light: (n,), what the colour is multiplied by.
        uv: (n, 2), pixels in `photo`.
        triangles: (t, 3).
        size: (width, height) of the frame.
    """
    box = region(points, size)
    if box is None:
        return None
    corner = points - np.array(box[:2], np.float32)
    front, order = _front_first_hidden(corner, depth, triangles)
    number = np.full((box[3] - box[1], box[2] - box[0]), -1, np.int32)
    corners = fixed(corner)[triangles]
    for index in front[order].tolist():
        cv2.fillConvexPoly(number, corners[index], index, cv2.LINE_8, _SHIFT)
    return _fetch(photo, number, corner, np.column_stack([uv, light]), triangles, box)


def _front_first_hidden(
    points: Floats, depth: Floats, triangles: NDArray[np.int32]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Triangles facing the viewer and their order from far to near."""
    a, b, c = (points[triangles[:, i]] for i in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    front = np.flatnonzero(area > 0)
    return front, np.argsort(-depth[triangles[front]].mean(1), kind="stable")


def _fetch(
    photo: Image,
    number: NDArray[np.int32],
    points: Floats,
    values: Floats,
    triangles: NDArray[np.int32],
    box: tuple[int, int, int, int],
) -> Layer:
    """Colours of all painted pixels: every triangle is an affine map of the frame onto the photograph."""
    maps = _affine(points, values, triangles)
    y, x = np.nonzero(number >= 0)
    each = maps[number[y, x]]
    place = each[:, 0] * x[:, None] + each[:, 1] * y[:, None] + each[:, 2]
    where = np.ones((*number.shape, 3), np.float32)
    where[y, x] = place
    colour = cv2.remap(photo, where[..., 0], where[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    light = cv2.blur(where[..., 2], (3, 3)).clip(0, 3)
    lit = np.clip(colour * light[..., None], 0, 255).astype(np.uint8)
    lit[number < 0] = _INSIDE_BGR
    cover = cv2.blur((number >= 0).astype(np.float32), (3, 3))
    inner = np.asarray(np.clip(cover * 2 - 1, 0, 1), np.float32)
    return Layer(lit, inner, box[0], box[1], number)


def _affine(points: Floats, values: Floats, triangles: NDArray[np.int32]) -> Floats:
    """Maps (t, 3, k): value = x * m[0] + y * m[1] + m[2] inside each triangle."""
    a, b, c = (points[triangles[:, i]] for i in range(3))
    va, vb, vc = (values[triangles[:, i]] for i in range(3))
    e, f = b - a, c - a
    area = e[:, 0] * f[:, 1] - e[:, 1] * f[:, 0]
    area = np.where(np.abs(area) < 1e-4, 1e-4, area)[:, None]
    dx = ((vb - va) * f[:, 1:] - (vc - va) * e[:, 1:]) / area
    dy = ((vc - va) * e[:, :1] - (vb - va) * f[:, :1]) / area
    base = va - dx * a[:, :1] - dy * a[:, 1:]
    return np.asarray(np.stack([dx, dy, base], axis=1), dtype=np.float32)


def blend(frame: Image, colour: Image | Floats, cover: Floats, x: int, y: int) -> None:
    """Lay colours (h, w, 3) or one colour (3,) over a frame, in place, by cover (h, w)."""
    height, width = cover.shape
    part = frame[y : y + height, x : x + width]
    under = part.astype(np.float32)
    part[:] = (under + (np.asarray(colour, np.float32) - under) * cover[..., None] + 0.5).astype(np.uint8)
