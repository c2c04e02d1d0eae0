"""Whether a set of pictures shows what the engines will meet: light, pose, lids, mouth, distance, hands.

Each facet sorts every picture into one of its bins; each bin wants its share of the set. The shares are small
and sum to at most 1: a set of the size asked for has room for all of them, however rare each is on the road.
A bin with the share 0 is counted and not asked for: whether there is infrared light depends on the camera.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from statistics import median

import numpy as np

from dms import landmarks as lm
from dms.evaluation.labels import SEEN, SHUT, Label
from dms.records import Box, Luma

DARK, BRIGHT, UNEVEN = 50.0, 190.0, 1.4
"""Mean grey level of the face that is dark or bright, and the ratio of its halves that is uneven."""
SKIN = (0.15, 0.3)
"""What is left off a face box at either side and above, in its sides: there light is measured."""
AHEAD_DEG, FAR_DEG, LEVEL_DEG = 12.0, 35.0, 12.0
WIDE = 0.65
"""Lid opening above which an eye is open, below it narrow."""
GAPING = 0.4
"""Inner lips' height over width from which a mouth is open."""
BACK, FORWARD = 0.87, 1.15
"""Face width over the usual one, of a driver who leans back or forward: a camera sits where it sits."""


@dataclass(frozen=True, slots=True)
class Bin:
    """A kind of picture: the share of a set it wants, and what its pictures show."""

    share: float
    shows: str


FACETS: Mapping[str, Mapping[str, Bin]] = {
    "face": {"none": Bin(0.03, "pictures without a face (empty seat, covered lens)")},
    "light": {
        "dark": Bin(0.05, "dark faces (night, garage)"),
        "normal": Bin(0.05, "evenly lit faces"),
        "bright": Bin(0.05, "bright faces (sun, strong illuminator)"),
        "uneven": Bin(0.05, "faces lit from one side (low sun)"),
    },
    "yaw": {
        "far left": Bin(0.03, f"faces turned beyond {FAR_DEG:g}° to the picture's left"),
        "left": Bin(0.05, "faces turned to the picture's left"),
        "ahead": Bin(0.05, "faces towards the camera"),
        "right": Bin(0.05, "faces turned to the picture's right"),
        "far right": Bin(0.03, f"faces turned beyond {FAR_DEG:g}° to the picture's right"),
    },
    "pitch": {
        "down": Bin(0.04, "faces bent down (lap, phone)"),
        "level": Bin(0.04, "level faces"),
        "up": Bin(0.03, "faces lifted up"),
    },
    "eyes": {
        "open": Bin(0.05, "open eyes"),
        "narrow": Bin(0.04, "narrow eyes (squint, half closed)"),
        "closed": Bin(0.05, "closed eyes"),
        "hidden": Bin(0.03, "hidden eyes (dark glasses, hand)"),
    },
    "mouth": {
        "shut": Bin(0.04, "shut mouths"),
        "open": Bin(0.04, "open mouths (yawn, speech)"),
        "covered": Bin(0.02, "covered mouths (mask, hand)"),
    },
    "distance": {
        "back": Bin(0.02, "drivers leaning back"),
        "usual": Bin(0.02, "drivers at the usual distance"),
        "forward": Bin(0.02, "drivers leaning forward"),
    },
    "hands": {
        "free": Bin(0.03, "drivers without anything at the face"),
        "at face": Bin(0.03, "phone, food, cigarette or hand at the face"),
    },
    "glasses": {
        "none": Bin(0.02, "drivers without glasses"),
        "clear": Bin(0.02, "drivers with clear glasses"),
        "dark": Bin(0.02, "drivers with dark glasses"),
    },
    "camera": {
        "visible": Bin(0.0, "faces in visible light"),
        "infrared": Bin(0.0, "faces in infrared light"),
    },
}
"""Sides of yaw are the picture's. Where a picture says nothing of a facet, it counts in none of its bins."""


@dataclass(frozen=True, slots=True)
class View:
    """Where one picture belongs: its bin by facet, and the face's width over the picture's (NaN without)."""

    bins: Mapping[str, str]
    width: float = nan


Counts = dict[str, dict[str, int]]


def view(label: Label, picture: Luma) -> View:
    """Sort one picture; `distance` waits for the whole set."""
    if not label.face:
        return View({"face": "none"})
    box = label.box
    bins = {
        "light": light(picture, box),
        "yaw": _yaw(label.head[0]),
        "pitch": _banded(label.head[1], -LEVEL_DEG, LEVEL_DEG, ("down", "level", "up")),
        "eyes": _eyes(label),
        "mouth": _mouth(label),
        "hands": _hands(label),
        "glasses": label.glasses,
        "camera": {None: "", True: "infrared", False: "visible"}[label.infrared],
    }
    width = box.width / picture.shape[1] if box else nan
    return View({facet: found for facet, found in bins.items() if found}, width)


def light(picture: Luma, box: Box | None) -> str:
    """How the face, or without one the whole picture, is lit."""
    height, width = picture.shape
    x1, y1, x2, y2 = (0.0, 0.0, float(width), float(height))
    if box is not None:  # without the hair, and what is beside a turned face
        x1, x2 = box.x1 + SKIN[0] * box.width, box.x2 - SKIN[0] * box.width
        y1, y2 = box.y1 + SKIN[1] * box.height, box.y2
    left, top = int(np.clip(x1, 0, width - 2)), int(np.clip(y1, 0, height - 1))
    face = picture[top : max(top + 1, round(y2)), left : max(left + 2, round(x2))]
    middle = face.shape[1] // 2
    halves = float(face[:, :middle].mean()) + 1, float(face[:, middle:].mean()) + 1
    if max(halves) / min(halves) >= UNEVEN:
        return "uneven"
    return _banded(sum(halves) / 2 - 1, DARK, BRIGHT, ("dark", "normal", "bright"))


def _banded(value: float, low: float, high: float, names: tuple[str, str, str]) -> str:
    if not isfinite(value):
        return ""
    return names[0] if value < low else names[2] if value > high else names[1]


def _yaw(yaw_deg: float) -> str:
    side = _banded(yaw_deg, -AHEAD_DEG, AHEAD_DEG, ("left", "ahead", "right"))
    return f"far {side}" if abs(yaw_deg) > FAR_DEG else side


def _eyes(label: Label) -> str:
    opening = [o for o, seen in zip(label.openness, label.visibility, strict=True) if not seen <= SEEN]
    if not opening:
        return "hidden"
    known = [o for o in opening if isfinite(o)]
    if not known:
        return label.eyes
    return _banded(sum(known) / len(known), SHUT, WIDE, ("closed", "narrow", "open"))


def _mouth(label: Label) -> str:
    if label.mouth_covered:
        return "covered"
    gape = _gape(label)
    if label.yawn or gape > GAPING:
        return "open"
    return "shut" if label.yawn is False or gape <= GAPING else ""


def _gape(label: Label) -> float:
    if label.landmarks is None:
        return nan
    top, bottom, right, left = label.landmarks[[*lm.INNER_MOUTH]]
    return float(np.linalg.norm(bottom - top) / max(np.linalg.norm(right - left), 1e-6))


def _hands(label: Label) -> str:
    if not label.activity:
        return ""
    return "free" if label.activity == ("none",) else "at face"


def tally(views: Sequence[View]) -> Counts:
    """How many pictures each bin of each facet has."""
    counts = {facet: dict.fromkeys(bins, 0) for facet, bins in FACETS.items()}
    for one in views:
        for facet, found in one.bins.items():
            counts[facet][found] += 1
    usual = usual_width(views)
    for one in views:
        if place := distance(one, usual):
            counts["distance"][place] += 1
    return counts


def usual_width(views: Sequence[View]) -> float:
    """The usual width of the face in this set; NaN without faces."""
    widths = [one.width for one in views if isfinite(one.width)]
    return median(widths) if widths else nan


def distance(one: View, usual: float) -> str:
    """Whether the driver leans back or forward, by the usual width of the set."""
    return _banded(one.width / usual, BACK, FORWARD, ("back", "usual", "forward"))


def wanted(count: int) -> Counts:
    """How many pictures each bin wants in a set of `count`."""
    return {
        facet: {
            name: max(1, int(kind.share * count + 1e-6)) if kind.share else 0 for name, kind in bins.items()
        }
        for facet, bins in FACETS.items()
    }


def lacking(counts: Counts, count: int) -> dict[tuple[str, str], int]:
    """Pictures still missing, by facet and bin; bins that have enough are left out."""
    missing = {
        (facet, name): want - counts[facet][name]
        for facet, bins in wanted(count).items()
        for name, want in bins.items()
    }
    return {place: n for place, n in missing.items() if n > 0}
