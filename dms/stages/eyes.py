"""The eye-tracking stage: landmarks, lid opening, gaze and head pose of the face in its crop."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dms.backends import Arrays
from dms.config import TrackingConfig
from dms.engines.contract import CONTRACTS
from dms.records import Direction, Eye, Eyes, FrameState
from dms.stages import filled
from dms.stages.glasses import GlassesLook
from dms.stages.tensors import Crop, eyes_crop
from dms.stages.views import View


def read(outputs: Arrays, crop: Crop, size: int, captured_s: float) -> Eyes:
    """Turn the engine's outputs for one crop into `Eyes`, in pixels of the frame."""
    to_frame = crop.to_frame(size)
    # The net counts the crop from 0 to 1 over its full width; pixel centres lie half a pixel inside.
    points = outputs["landmarks"][0] * size - 0.5
    landmarks = (points @ to_frame[:, :2].T + to_frame[:, 2]).astype(np.float32)
    lids = (outputs[name][0].tolist() for name in ("openness", "openness_sigma", "visibility"))
    right, left = (Eye(*eye) for eye in zip(*lids, strict=True))
    return Eyes(
        captured_s=captured_s,
        landmarks=landmarks,
        landmark_sigma=outputs["landmark_sigma"][0] * crop.side,
        right=right,
        left=left,
        gaze=_direction(outputs["gaze"][0], outputs["gaze_sigma"][0]),
        head=_direction(outputs["head"][0], outputs["head_sigma"][0]),
        presence=float(outputs["presence"][0, 0]),
    )


def _direction(angles: NDArray[np.float32], sigma: NDArray[np.float32]) -> Direction:
    yaw, pitch, *roll = angles.tolist()
    return Direction(yaw, pitch, float(sigma[0]), *roll)


class EyesStage:
    """Fills `eyes` wherever there is a face; None when the crop turns out to hold none."""

    name = "eyes"

    def __init__(self, view: View, config: TrackingConfig, glasses: GlassesLook | None = None) -> None:
        self._view = view
        self._glasses = glasses
        self._config = config
        self._size = CONTRACTS["eyes"].width

    def run(self, state: FrameState) -> FrameState:
        """Look into the face's crop."""
        if state.seen.face is None:
            return filled(state, eyes=None)
        crop = eyes_crop(state.seen.face.box)
        outputs = self._view.look(state, crop)
        eyes = read(outputs, crop, self._size, state.frame.captured_s)
        if not eyes.presence >= self._config.presence:
            return filled(state, eyes=None)
        return filled(state, eyes=self._with_glasses(state, eyes))

    def _with_glasses(self, state: FrameState, eyes: Eyes) -> Eyes:
        if self._glasses is None:
            return eyes
        followed = state.previous is not None and state.previous.eyes is not None
        frame = state.frame
        seen = self._glasses.look(frame.captured_s, frame.image, eyes.landmarks, same_face=followed)
        return replace(eyes, glasses=seen)
