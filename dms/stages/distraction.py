"""The distraction stage: phone, eating, smoking, hand on face, from the region round the driver's head."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dms.backends import Backend
from dms.engines.contract import ACTIVITIES, CONTRACTS
from dms.records import Distraction, FrameState
from dms.stages.tensors import cut, distraction_crop, landmark_box


class DistractionStage:
    """Fills `distraction` when due; None when there is no face to place the region by."""

    name = "distraction"

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        size = CONTRACTS["distraction"].width
        self._input = np.zeros((1, 1, size, size), np.uint8)

    def run(self, state: FrameState) -> FrameState:
        """Look at the driver region."""
        if state.seen.eyes is None:
            return replace(state, seen=replace(state.seen, distraction=None))
        if self.name not in state.due:
            return state
        cut(state.frame.image, distraction_crop(landmark_box(state.seen.eyes.landmarks)), self._input[0, 0])
        probabilities = self._backend.infer({"image": self._input})["activity"][0]
        values = dict(zip(ACTIVITIES, map(float, probabilities), strict=True))
        seen = replace(state.seen, distraction=Distraction(state.frame.captured_s, **values))
        return replace(state, seen=seen)
