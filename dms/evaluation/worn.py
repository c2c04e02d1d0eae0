"""Things drawn on photographed faces by their 60 landmarks: glasses, mask, cap, a hand over the eyes.

Each function takes a grey picture, one face's landmarks (60, 2) in pixels and a seeded generator.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dms import landmarks as lm
from dms.evaluation.inputs import Images

Array = NDArray[Any]
_FINE = 4
"""Fractional bits of the corners of polygons."""
_LENS = np.array(
    [(-1.0, -0.5), (-0.6, -0.8), (0.2, -0.85), (0.85, -0.7), (1.05, -0.2), (0.9, 0.5), (0.35, 0.95),
     (-0.35, 0.95), (-0.85, 0.45)], np.float32,
)  # fmt: skip
"""A lens seen from its inner side (x -1) to its outer side, in half widths and half heights."""


class _Face:
    """Axes of a face: origin between the eyes, x towards its left eye, y towards the mouth, in pixels."""

    def __init__(self, points: Array) -> None:
        self.points = points.astype(np.float32)
        self.right, self.left = (self._eye(side) for side in ("right", "left"))
        self.mouth = self.at("mouth_right", "mouth_left")
        self.origin = (self.right + self.left) / 2
        down = self.mouth - self.origin
        self.tall = max(float(np.linalg.norm(down)), 2.0)
        self.y = down / self.tall
        self.x = np.array([self.y[1], -self.y[0]], np.float32)
        # Turned heads bring the eyes together; what they wear shrinks less.
        self.wide = max(float((self.left - self.right) @ self.x), 0.55 * self.tall)
        self.turn = float((self.at("nose_tip") - self.origin) @ self.x) / self.tall

    def at(self, *names: str) -> Array:
        """The mean of named points."""
        return np.asarray(self.points[list(lm.indices(*names))].mean(axis=0))

    def _eye(self, side: str) -> Array:
        return self.at(f"{side}_eye_outer", f"{side}_eye_inner")

    def place(self, shape: Array) -> Array:
        """Points (n, 2) in face axes to pixels."""
        return np.asarray(self.origin + shape[:, :1] * self.x + shape[:, 1:] * self.y, np.float32)


def _cover(picture: Images, polygon: Array, soft: float) -> Array:
    """How much of each pixel lies in a polygon, 0 to 1, its edge softened by `soft` pixels."""
    cover = np.zeros(picture.shape, np.uint8)
    corners = np.rint(polygon * (1 << _FINE)).astype(np.int32)
    cv2.fillPoly(cover, [corners], 255, cv2.LINE_AA, _FINE)
    smooth = cv2.GaussianBlur(cover, (0, 0), max(soft, 0.3)) if soft > 0.3 else cover
    return np.asarray(smooth.astype(np.float32) / 255)


def _round(polygon: Array) -> Array:
    """The polygon with its corners cut twice (Chaikin)."""
    for _ in range(3):
        after = np.roll(polygon, -1, axis=0)
        polygon = np.stack([0.75 * polygon + 0.25 * after, 0.25 * polygon + 0.75 * after], 1).reshape(-1, 2)
    return polygon


def _blend(picture: Images, shade: Array | float, cover: Array) -> Images:
    grey = picture.astype(np.float32)
    return np.asarray(np.clip(np.rint(grey + (shade - grey) * cover), 0, 255), np.uint8)


def _lenses(face: _Face, size: float = 1.0) -> list[Array]:
    found = []
    for eye, side in ((face.right, -1.0), (face.left, 1.0)):
        # The far lens of a turned head is foreshortened.
        half = 0.40 * face.wide * size * float(np.clip(1 + side * 0.9 * face.turn, 0.45, 1.1))
        shape = _LENS * (half, 0.27 * face.tall * size) * (side, 1.0)
        middle = eye + 0.04 * face.tall * face.y
        found.append(_round(middle + shape[:, :1] * face.x + shape[:, 1:] * face.y))
    return found


def _frame(picture: Images, face: _Face, lenses: list[Array], shade: float, thick: float) -> Images:
    """Rims, bridge and the temples' beginning."""
    ink = np.zeros(picture.shape, np.uint8)
    pixels = max(1, round(thick * face.wide))
    lines = [(lens, True) for lens in lenses]
    inner = [lens[np.argmin(np.linalg.norm(lens - face.origin, axis=1))] for lens in lenses]
    lines.append((np.stack([inner[0], face.origin + 0.02 * face.tall * face.y, inner[1]]), False))
    for lens, temple in zip(lenses, ("right_temple", "left_temple"), strict=True):
        ear = face.at(temple)
        outer = lens[np.argmin(np.linalg.norm(lens - ear, axis=1))]
        lines.append((np.stack([outer, 0.9 * ear + 0.1 * outer]), False))
    for line, closed in lines:
        corners = np.rint(line * (1 << _FINE)).astype(np.int32)
        cv2.polylines(ink, [corners], closed, 255, pixels, cv2.LINE_AA, _FINE)
    return _blend(picture, shade, ink.astype(np.float32) / 255 * 0.92)


def clear_glasses(picture: Images, points: Array, rng: np.random.Generator) -> Images:
    """Spectacles: dark rims, slightly paler lenses, a slanting reflection over part of each."""
    face = _Face(points)
    lenses = _lenses(face)
    height, width = picture.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    slant = x + 0.7 * y
    for lens in lenses:
        inside = _cover(picture, lens, 0.02 * face.wide)
        picture = _blend(picture, 190.0, 0.07 * inside)
        middle = lens.mean(axis=0) + rng.uniform(-0.3, 0.3, 2) * face.wide
        across = (slant - middle[0] - 0.7 * middle[1]) / (0.09 * face.wide)
        picture = _blend(picture, 250.0, 0.75 * np.exp(-(across**4)).astype(np.float32) * inside)
    return _frame(picture, face, lenses, rng.uniform(15, 60), 0.035)


def sunglasses(picture: Images, points: Array, rng: np.random.Generator) -> Images:
    """Dark lenses that let a tenth through or less, with a pale reflection of the sky."""
    face = _Face(points)
    lenses = _lenses(face, 1.12)
    through = rng.uniform(0.02, 0.1)
    for lens in lenses:
        inside = _cover(picture, lens, 0.012 * face.wide)
        top, bottom = lens[:, 1].min(), lens[:, 1].max()
        rows = np.arange(len(picture), dtype=np.float32)[:, None]
        sky = 12 + 38 * np.clip((bottom - rows) / max(bottom - top, 1), 0, 1) ** 2
        picture = _blend(picture, through * picture.astype(np.float32) + sky, inside)
    return _frame(picture, face, lenses, 14.0, 0.05)


def mask(picture: Images, points: Array, rng: np.random.Generator) -> Images:
    """A medical mask from the nose's middle under the chin, shaded like the face, with pleats."""
    face = _Face(points)
    nose = 0.55 * face.at("nose_bridge") + 0.45 * face.at("nose_tip")
    sides = {s: face.at(f"{s}_jaw_0") for s in ("right", "left")}
    jaw = [face.at(f"{s}_jaw_{k}") for s, order in (("left", (1, 2, 3)), ("right", (3, 2, 1))) for k in order]
    chin = face.at("chin") + 0.10 * face.tall * face.y
    rim = [0.8 * sides["right"] + 0.2 * nose + 0.12 * face.tall * face.y, nose]
    rim.append(0.8 * sides["left"] + 0.2 * nose + 0.12 * face.tall * face.y)
    polygon = np.array([*rim, *jaw[:3], chin, *jaw[3:]], np.float32)
    cover = _cover(picture, _round(polygon), 0.012 * face.wide)
    own = _smooth(picture, 0.12 * face.wide)
    shade = rng.uniform(0.75, 1.25) * (60 + 0.75 * own)
    height, width = picture.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    below = ((x - nose[0]) * face.y[0] + (y - nose[1]) * face.y[1]) / face.tall
    pleats = 1 - 0.10 * np.exp(-((np.mod(below * 4.5, 1.0) - 0.5) ** 2) / 0.01)
    return _blend(_straps(picture, face, sides), shade * pleats, cover)


def _smooth(picture: Images, sigma: float) -> Array:
    """A strong blur, done on a quarter of the size."""
    small = cv2.resize(picture, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small.astype(np.float32), (0, 0), max(sigma / 4, 0.3))
    return np.asarray(cv2.resize(soft, picture.shape[::-1], interpolation=cv2.INTER_LINEAR))


def _straps(picture: Images, face: _Face, sides: dict[str, Array]) -> Images:
    ink = np.zeros(picture.shape, np.uint8)
    for side, edge in sides.items():
        ear = face.at(f"{side}_temple") + 0.2 * face.tall * face.y
        for start in (edge + 0.05 * face.tall * face.y, face.at(f"{side}_jaw_2")):
            ends = [tuple(np.rint(p * (1 << _FINE)).astype(int).tolist()) for p in (start, ear)]
            cv2.line(ink, ends[0], ends[1], 255, max(1, round(0.02 * face.wide)), cv2.LINE_AA, _FINE)
    return _blend(picture, 205.0, ink.astype(np.float32) / 255 * 0.8)


def cap(picture: Images, points: Array, rng: np.random.Generator) -> Images:
    """A cap: crown above the brows, its peak as a dark crescent, the peak's shadow on forehead and eyes."""
    face = _Face(points)
    temples = [face.at(name) for name in ("right_temple", "left_temple")]
    reach = [float((t - face.origin) @ face.x) for t in temples]
    left, right = min(reach[0], -0.75 * face.wide), max(reach[1], 0.75 * face.wide)
    middle, half = (left + right) / 2, 0.54 * (right - left)
    brow = face.at("right_brow_2", "left_brow_2")
    line = float((brow - face.origin) @ face.y) - 0.04 * face.tall
    t = np.linspace(0, np.pi, 24)
    dome = np.stack([middle + half * np.cos(t), line - 0.12 * face.tall - 1.25 * half * np.sin(t)], 1)
    arc = np.stack(
        [middle - 1.02 * half * np.cos(t), line - 0.16 * face.tall + 0.2 * face.tall * np.sin(t)], 1
    )
    shadow = np.concatenate([arc, arc[::-1] + np.array([0, 0.42 * face.tall])])
    picture = _blend(picture, 0.0, 0.45 * _cover(picture, face.place(shadow), 0.06 * face.wide))
    tone = rng.uniform(25, 120)
    picture = _blend(
        picture, tone, _cover(picture, face.place(np.concatenate([dome, arc])), 0.01 * face.wide)
    )
    lift = np.stack([np.zeros(24), 0.16 * face.tall * np.sin(t)], 1)
    peak = _round(face.place(np.concatenate([arc, (arc - lift)[::-1]])))
    return _blend(picture, 0.55 * tone, _cover(picture, peak, 0.01 * face.wide))


def hand_over_eyes(picture: Images, points: Array, rng: np.random.Generator) -> Images:
    """Four fingers laid across both eyes, in the skin's own grey."""
    face = _Face(points)
    height, width = picture.shape
    cheek = np.rint(0.5 * (face.origin + face.mouth)).astype(int)
    x0, y0 = np.clip(cheek, 0, (width - 1, height - 1))
    reach = max(2, round(0.15 * face.wide))
    skin = float(picture[max(0, y0 - reach) : y0 + reach, max(0, x0 - reach) : x0 + reach].mean())
    side = 1.0 if rng.random() < 0.5 else -1.0
    for k in range(4):
        row = (-0.42 + 0.25 * k) * face.tall
        tip = (1.25 - 0.12 * abs(k - 1.3)) * face.wide
        shape = np.array([(-1.9 * face.wide, row + 0.04 * k * face.tall), (tip - 0.5 * face.wide, row)])
        picture = _finger(picture, face, shape * (side, 1.0), 0.15 * face.tall, skin)
    return picture


def _finger(picture: Images, face: _Face, axis: Array, radius: float, skin: float) -> Images:
    """A round bar along `axis` (2, 2 in face axes), lit from above, darker where it turns away."""
    height, width = picture.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    px = (x - face.origin[0]) * face.x[0] + (y - face.origin[1]) * face.x[1]
    py = (x - face.origin[0]) * face.y[0] + (y - face.origin[1]) * face.y[1]
    way = axis[1] - axis[0]
    t = np.clip(((px - axis[0, 0]) * way[0] + (py - axis[0, 1]) * way[1]) / float(way @ way), 0, 1)
    dx, dy = px - axis[0, 0] - t * way[0], py - axis[0, 1] - t * way[1]
    depth = np.hypot(dx, dy) / radius
    shade = skin * (1.02 - 0.12 * np.clip(dy / radius, -1, 1) - 0.3 * np.clip(depth, 0, 1) ** 4)
    return _blend(picture, shade, np.clip((1 - depth) * radius + 0.5, 0, 1).astype(np.float32))
