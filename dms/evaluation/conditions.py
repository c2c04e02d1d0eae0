"""What a cabin does to a picture: light, lens and sensor, strong enough to show where an engine breaks.

Every condition takes a grey picture (height, width), the landmarks of the faces in it (k, 60, 2) and a seeded
generator, and returns a picture of the same size: labels stay valid. They are written apart from the
augmentation of the training on purpose, so that an engine is not asked for what it was drilled in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dms import landmarks as lm
from dms.evaluation import worn
from dms.evaluation.inputs import Images

Array = NDArray[Any]
Change = Callable[[Images, Array, np.random.Generator], Images]

FRAME_WIDTH = 640
"""Width of the run time's frames in pixels: what a face's share of the frame means."""


@dataclass(frozen=True)
class Condition:
    """`hides` names what cannot be judged any more: `eyes`, `mouth`."""

    name: str
    label: str
    change: Change
    hides: frozenset[str] = frozenset()


def face_width(faces: Array) -> float:
    """Width in pixels of the largest face; 100 where there is none."""
    return float(np.ptp(faces[..., 0], axis=1).max()) if len(faces) else 100.0


def _grown(picture: Images) -> Array:
    return picture.astype(np.float32)


def _exposed(light: Array) -> Images:
    return np.clip(np.rint(light), 0, 255).astype(np.uint8)


def unchanged(picture: Images, faces: Array, rng: np.random.Generator) -> Images:
    """As it is."""
    return picture


def near_infrared(picture: Images, faces: Array, rng: np.random.Generator) -> Images:
    """A lamp beside the lens: pale flat skin, a dark room, dark irises with bright pupils, glints."""
    height, width = picture.shape
    light = 255 * (_grown(picture) / 255) ** 0.55
    y, x = np.mgrid[:height, :width].astype(np.float32)
    center = faces[0].mean(axis=0) if len(faces) else np.array([width / 2, height / 2])
    reach = 1.1 * face_width(faces)
    fall = 1 / (1 + ((x - center[0]) ** 2 + (y - center[1]) ** 2) / reach**2)
    light *= 0.12 + 0.95 * fall
    for face in faces:
        span = float(np.ptp(face[:, 0]))
        for name in ("right_iris", "left_iris"):
            at = face[lm.INDEX[name]]
            near = (x - at[0]) ** 2 + (y - at[1]) ** 2
            if _open(face, name):
                light += 90 * np.exp(-near / (2 * (0.013 * span) ** 2))
                glint = (x - at[0] - 0.012 * span) ** 2 + (y - at[1] + 0.012 * span) ** 2
                light += 160 * np.exp(-glint / (2 * (0.006 * span + 0.3) ** 2))
    return _exposed(light + rng.normal(0, 4, light.shape))


def _open(face: Array, iris: str) -> bool:
    side = iris.removesuffix("_iris")
    top, bottom = (face[lm.INDEX[f"{side}_{lid}_lid_mid"]] for lid in ("upper", "lower"))
    corners = face[[lm.INDEX[f"{side}_eye_outer"], lm.INDEX[f"{side}_eye_inner"]]]
    return bool(np.linalg.norm(top - bottom) > 0.18 * np.linalg.norm(corners[0] - corners[1]))


def one_lux(picture: Images, faces: Array, rng: np.random.Generator) -> Images:
    """A nearly dark cabin at full gain: few photons, read-out noise, banding, a veil of black level."""
    photons = 18.0 * (_grown(picture) / 255) ** 1.2
    seen = rng.poisson(photons).astype(np.float32) + rng.normal(0, 1.5, photons.shape)
    rows = rng.normal(0, 0.5, (len(picture), 1))
    return _exposed(14 + 7.0 * cv2.GaussianBlur((seen + rows).astype(np.float32), (0, 0), 0.6))


def low_sun(picture: Images, faces: Array, rng: np.random.Generator) -> Images:
    """Sun through the side window: half the face burnt out, the other half in shade, a veil over all."""
    height, width = picture.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    span = face_width(faces)
    nose = faces[0][lm.INDEX["nose_bridge"]] if len(faces) else np.array([width / 2, height / 2])
    side = 1.0 if rng.random() < 0.5 else -1.0
    edge = side * (x - nose[0]) + 0.25 * (y - nose[1])
    lit = 1 / (1 + np.exp(-np.clip(edge / (0.04 * span), -30, 30)))
    light = _grown(picture)
    return _exposed(light * (0.4 + 1.5 * lit) + 20 + 25 * lit)


def motion_blur(picture: Images, faces: Array, rng: np.random.Generator) -> Images:
    """A jolt during the exposure: smeared by 8 % of the face's width, mostly sideways."""
    length = max(3.0, 0.08 * face_width(faces))
    size = int(np.ceil(length)) | 1
    angle = rng.uniform(-0.5, 0.5)
    kernel = np.zeros((size, size), np.float32)
    middle, reach = size // 2, length / 2
    ends = [(middle + s * reach * np.cos(angle), middle + s * reach * np.sin(angle)) for s in (-1, 1)]
    a, b = (tuple(round(float(16 * v)) for v in end) for end in ends)
    cv2.line(kernel, a, b, 1.0, 1, cv2.LINE_AA, 4)
    return np.asarray(cv2.filter2D(picture, -1, kernel / kernel.sum()), np.uint8)


def defocus(picture: Images, faces: Array, rng: np.random.Generator) -> Images:
    """A lens focused elsewhere: a disc of 5 % of the face's width."""
    radius = max(1.0, 0.025 * face_width(faces))
    size = 2 * int(np.ceil(radius)) + 1
    y, x = np.mgrid[:size, :size] - size // 2
    disc = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1).astype(np.float32)
    return np.asarray(cv2.filter2D(picture, -1, disc / disc.sum()), np.uint8)


def jpeg(picture: Images, faces: Array, rng: np.random.Generator) -> Images:
    """Compressed hard, quality 12."""
    data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 12])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)


def seen_from(share: float) -> Change:
    """The detail a face keeps that is `share` of the frame's width wide; its size in the picture stays."""

    def change(picture: Images, faces: Array, rng: np.random.Generator) -> Images:
        factor = share * FRAME_WIDTH / face_width(faces)
        if factor >= 1:
            return picture
        small = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        back = cv2.resize(small, picture.shape[::-1], interpolation=cv2.INTER_LINEAR)
        return np.asarray(back, np.uint8)

    return change


REACH = 1.0
"""What is worn lies within this many face sizes of the landmarks' box."""


def _each(draw: Callable[[Images, Array, np.random.Generator], Images]) -> Change:
    """The drawing done for every face, on the part of the picture round it."""

    def change(picture: Images, faces: Array, rng: np.random.Generator) -> Images:
        picture = picture.copy()
        for face in faces:
            margin = REACH * float(np.ptp(face, axis=0).max())
            x1, y1 = np.maximum(face.min(axis=0) - margin, 0).astype(int)
            x2, y2 = np.ceil(face.max(axis=0) + margin).astype(int)
            part = picture[y1:y2, x1:x2]
            if part.size:
                picture[y1:y2, x1:x2] = draw(part, face - np.array([x1, y1], np.float32), rng)
        return picture

    return change


EYES, MOUTH = frozenset({"eyes"}), frozenset({"mouth"})
CONDITIONS: tuple[Condition, ...] = (
    Condition("as_is", "as it is", unchanged),
    Condition("near_infrared", "near-infrared look", near_infrared),
    Condition("one_lux", "1 lux noise", one_lux),
    Condition("low_sun", "low sun over half the face", low_sun),
    Condition("motion_blur", "motion blur, 8 % of the face", motion_blur),
    Condition("defocus", "defocus, 5 % of the face", defocus),
    Condition("jpeg", "JPEG quality 12", jpeg),
    Condition("clear_glasses", "clear glasses with glare", _each(worn.clear_glasses)),
    Condition("sunglasses", "sunglasses", _each(worn.sunglasses), EYES),
    Condition("hand_over_eyes", "hand over the eyes", _each(worn.hand_over_eyes), EYES),
    Condition("mask", "mask", _each(worn.mask), MOUTH),
    Condition("cap", "cap down to the brows", _each(worn.cap)),
    Condition("width_40", "face 40 % of the frame", seen_from(0.40)),
    Condition("width_20", "face 20 % of the frame", seen_from(0.20)),
    Condition("width_10", "face 10 % of the frame", seen_from(0.10)),
    Condition("width_05", "face 5 % of the frame", seen_from(0.05)),
)
WIDTHS = {"width_40": 0.40, "width_20": 0.20, "width_10": 0.10, "width_05": 0.05}
"""For the `face` engine these are placed in the frame at that size."""
