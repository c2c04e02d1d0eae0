"""Is there a picture at all: the contrast of the whole frame."""

from __future__ import annotations

import cv2
import numpy as np

from dms.records import FrameState, ImageQuality, Luma
from dms.stages import filled

ROWS = 45
"""The frame is looked at on a grid of about this many rows: enough to tell a covered lens."""


def measure(image: Luma) -> ImageQuality:
    """The contrast of a luma image, from a sparse grid of its pixels."""
    step = max(1, min(image.shape) // ROWS)
    _, deviation = cv2.meanStdDev(np.ascontiguousarray(image[::step, ::step]))
    return ImageQuality(contrast=float(deviation[0, 0]))


class QualityStage:
    """Fills `quality`, on every frame."""

    name = "quality"

    def run(self, state: FrameState) -> FrameState:
        """Measure the frame."""
        return filled(state, quality=measure(state.frame.image))
