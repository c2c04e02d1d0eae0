"""A calibration set drawn by the simulator: the shipped portrait in every light and pose, with exact truth.

What each picture shows is dealt out, not thrown: every kind of light, lids, mouth and hands comes in its
share whatever the seed, and yaw and pitch are spread evenly over their ranges.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import nan
from pathlib import Path

import cv2
import numpy as np

from dms.errors import InputError
from dms.evaluation import labels as notes
from dms.evaluation.boxes import BOX_ROUND_LANDMARKS, landmark_boxes, relative_box
from dms.evaluation.labels import Label
from dms.files import write_bytes_atomically
from dms.records import Box, Luma
from dms.simulator.portrait import Image, load_portrait
from dms.simulator.render import Renderer, Shape
from dms.simulator.rig import Pose
from dms.simulator.scene import Optics, cabin, expose
from dms.simulator.view import View, Worn

WIDTH, HEIGHT = 320, 200
JPEG_QUALITY = 90
YAW_DEG, PITCH_DEG = (-50.0, 50.0), (-22.0, 20.0)
PERSON = "portrait"
"""One portrait is one person: intervals over people, and `check`, shall know."""
EMPTY = 0.08
"""Share of pictures without a driver."""
YAWNING, TALKING = 0.5, 0.25
"""Mouth opening of a yawn, and below which nobody yawns; between, nothing is said."""
BRIGHTNESS = {"normal": (0.65, 1.0), "dark": (0.16, 0.34), "bright": (1.2, 1.55), "side": (0.55, 0.9)}
NIR_GAIN = 0.7
"""The infrared look is brighter by itself: no face shall burn out."""
LIDS = {"open": 0.42, "half": 0.22, "shut": 0.28, "one shut": 0.08}
LIGHT = {"normal": 0.35, "dark": 0.22, "bright": 0.20, "side": 0.23}
HANDS = {"none": 0.70, "phone_at_ear": 0.12, "phone_in_hand": 0.10, "hand_on_face": 0.08}
WORN = {"nothing": 0.78, "sunglasses": 0.12, "mask": 0.10}
MOUTH = {"shut": 0.72, "open": 0.28}
INFRARED = {"no": 0.6, "yes": 0.4}


@dataclass(frozen=True, slots=True)
class Plan:
    """What one picture shows."""

    yaw_deg: float
    pitch_deg: float
    lids: str
    light: str
    hands: str
    worn: str
    mouth: str
    infrared: bool


def draw(
    out: Path, count: int, seed: int, portrait: str = "default", told: Callable[[], None] = lambda: None
) -> list[Label]:
    """Draw `count` pictures of 320x200 with their labels into the new or empty folder `out`.

    Raises:
        InputError: the folder holds pictures already, or cannot be written to; the portrait is wrong.
    """
    _require_empty(out)
    rng = np.random.default_rng(seed)
    renderer = Renderer(load_portrait(portrait))
    empty = round(EMPTY * count)
    plans: list[Plan | None] = [*_plans(count - empty, rng), *[None] * empty]
    labels = []
    for number, at in enumerate(rng.permutation(count), 1):
        plan = plans[at]
        path = f"{number:04d}.jpg"
        picture, label = _empty_seat(rng, path) if plan is None else _picture(renderer, plan, rng, path)
        jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
        write_bytes_atomically(out / path, jpeg.tobytes())
        labels.append(label)
        told()
    notes.write(out, labels)
    return labels


def _require_empty(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise InputError(f"cannot make the folder {out}: {e.strerror}") from e
    if (out / notes.LABELS).exists() or any(out.glob("*.jpg")):
        raise InputError(f"{out} holds labelled pictures already: remove them first, or give another folder")


def _plans(count: int, rng: np.random.Generator) -> list[Plan]:
    yaw, pitch = (_spread(count, bounds, rng) for bounds in (YAW_DEG, PITCH_DEG))
    lids, light, hands, worn, mouth, infrared = (
        _dealt(kinds, count, rng) for kinds in (LIDS, LIGHT, HANDS, WORN, MOUTH, INFRARED)
    )
    return [
        Plan(yaw[k], pitch[k], lids[k], light[k], hands[k], worn[k], mouth[k], infrared[k] == "yes")
        for k in range(count)
    ]


def _spread(count: int, bounds: tuple[float, float], rng: np.random.Generator) -> list[float]:
    """Values all over a range, one in each of `count` equal parts, in random order."""
    low, high = bounds
    places = (rng.permutation(count) + rng.uniform(0, 1, count)) / max(1, count)
    return [float(low + (high - low) * place) for place in places]


def _dealt(kinds: dict[str, float], count: int, rng: np.random.Generator) -> list[str]:
    """`count` kinds in their shares, in random order."""
    edges = np.rint(np.cumsum([0.0, *kinds.values()]) * count).astype(int)
    dealt = [kind for kind, n in zip(kinds, np.diff(edges), strict=True) for _ in range(n)]
    return [dealt[k] for k in rng.permutation(count)]


def _picture(renderer: Renderer, plan: Plan, rng: np.random.Generator, path: str) -> tuple[Luma, Label]:
    pose, worn, view = _pose(plan, rng), _worn(plan, rng), _view(plan, rng)
    frame = _seat(rng)
    shape = renderer.render(frame, pose, view, worn)
    brightness = rng.uniform(*BRIGHTNESS[plan.light]) * (NIR_GAIN if plan.infrared else 1)
    noise = rng.uniform(4, 8) if plan.light == "dark" else rng.uniform(0.5, 3)
    optics = Optics(float(brightness), plan.infrared * float(rng.uniform(0.7, 1)), float(noise))
    grey = _grey(expose(frame, optics, rng))
    if rng.random() < 0.2:
        grey = np.asarray(cv2.GaussianBlur(grey, (0, 0), float(rng.uniform(0.5, 1.1))), np.uint8)
    return grey, _truth(path, plan, pose, shape)


def _pose(plan: Plan, rng: np.random.Generator) -> Pose:
    both = {"open": rng.uniform(0.85, 1), "half": rng.uniform(0.25, 0.6)}.get(plan.lids, 0.0)
    right, left = (both, both) if plan.lids != "one shut" else rng.permutation([0.0, 1.0])
    return Pose(
        yaw_deg=plan.yaw_deg,
        pitch_deg=plan.pitch_deg,
        roll_deg=float(np.clip(rng.normal(0, 6), -15, 15)),
        gaze_yaw_deg=float(rng.uniform(-28, 28)),
        gaze_pitch_deg=float(rng.uniform(-18, 14)),
        open_right=float(right),
        open_left=float(left),
        jaw=float(rng.uniform(0.35, 1)) if plan.mouth == "open" else 0.0,
    )


def _worn(plan: Plan, rng: np.random.Generator) -> Worn:
    phone = {"phone_at_ear": "ear", "phone_in_hand": "hand"}.get(plan.hands, "none")
    return Worn(
        sunglasses=plan.worn == "sunglasses",
        mask=plan.worn == "mask",
        phone=phone,
        phone_on_right=bool(rng.random() < 0.5),
        hand_on_face=plan.hands == "hand_on_face",
    )


def _view(plan: Plan, rng: np.random.Generator) -> View:
    face = float(rng.uniform(0.30, 0.56)) * HEIGHT
    center = (
        WIDTH * (0.5 + float(rng.uniform(-0.12, 0.12))),
        HEIGHT * (0.56 + float(rng.uniform(-0.04, 0.06))),
    )
    side = float(rng.choice([-1, 1]) * rng.uniform(0.65, 1)) if plan.light == "side" else 0.0
    return View(center, face, side, float(plan.infrared) * float(rng.uniform(0, 0.7)))


def _seat(rng: np.random.Generator) -> Image:
    """An empty cabin, of either hand and some other tone."""
    frame = cabin(WIDTH, HEIGHT)
    if rng.random() < 0.5:
        frame = np.ascontiguousarray(frame[:, ::-1])
    return np.asarray(cv2.convertScaleAbs(frame, alpha=float(rng.uniform(0.5, 1.15))), np.uint8)


def _empty_seat(rng: np.random.Generator, path: str) -> tuple[Luma, Label]:
    """The cabin without a driver, from nearer or farther, or a covered lens."""
    grown = cv2.resize(_seat(rng), None, fx=(scale := float(rng.uniform(1, 1.7))), fy=scale)
    y, x = (
        int(rng.integers(0, have - want + 1))
        for have, want in zip(grown.shape, (HEIGHT, WIDTH), strict=False)
    )
    infrared = bool(rng.random() < INFRARED["yes"])
    blocked = 0.95 if rng.random() < 0.25 else 0.0
    optics = Optics(float(rng.uniform(0.25, 1.3)), float(infrared), float(rng.uniform(1, 6)), blocked)
    frame = np.asarray(grown[y : y + HEIGHT, x : x + WIDTH], np.uint8)
    return _grey(expose(frame, optics, rng)), Label(path, by="truth", face=False, infrared=infrared)


def _grey(frame: Image) -> Luma:
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), np.uint8)


def _truth(path: str, plan: Plan, pose: Pose, shape: Shape) -> Label:
    points = shape.landmarks.astype(np.float32)
    box = relative_box(landmark_boxes(points[None]), BOX_ROUND_LANDMARKS)[0]
    inside = np.all((points >= 0) & (points <= [WIDTH, HEIGHT]), axis=1)
    masked = plan.worn == "mask"
    vague = masked or TALKING <= shape.mouth_open <= YAWNING
    looks = min(shape.visibility) > 0 and min(pose.open_right, pose.open_left) > 0
    return Label(
        path,
        by="truth",
        person=PERSON,
        box=Box(*map(float, np.clip(box, 0, [WIDTH, HEIGHT] * 2))),
        yawn=None if vague else shape.mouth_open > YAWNING,
        mouth_covered=masked,
        glasses="dark" if plan.worn == "sunglasses" else "none",
        activity=(plan.hands,),
        infrared=plan.infrared,
        head=(pose.yaw_deg, pose.pitch_deg, pose.roll_deg),
        gaze=pose.gaze_in_camera if looks else (nan, nan),
        openness=(pose.open_right, pose.open_left),
        visibility=shape.visibility,
        landmarks=np.where(inside[:, None], points, np.float32(nan)),
    )
