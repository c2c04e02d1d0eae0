"""Is there a picture at all: the contrast of the whole frame."""

from __future__ import annotations

from dataclasses import replace

from dms.records import FrameState, ImageQuality, Luma

ROWS = 45
"""The frame is looked at on a grid of about this many rows: enough to tell a covered lens."""


def measure(image: Luma) -> ImageQuality:
    """The contrast of a luma image, from a sparse grid of its pixels."""
    step = max(1, min(image.shape) // ROWS)
    grid = image[::step, ::step]
    return ImageQuality(contrast=float(grid.std()))


class QualityStage:
    """Fills `quality`, on every frame."""

    name = "quality"

    def run(self, state: FrameState) -> FrameState:
        """Measure the frame."""
        return replace(state, seen=replace(state.seen, quality=measure(state.frame.image)))
