"""What there is to perceive for a while, and what perfect engines would say of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from dms import landmarks
from dms.records import (
    Box,
    Direction,
    Distraction,
    Eye,
    Eyes,
    Face,
    Fatigue,
    ImageQuality,
    Observation,
)

_LANDMARKS = np.zeros((landmarks.COUNT, 2), np.float32)
_LANDMARK_SIGMA = np.zeros(landmarks.COUNT, np.float32)
_BOX = Box(240.0, 100.0, 400.0, 300.0)

PLACES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "road": (0.0, 0.0),
        "cluster": (4.0, -25.0),
        "wheel_top": (5.0, -24.0),
        "dash_phone": (23.0, -13.0),
        "inner_mirror": (29.0, 16.0),
        "centre_stack": (33.0, -20.0),
        "driver_mirror": (-39.0, -12.0),
        "passenger_mirror": (46.0, -6.0),
        "lap": (13.0, -50.0),
        "glovebox": (53.0, -23.0),
        "passenger_footwell": (53.0, -40.0),
        "passenger_face": (82.0, 4.0),
        "driver_window": (-80.0, 0.0),
    }
)
"""Where things are in a left-hand-drive saloon, in the driver's frame: yaw + to his right, pitch + up; deg.

Rough figures for one car. They are kept apart from the cabin files on purpose: a test that read those would
agree with every mistake in them.
"""


@dataclass(frozen=True, slots=True)
class Scene:
    """What there is to perceive for a while. Angles in degrees, openness and probabilities 0 to 1."""

    face: bool = True
    lifeless: bool = False
    """What the detector takes for a face is a headrest or a poster: the eyes engine finds none in it."""
    contrast: float = 50.0
    openness: float = 0.9
    closed: float | None = None
    """Closed probability of the fatigue engine; None = it agrees with `openness`."""
    openness_to: float | None = None
    """Openness moves evenly to this by the end of the scene."""
    visibility: float = 1.0
    head_yaw_deg: float = 0.0
    head_pitch_deg: float = 0.0
    gaze_yaw_deg: float = 0.0
    gaze_pitch_deg: float = 0.0
    yawn: float = 0.0
    mouth_covered: float = 0.0
    phone: float = 0.0
    eating: float = 0.0
    smoking: float = 0.0
    hand_on_face: float = 0.0
    squint: float = 0.0
    openness_sigma: float = 0.05
    gaze_sigma_deg: float = 6.0
    head_sigma_deg: float = 3.0
    hidden_eye: str | None = None
    """`right` or `left`: this eye alone cannot be seen."""
    shut_eye: str | None = None
    """`right` or `left`: this eye alone is shut."""
    glasses: float | None = None
    rival: float | None = None
    brightness: float | None = 120.0
    saturated: float | None = 0.0
    sharpness: float | None = 8.0
    change: float | None = 3.0
    view: float | None = 0.95
    faults: tuple[str, ...] = ()
    """Stages that fail: nothing of theirs is found."""
    age_s: float = 0.0
    """How old all results are."""
    no_picture: bool = False
    """The camera is lost: moments without a frame."""
    silent: bool = False
    """No observation at all: frames are lost."""

    def after(self, share: float) -> Scene:
        """The scene when this share of it is over."""
        if self.openness_to is None:
            return self
        return replace(self, openness=self.openness + share * (self.openness_to - self.openness))


def perceive(scene: Scene, now_s: float, frame_id: int, noise_deg: float = 0.0) -> Observation:
    """What perfect engines would say of a scene, with `noise_deg` added to the gaze."""
    if scene.no_picture:
        return Observation(now_s, frame_id=-1)
    quality = ImageQuality(
        scene.contrast, scene.brightness, scene.saturated, scene.sharpness, scene.change, scene.view
    )
    faults = {stage: f"{stage} failed" for stage in scene.faults}
    if not scene.face or "face" in faults:
        return Observation(now_s, frame_id, quality, faults=faults)
    seen_s = now_s - scene.age_s
    return Observation(
        captured_s=now_s,
        frame_id=frame_id,
        quality=quality,
        face=Face(now_s, _BOX, 0.99, tracked=True, rival=scene.rival),
        eyes=None if scene.lifeless or "eyes" in faults else _eyes(scene, seen_s, noise_deg),
        fatigue=None if scene.lifeless or "fatigue" in faults else _fatigue(scene, seen_s),
        distraction=None if scene.lifeless or "distraction" in faults else _distraction(scene, seen_s),
        faults=faults,
    )


def _eyes(scene: Scene, seen_s: float, noise_deg: float) -> Eyes:
    gaze = Direction(scene.gaze_yaw_deg + noise_deg, scene.gaze_pitch_deg, scene.gaze_sigma_deg)
    head = Direction(scene.head_yaw_deg, scene.head_pitch_deg, scene.head_sigma_deg)
    right, left = _eye(scene, "right"), _eye(scene, "left")
    return Eyes(seen_s, _LANDMARKS, _LANDMARK_SIGMA, right, left, gaze, head, 0.99, scene.glasses)


def _eye(scene: Scene, side: str) -> Eye:
    openness = 0.05 if scene.shut_eye == side else scene.openness
    return Eye(openness, scene.openness_sigma, 0.1 if scene.hidden_eye == side else scene.visibility)


def _fatigue(scene: Scene, seen_s: float) -> Fatigue:
    closed = 1.0 - scene.openness if scene.closed is None else scene.closed
    right, left = (0.95 if scene.shut_eye == side else closed for side in ("right", "left"))
    return Fatigue(seen_s, right, left, scene.yawn, scene.mouth_covered, scene.squint)


def _distraction(scene: Scene, seen_s: float) -> Distraction:
    hands = (0.0, scene.phone, scene.eating, scene.smoking, scene.hand_on_face)
    return Distraction(seen_s, *hands, none=max(0.0, 1.0 - sum(hands)))
