"""The fatigue stage: closed lids, yawn, covered mouth and squint, from the crop of eyes and mouth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dms.backends import Backend
from dms.engines.contract import CONTRACTS, FATIGUE_STATES
from dms.records import Fatigue, FrameState
from dms.stages.tensors import cut, fatigue_crop


class FatigueStage:
    """Fills `fatigue` when due; None when there are no landmarks to cut by."""

    name = "fatigue"

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        size = CONTRACTS["fatigue"].width
        self._input = np.zeros((1, 1, size, size), np.uint8)

    def run(self, state: FrameState) -> FrameState:
        """Look at eyes and mouth."""
        if state.seen.eyes is None:
            return replace(state, seen=replace(state.seen, fatigue=None))
        if self.name not in state.due:
            return state
        cut(state.frame.image, fatigue_crop(state.seen.eyes.landmarks), self._input[0, 0])
        probabilities = self._backend.infer({"image": self._input})["state"][0]
        values = dict(zip(FATIGUE_STATES, map(float, probabilities), strict=True))
        return replace(state, seen=replace(state.seen, fatigue=Fatigue(state.frame.captured_s, **values)))
