"""The fatigue stage: closed lids, yawn, covered mouth and squint, from the crop of eyes and mouth."""

from __future__ import annotations

from dms.engines.contract import FATIGUE_STATES
from dms.records import Fatigue, FrameState
from dms.stages import filled
from dms.stages.tensors import fatigue_crop
from dms.stages.views import View


class FatigueStage:
    """Fills `fatigue` when due; None when there are no landmarks to cut by."""

    name = "fatigue"

    def __init__(self, view: View) -> None:
        self._view = view

    def run(self, state: FrameState) -> FrameState:
        """Look at eyes and mouth."""
        if state.seen.eyes is None:
            return filled(state, fatigue=None)
        if self.name not in state.due:
            return state
        crop = fatigue_crop(state.seen.eyes.landmarks)
        probabilities = self._view.look(state, crop)["state"][0]
        values = dict(zip(FATIGUE_STATES, probabilities.tolist(), strict=True))
        return filled(state, fatigue=Fatigue(state.frame.captured_s, **values))
