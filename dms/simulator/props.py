"""What a driver wears or holds: sunglasses, mask, a phone in a hand, a hand on the face."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dms.simulator import mesh
from dms.simulator.eye import rounded
from dms.simulator.geometry import Floats
from dms.simulator.portrait import Image
from dms.simulator.raster import Layer, blend, fixed, polygon_cover, region
from dms.simulator.rig import Eyeball, Rig
from dms.simulator.view import View, Worn

_LENS = np.array(
    [(-1.0, -0.55), (-0.5, -0.72), (0.3, -0.72), (0.95, -0.55), (1.0, -0.1), (0.75, 0.6), (0.2, 0.95),
     (-0.4, 0.9), (-0.85, 0.45)], np.float32,
)  # fmt: skip
"""A lens towards the subject's left, in half widths (x) and half heights (y)."""
_JAW = {-1.0: 172, 1.0: 397}
"""Points of the jaw a hand rests on, by side."""
_MASK_BGR = np.array([205, 190, 172], np.float32)


def mask_triangles(rig: Rig) -> NDArray[np.bool_]:
    """Which triangles a mask covers: from the middle of the nose down over the chin, not the ears."""
    points = rig.rest
    corner = points[rig.portrait.triangles]
    middle = corner.mean(1)
    top, ear = points[mesh.NOSE_MID], points[[mesh.RIGHT_EAR, mesh.LEFT_EAR]]
    across = np.abs(middle[:, 0] - top[0]) / (0.5 * rig.width)
    line = top[1] + (ear[:, 1].mean() + 0.16 * rig.width - top[1]) * np.clip(across, 0, 1) ** 1.5
    front = middle[:, 2] < ear[:, 2].mean() + 0.02 * rig.width
    return np.asarray((middle[:, 1] > line) & front & (across < 0.93))


def cloth(
    layer: Layer, covered: NDArray[np.bool_], mouth: Floats, light: Floats, triangles: NDArray[np.int32]
) -> Image:
    """The painted head with a mask over the covered triangles and the `mouth` (k, 2 pixels) between them."""
    colour = layer.colour
    on = np.append(covered, False)[layer.triangle].astype(np.uint8)
    if on.any():
        cv2.fillPoly(on, [np.rint(mouth - (layer.x, layer.y)).astype(np.int32)], 1)
    closed = cv2.morphologyEx(on, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    gain = np.append(light[triangles].mean(1), 1.0)[layer.triangle].astype(np.float32)
    own = cv2.GaussianBlur(colour, (0, 0), 3).mean(2) / 160.0
    shade = cv2.GaussianBlur(gain, (0, 0), 2) * (0.62 + 0.38 * np.clip(own, 0, 1.3))
    pleats = 1 - 0.05 * (np.sin(np.arange(colour.shape[0]) * 6.28 / max(6, colour.shape[0] / 12)) > 0.6)
    fabric = np.clip(_MASK_BGR * (shade * pleats[:, None])[..., None], 0, 255)
    cover = cv2.GaussianBlur(closed.astype(np.float32), (0, 0), 0.8)[..., None]
    return np.asarray(colour + (fabric - colour) * cover, np.uint8)


def draw_worn(
    frame: Image, rig: Rig, points: Floats, turn: Floats, scale: float, view: View, worn: Worn, skin: Floats
) -> Floats | None:
    """Draw in place what is not part of the head; `points` (n, 3) are in head axes, `skin` is BGR.

    Returns the cover (h, w) of a hand, or None without one.
    """
    if worn.sunglasses or worn.glasses:
        _glasses(frame, rig, points, turn, scale, view, worn.tint if worn.sunglasses else None)
    if worn.phone == "none" and not worn.hand_on_face:
        return None
    side = -1.0 if worn.phone_on_right else 1.0
    x, y = _hand_place(rig, points, turn, scale, view, worn, side)
    y += (1 - worn.lift) * 2.2 * view.face_width
    light = float(np.clip(1 - 0.3 * abs(view.side_light), 0.4, 1))
    hand = Hand(frame, (x, y), view.face_width, skin * light)
    {"ear": _phone_at_ear, "hand": _phone_in_hand, "none": _hand_on_face}[worn.phone](hand, side)
    return hand.blend()


def _hand_place(
    rig: Rig, points: Floats, turn: Floats, scale: float, view: View, worn: Worn, side: float
) -> tuple[float, float]:
    """Where the hand is, pixels: beside the ear, on the jaw, or low before the chest."""
    if worn.phone == "hand":
        return view.center[0] + side * 0.55 * view.face_width, view.center[1] + 0.62 * view.face_width
    if worn.phone == "ear":
        ear = points[mesh.RIGHT_EAR if side < 0 else mesh.LEFT_EAR]
        place = ear + np.array([side * 0.10, 0.10, 0.0], np.float32) * rig.width
    else:
        place = points[_JAW[side]]
    x, y = rig.to_image(place[None], turn, scale, view.center)[0]
    return float(x), float(y)


def _glasses(
    frame: Image, rig: Rig, points: Floats, turn: Floats, scale: float, view: View, tint: float | None
) -> None:
    """Sunglasses of this `tint`, or clear glasses with a rim and a reflection without one."""
    lenses = [_lens(rig, eye, side, points) for eye, side in ((rig.right, -1.0), (rig.left, 1.0))]
    order = np.argsort([-float((lens @ turn.T)[:, 2].mean()) for lens in lenses])
    bridge = np.stack([lenses[0][3], lenses[1][3]])
    thick = (0.045 if tint is not None else 0.022) * view.face_width
    for ear, lens in ((mesh.RIGHT_TEMPLE, lenses[0]), (mesh.LEFT_TEMPLE, lenses[1])):
        arm = np.stack([lens[0], points[ear] + (0, -0.04 * rig.width, 0)])
        normal = (turn @ np.array([np.sign(points[ear, 0]), 0, -0.25], np.float32))[2]
        if normal < 0:
            _line(frame, rig.to_image(arm.astype(np.float32), turn, scale, view.center), thick)
    _line(frame, rig.to_image(bridge.astype(np.float32), turn, scale, view.center), 0.8 * thick)
    for index in order:
        outline = rounded(
            rig.to_image(np.vstack([lenses[index], lenses[index][:1]]), turn, scale, view.center)
        )
        if tint is None:
            _clear_glass(frame, outline, 0.6 * thick)
        else:
            _dark_glass(frame, outline, tint)


def _lens(rig: Rig, eye: Eyeball, side: float, points: Floats) -> Floats:
    half = 0.235 * rig.width
    # 0 is the outer upper corner, 3 the inner upper one
    outline = _LENS * np.array([-side * half, 0.78 * half], np.float32)
    front = float(points[mesh.NOSE_BRIDGE, 2])
    bend = np.abs(outline[:, 0] + eye.center[0]) ** 2 * (0.55 / rig.width)
    depth = front - 0.03 * rig.width + bend
    return np.column_stack(
        [outline + eye.center[:2] + (side * 0.02 * rig.width, 0.02 * rig.width), depth]
    ).astype(np.float32)


def _line(frame: Image, ends: Floats, thickness: float) -> None:
    a, b = (tuple(int(v) for v in np.rint(end * 16)) for end in ends)
    cv2.line(frame, a, b, (24, 22, 22), max(1, round(thickness)), cv2.LINE_AA, 4)


def _clear_glass(frame: Image, outline: Floats, thickness: float) -> None:
    """A rim, and the sky in the upper half of the glass."""
    box = region(outline, (frame.shape[1], frame.shape[0]))
    if box is None:
        return
    x1, y1, x2, y2 = box
    cover = polygon_cover((y2 - y1, x2 - x1), outline - np.array([x1, y1], np.float32))
    down = np.linspace(0, 1, y2 - y1, dtype=np.float32)[:, None]
    across = np.linspace(0, 1, x2 - x1, dtype=np.float32)
    streak = np.exp(-(((across - 0.25 + 0.35 * down) / 0.08) ** 2)) * (down < 0.6)
    blend(frame, np.full(3, 225, np.float32), np.asarray(cover * (0.04 + 0.4 * streak), np.float32), x1, y1)
    cv2.polylines(frame, [fixed(outline)], True, (40, 36, 36), max(1, round(thickness)), cv2.LINE_AA, 4)


def _dark_glass(frame: Image, outline: Floats, tint: float) -> None:
    box = region(outline, (frame.shape[1], frame.shape[0]))
    if box is None:
        return
    x1, y1, x2, y2 = box
    cover = polygon_cover((y2 - y1, x2 - x1), outline - np.array([x1, y1], np.float32))
    down = np.linspace(0, 1, y2 - y1, dtype=np.float32)[:, None]
    across = np.linspace(0, 1, x2 - x1, dtype=np.float32)
    shine = 34 + 30 * (1 - down) + 40 * np.exp(-(((across - 0.3 + 0.25 * down) / 0.12) ** 2)) * (down < 0.55)
    glass = np.repeat(shine[..., None], 3, axis=2).astype(np.float32)
    blend(frame, glass, np.asarray(cover * tint, np.float32), x1, y1)


def _phone_at_ear(hand: Hand, side: float) -> None:
    hand.tilt(-side * 14.0)
    hand.arm(side * 0.30)
    hand.limb([(side * 0.16, 0.60), (side * 0.17, 0.12)], 0.34)
    hand.slab(0.22, 1.05)
    for i in range(4):
        height = -0.20 + 0.165 * i
        hand.limb([(side * 0.24, height + 0.12), (side * 0.04, height), (-side * 0.09, height + 0.03)], 0.115)


def _phone_in_hand(hand: Hand, side: float) -> None:
    hand.tilt(side * 12.0)
    hand.arm(side * 0.12)
    hand.limb([(0.0, 0.55), (0.0, 0.25)], 0.36)
    hand.slab(0.50, 0.98)
    for i in range(4):
        height = -0.02 + 0.14 * i
        hand.limb([(side * 0.30, height + 0.06), (side * 0.17, height)], 0.115)
    hand.limb([(-side * 0.28, 0.42), (-side * 0.22, 0.05)], 0.13)


def _hand_on_face(hand: Hand, side: float) -> None:
    hand.tilt(-side * 10.0)
    hand.arm(side * 0.1)
    hand.limb([(side * 0.02, 0.36), (side * 0.02, 0.12)], 0.38)
    for i in range(4):
        across = side * (0.14 - 0.085 * i)
        hand.limb([(across, 0.12), (across * 1.1, -0.20 - 0.05 * (i in (1, 2)))], 0.10)


class Hand:
    """Draws a hand in units of the face width around `center`, then lays it over the frame."""

    def __init__(self, frame: Image, center: tuple[float, float], unit: float, skin: Floats) -> None:
        """Start with nothing drawn; `skin` is BGR."""
        self._frame, self._center, self._unit = frame, np.array(center, np.float32), unit
        self._skin = skin
        self._colour = frame.copy()
        self._cover = np.zeros(frame.shape[:2], np.uint8)
        self.tilt(0.0)

    def tilt(self, angle_deg: float) -> None:
        """Draw what follows turned clockwise by this angle."""
        c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
        self._turn = np.array([[c, -s], [s, c]], np.float32) * self._unit

    def _pixels(self, points: list[tuple[float, float]]) -> NDArray[np.int32]:
        placed = np.array(points, np.float32) @ self._turn.T + self._center
        return fixed(np.asarray(placed, np.float32))

    def _stroke(self, points: NDArray[np.int32], colour: Floats, thickness: float) -> None:
        thick = max(1, round(thickness * self._unit))
        tone = tuple(float(v) for v in np.clip(colour, 0, 255))
        cv2.polylines(self._colour, [points], False, tone, thick, cv2.LINE_AA, 4)
        cv2.polylines(self._cover, [points], False, 255, thick, cv2.LINE_AA, 4)

    def limb(self, points: list[tuple[float, float]], thickness: float) -> None:
        """A finger, palm or wrist: dark rim, lighter core."""
        line = self._pixels(points)
        for share, tone in ((1.0, 0.62), (0.82, 0.86), (0.45, 0.98)):
            self._stroke(line, self._skin * tone, thickness * share)

    def arm(self, lean: float) -> None:
        """A sleeve from the wrist down out of the picture."""
        line = self._pixels([(lean, 0.75), (lean * 2.2, 2.2)])
        for share, tone in ((1.0, 52.0), (0.85, 70.0), (0.5, 82.0)):
            self._stroke(line, np.full(3, tone, np.float32), 0.46 * share)

    def slab(self, width: float, height: float) -> None:
        """The phone: a dark slab with a lighter rim."""
        for grow, tone in ((0.03, 74.0), (0.0, 22.0)):
            w, h = width / 2 + grow / 2, height / 2 + grow / 2
            corners = self._pixels([(-w, -h), (w, -h), (w, h), (-w, h)])
            for canvas, colour in ((self._colour, (tone, tone, tone)), (self._cover, (255.0,))):
                cv2.fillPoly(canvas, [corners], colour, cv2.LINE_AA, 4)

    def blend(self) -> Floats:
        """Lay the drawing over the frame, a little soft; returns its cover (h, w)."""
        soft = max(0.6, 0.012 * self._unit)
        colour = cv2.GaussianBlur(self._colour, (0, 0), soft)
        cover = np.asarray(cv2.GaussianBlur(self._cover, (0, 0), soft) * np.float32(1 / 255), np.float32)
        blend(self._frame, colour, cover, 0, 0)
        return cover
