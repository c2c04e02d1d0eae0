"""Is there a picture at all: brightness, contrast and sharpness of the whole frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dms.records import FrameState, ImageQuality, Luma

ROWS = 45
"""The frame is looked at on a grid of about this many rows: enough to tell a covered lens."""


def measure(image: Luma) -> ImageQuality:
    """Brightness, contrast and sharpness of a luma image, from a sparse grid of its pixels."""
    step = max(1, min(image.shape) // ROWS)
    grid = image[::step, ::step].astype(np.int16)
    return ImageQuality(
        brightness=float(grid.mean()),
        contrast=float(grid.std()),
        sharpness=float(np.abs(np.diff(grid, axis=1)).mean()) if grid.shape[1] > 1 else 0.0,
    )


class QualityStage:
    """Fills `quality`, on every frame."""

    name = "quality"

    def run(self, state: FrameState) -> FrameState:
        """Measure the frame."""
        return replace(state, seen=replace(state.seen, quality=measure(state.frame.image)))
