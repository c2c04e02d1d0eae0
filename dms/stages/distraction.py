"""The distraction stage: phone, eating, smoking, hand on face, from the region round the driver's head."""

from __future__ import annotations

from dms.engines.contract import ACTIVITIES
from dms.records import Distraction, FrameState
from dms.stages import filled
from dms.stages.tensors import distraction_crop, landmark_box
from dms.stages.views import View


class DistractionStage:
    """Fills `distraction` when due; None when there is no face to place the region by."""

    name = "distraction"

    def __init__(self, view: View) -> None:
        self._view = view

    def run(self, state: FrameState) -> FrameState:
        """Look at the driver region."""
        if state.seen.eyes is None:
            return filled(state, distraction=None)
        if self.name not in state.due:
            return state
        crop = distraction_crop(landmark_box(state.seen.eyes.landmarks))
        probabilities = self._view.look(state, crop)["activity"][0]
        values = dict(zip(ACTIVITIES, probabilities.tolist(), strict=True))
        return filled(state, distraction=Distraction(state.frame.captured_s, **values))
