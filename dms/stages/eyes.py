"""The eye-tracking stage: landmarks, lid opening, gaze and head pose of the face in its crop."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dms.backends import Arrays
from dms.config import TrackingConfig
from dms.engines.contract import CONTRACTS
from dms.records import Direction, Eye, Eyes, FrameState
from dms.stages.tensors import Crop, eyes_crop
from dms.stages.views import View


def read(outputs: Arrays, crop: Crop, size: int, captured_s: float) -> Eyes:
    """Turn the engine's outputs for one crop into `Eyes`, in pixels of the frame."""
    to_frame = crop.to_frame(size)
    # The net counts the crop from 0 to 1 over its full width; pixel centres lie half a pixel inside.
    points = outputs["landmarks"][0] * size - 0.5
    landmarks = (points @ to_frame[:, :2].T + to_frame[:, 2]).astype(np.float32)
    openness, sigma, visibility = (outputs[n][0] for n in ("openness", "openness_sigma", "visibility"))
    right, left = (Eye(float(openness[i]), float(sigma[i]), float(visibility[i])) for i in (0, 1))
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
    yaw, pitch, *roll = map(float, angles)
    return Direction(yaw, pitch, float(sigma[0]), *roll)


class EyesStage:
    """Fills `eyes` wherever there is a face; None when the crop turns out to hold none."""

    name = "eyes"

    def __init__(self, view: View, config: TrackingConfig) -> None:
        self._view = view
        self._config = config
        self._size = CONTRACTS["eyes"].width

    def run(self, state: FrameState) -> FrameState:
        """Look into the face's crop."""
        if state.seen.face is None:
            return replace(state, seen=replace(state.seen, eyes=None))
        crop = eyes_crop(state.seen.face.box)
        outputs = self._view.look(state, crop)
        eyes = read(outputs, crop, self._size, state.frame.captured_s)
        return replace(
            state, seen=replace(state.seen, eyes=eyes if eyes.presence >= self._config.presence else None)
        )
