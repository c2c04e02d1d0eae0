"""Draws what was seen and judged into the picture: eyes, head and gaze, signals, state, alerts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from dms import landmarks
from dms.records import (
    Alert,
    Box,
    Direction,
    DriverState,
    Eye,
    Eyes,
    Face,
    Judgement,
    Luma,
    Severity,
    Signal,
)
from dms.sources.luma import to_luma
from dms.tools.canvas import DARK, GREY, WHITE, Canvas, Color, Image
from dms.tools.overlay_video import OverlayWriter

__all__ = ["OverlayWriter", "draw"]

GREEN: Color = (120, 210, 96)
YELLOW: Color = (60, 200, 250)
ORANGE: Color = (40, 140, 250)
RED: Color = (64, 64, 240)
PURPLE: Color = (200, 90, 190)
CYAN: Color = (235, 205, 90)
BLUE: Color = (240, 160, 70)

STATE_COLORS: Mapping[DriverState, Color] = MappingProxyType(
    {
        DriverState.ATTENTIVE: GREEN,
        DriverState.DISTRACTED: YELLOW,
        DriverState.DROWSY: ORANGE,
        DriverState.ASLEEP: RED,
        DriverState.UNRESPONSIVE: PURPLE,
        DriverState.UNKNOWN: GREY,
        DriverState.FAULT: GREY,
    }
)
SEVERITY_COLORS: Mapping[Severity, Color] = MappingProxyType(
    {
        Severity.CAUTION: CYAN,
        Severity.WARNING: YELLOW,
        Severity.URGENT: ORANGE,
        Severity.EMERGENCY: RED,
    }
)
_SEVERITIES = tuple(Severity)


class _Gauge(NamedTuple):
    """One signal of the strip: how it is shown, and the value at which its bar is full."""

    signal: str
    label: str
    full: float
    text: Callable[[float], str]


def _seconds(value: float) -> str:
    return f"{value:.1f} s"


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"


# The bars are full where the strictest rule of the shipped profile warns.
_GAUGES = (
    _Gauge("closure_s", "CLOSED", 3.0, _seconds),
    _Gauge("perclos_60s", "PERCLOS", 0.15, _percent),
    _Gauge("off_road_s", "OFF ROAD", 3.0, _seconds),
    _Gauge("yawn_s", "YAWN", 3.0, _seconds),
    _Gauge("phone_s", "PHONE", 3.0, _seconds),
)

_LIDS = tuple(
    landmarks.indices(
        f"{side}_eye_outer",
        *(f"{side}_upper_lid_{part}" for part in ("outer", "mid", "inner")),
        f"{side}_eye_inner",
        *(f"{side}_lower_lid_{part}" for part in ("inner", "mid", "outer")),
    )
    for side in ("right", "left")
)
_IRISES = landmarks.indices("right_iris", "left_iris")
_OPEN_LINES = (
    *(landmarks.indices(*(f"{side}_brow_{i}" for i in range(5))) for side in ("right", "left")),
    landmarks.indices("nose_bridge", "nose_tip", "nose_base"),
    landmarks.indices("right_nostril", "nose_base", "left_nostril"),
    landmarks.indices(
        "right_temple", *(f"right_jaw_{i}" for i in range(4)), "chin",
        "left_jaw_3", "left_jaw_2", "left_jaw_1", "left_jaw_0", "left_temple",
    ),
)  # fmt: skip
_CLOSED_LINES = (
    landmarks.indices(
        "mouth_right", "lip_top_right", "lip_top", "lip_top_left",
        "mouth_left", "lip_bottom_left", "lip_bottom", "lip_bottom_right",
    ),
    landmarks.indices(
        "inner_mouth_right", "inner_lip_top_right", "inner_lip_top", "inner_lip_top_left",
        "inner_mouth_left", "inner_lip_bottom_left", "inner_lip_bottom", "inner_lip_bottom_right",
    ),
)  # fmt: skip

_VISIBLE_ABOVE = 0.5
_OPEN_ABOVE = 0.15


def draw(image: Luma | Image, judgement: Judgement, active: Sequence[Alert] = ()) -> Image:
    """A BGR copy of the picture with everything known about it drawn in.

    Args:
        image: (height, width) luma or (height, width, 3) BGR.
        judgement: of this very picture; what it does not know is not drawn.
        active: the alerts that stand, each in its latest phase.

    Returns:
        (height, width, 3) uint8.
    """
    grey = to_luma(image)
    bgr = image.copy() if image.ndim == 3 and image.shape[2] == 3 else cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    height, width = grey.shape
    canvas = Canvas(bgr.astype(np.uint8, copy=False), max(0.4, min(width / 480, height / 360)))
    color = STATE_COLORS[judgement.assessment.state]
    seen = judgement.observation
    if seen.face:
        _draw_face(canvas, seen.face, color)
    if seen.eyes:
        _draw_eyes(canvas, seen.eyes, seen.face.box if seen.face else None)
    _draw_state(canvas, judgement, color)
    _draw_timing(canvas, judgement)
    bottom = _draw_signals(canvas, judgement.assessment.signals)
    _draw_alerts(canvas, active, judgement.observation.captured_s, bottom)
    return canvas.image


def _draw_face(canvas: Canvas, face: Face, color: Color) -> None:
    """Corners of the box; a box that was just detected, not tracked, is drawn whole."""
    box = face.box
    reach = 0.18 * min(box.width, box.height)
    for x, inward in ((box.x1, reach), (box.x2, -reach)):
        for y, downward in ((box.y1, reach), (box.y2, -reach)):
            corner = np.array([[x + inward, y], [x, y], [x, y + downward]])
            canvas.line(corner, color, 2.0)
    if not face.tracked:
        whole = np.array([[box.x1, box.y1], [box.x2, box.y1], [box.x2, box.y2], [box.x1, box.y2]])
        canvas.line(whole, color, 1.0, closed=True)


def _draw_eyes(canvas: Canvas, eyes: Eyes, box: Box | None) -> None:
    points = eyes.landmarks
    for line in _OPEN_LINES:
        canvas.line(points[list(line)], CYAN, 1.0)
    for line in _CLOSED_LINES:
        canvas.line(points[list(line)], CYAN, 1.0, closed=True)
    canvas.dots(points, 1.0, WHITE)
    reach = 0.45 * float(np.ptp(points[:, 0]))
    _draw_head(canvas, points[landmarks.INDEX["nose_tip"]], eyes.head, reach)
    for eye, lids, iris in zip((eyes.right, eyes.left), _LIDS, _IRISES, strict=True):
        _draw_eye(canvas, eye, points[list(lids)], points[iris], eyes.gaze, reach)
    if box:
        _draw_openness(canvas, eyes.right, box.x1 - 9 * canvas.unit, box)
        _draw_openness(canvas, eyes.left, box.x2 + 4 * canvas.unit, box)


def _draw_eye(
    canvas: Canvas,
    eye: Eye,
    lids: NDArray[np.float32],
    iris: NDArray[np.float32],
    gaze: Direction,
    reach: float,
) -> None:
    if eye.visibility < _VISIBLE_ABOVE:
        canvas.line(lids, GREY, 1.0, closed=True)
        return
    canvas.line(lids, _openness_color(eye.openness), 1.2, closed=True)
    if eye.openness > _OPEN_ABOVE:
        canvas.dots(iris[None], 2.2, WHITE, ring=True)
        canvas.arrow(iris, iris + 1.4 * reach * _ahead(gaze)[:2], YELLOW, 1.2)


def _ahead(direction: Direction) -> NDArray[np.float64]:
    """Unit vector of a direction: x to the right, y down, z towards the camera."""
    yaw, pitch = np.radians([direction.yaw_deg, direction.pitch_deg])
    return np.array([np.sin(yaw) * np.cos(pitch), -np.sin(pitch), np.cos(yaw) * np.cos(pitch)])


def _draw_head(canvas: Canvas, nose: NDArray[np.float32], head: Direction, reach: float) -> None:
    """The head's own axes: its right-left and up axes thin, where it faces as an arrow."""
    ahead = _ahead(head)
    yaw, roll = np.radians([head.yaw_deg, head.roll_deg])
    across = np.array([np.cos(yaw), 0.0, -np.sin(yaw)])
    up = np.cross(across, ahead)
    across, up = np.cos(roll) * across - np.sin(roll) * up, np.cos(roll) * up + np.sin(roll) * across
    for axis, color in ((across, RED), (up, GREEN)):
        canvas.line(np.stack([nose, nose + 0.5 * reach * axis[:2]]), color, 1.4)
    canvas.arrow(nose, nose + reach * ahead[:2], BLUE, 1.8)


def _openness_color(openness: float) -> Color:
    return GREEN if openness > 0.5 else YELLOW if openness > 0.25 else RED


def _draw_openness(canvas: Canvas, eye: Eye, x: float, box: Box) -> None:
    """An upright bar beside the face: filled = open; with its error, grey when the eye is hidden."""
    bottom, length, width = box.y1 + 0.62 * box.height, 0.36 * box.height, 5 * canvas.unit
    canvas.panel(x - 1, bottom - length - 1, x + width + 1, bottom + 1)
    if eye.visibility < _VISIBLE_ABOVE:
        return
    top = bottom - length * float(np.clip(eye.openness, 0, 1))
    canvas.fill(x, top, x + width, bottom, _openness_color(eye.openness))
    error = length * float(np.clip(eye.openness_sigma, 0, 1))
    middle = x + width / 2
    low, high = min(bottom, top + error), max(bottom - length, top - error)
    canvas.line(np.array([[middle, high], [middle, low]]), WHITE, 1.0)


def _draw_state(canvas: Canvas, judgement: Judgement, color: Color) -> None:
    """The verdict, with what is unknown and what failed below it."""
    u, assessment = canvas.unit, judgement.assessment
    causes = [cause.value.replace("_", " ") for cause in assessment.unknown_causes]
    if 0 < assessment.calibration < 1:
        causes.append(f"learned {_percent(assessment.calibration)}")
    causes.extend(f"{name} failed" for name in judgement.faults)
    note = canvas.fitted(", ".join(causes), canvas.width - 40 * u, 7)
    verdict = assessment.state.value.upper()
    width = max(canvas.text_width(verdict, 13, bold=True), canvas.text_width(note, 7) if note else 0)
    canvas.panel(8 * u, 8 * u, (26 * u) + width, (48 if note else 34) * u)
    canvas.fill(8 * u, 8 * u, 12 * u, (48 if note else 34) * u, color)
    canvas.text(verdict, 18 * u, 27.5 * u, 13, color, bold=True)
    if note:
        canvas.text(note, 18 * u, 42 * u, 7, WHITE)


def _draw_timing(canvas: Canvas, judgement: Judgement) -> None:
    """Top right: the moment, and what judging it cost."""
    u = canvas.unit
    cost_ms = 1000 * sum(judgement.stage_s.values())
    lines = (f"{judgement.assessment.captured_s:.2f} s", f"{cost_ms:.1f} ms")
    width = max(canvas.text_width(line, 7) for line in lines)
    left = canvas.width - 18 * u - width
    canvas.panel(left - 6 * u, 8 * u, canvas.width - 8 * u, 36 * u)
    for line, base in zip(lines, (19, 31), strict=True):
        right = canvas.width - 13 * u - canvas.text_width(line, 7)
        canvas.text(line, right, base * u, 7, WHITE if base == 19 else GREY)


def _draw_signals(canvas: Canvas, signals: Mapping[str, Signal]) -> float:
    """The strip of gauges at the lower edge; returns its upper edge."""
    u = canvas.unit
    top, cell = canvas.height - 38 * u, canvas.width / len(_GAUGES)
    canvas.panel(0, top, canvas.width, canvas.height)
    for i, gauge in enumerate(_GAUGES):
        value = signals[gauge.signal].value if gauge.signal in signals else None
        x = i * cell + 9 * u
        canvas.text(gauge.label, x, top + 12.5 * u, 6, GREY)
        shown = "unknown" if value is None else gauge.text(value)
        canvas.text(shown, x, top + 25.5 * u, 8, GREY if value is None else WHITE)
        _draw_bar(canvas, x, top + 30 * u, cell - 18 * u, None if value is None else value / gauge.full)
    return top


def _draw_bar(canvas: Canvas, x: float, y: float, width: float, share: float | None) -> None:
    canvas.fill(x, y, x + width, y + canvas.px(3), (72, 70, 68))
    if share:
        color = GREEN if share < 0.5 else YELLOW if share < 1 else RED
        canvas.fill(x, y, x + width * min(share, 1.0), y + canvas.px(3), color)


def _draw_alerts(canvas: Canvas, active: Sequence[Alert], now_s: float, bottom: float) -> None:
    """Banners stacked upwards from the strip, the most severe lowest."""
    u = canvas.unit
    for alert in sorted(active, key=lambda a: _SEVERITIES.index(a.severity), reverse=True):
        top = bottom - 23 * u
        color = SEVERITY_COLORS[alert.severity]
        canvas.panel(0, top, canvas.width, bottom - u, alpha=0.72)
        label = alert.severity.value.upper()
        tag = canvas.text_width(label, 7.5, bold=True) + 16 * u
        canvas.fill(0, top, tag, bottom - u, color)
        canvas.text(label, 8 * u, top + 15 * u, 7.5, DARK, bold=True)
        text = f"{alert.cause}  ({_seconds(now_s - alert.onset_s)})"
        told = canvas.fitted(text, canvas.width - tag - 16 * u, 8)
        canvas.text(told, tag + 8 * u, top + 15 * u, 8, WHITE)
        bottom = top
