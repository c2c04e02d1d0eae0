"""What the whole picture is like: levels, detail, change, and whether the camera still looks where it did."""

from __future__ import annotations

import zlib

import cv2
import numpy as np

from dms.config.assess import AvailabilityConfig
from dms.records import Box, FrameState, ImageQuality, Luma
from dms.stages import filled
from dms.stages.scenery import Scenery

ROWS = 45
"""The frame is looked at on a grid of about this many rows: enough to tell a covered lens."""
SATURATED = 250
"""From this luma on a pixel counts as saturated."""
FAR = 8
"""Fine detail is measured against differences over this many times its own distance."""
LEGIBLE_CONTRAST = 10.0
"""The view is learned only from pictures of this luma deviation: well above one that shows nothing."""
VIEW_EVERY_S = 0.5
"""The view is compared this often: a camera that moved shows for longer."""
FAINT_EVERY_S = 0.1
"""And this often in a picture nothing is learned from, to tell at once a dark cabin from a covered lens."""


class QualityStage:
    """Fills `quality`, on every frame. Remembers the picture before, and the view."""

    name = "quality"

    def __init__(self, config: AvailabilityConfig) -> None:
        """Take what passes for dark or glaring: the view is not learned from that."""
        self._config = config
        self._grid: Luma | None = None
        self._digest: int | None = None
        self._scenery = Scenery()
        self._driver: Box | None = None
        self._view: float | None = None
        self._view_s: float | None = None

    def run(self, state: FrameState) -> FrameState:
        """Measure the frame."""
        image = state.frame.image
        step = max(1, min(image.shape) // ROWS)
        rows = np.ascontiguousarray(image[::step])
        grid = np.ascontiguousarray(rows[:, ::step])
        mean, deviation = (float(moment[0, 0]) for moment in cv2.meanStdDev(grid))
        saturated = float(np.count_nonzero(grid >= SATURATED) / grid.size)
        config = self._config
        in_light = mean >= config.dark_brightness and saturated < config.glare_saturated
        quality = ImageQuality(
            contrast=deviation,
            brightness=mean,
            saturated=saturated,
            sharpness=_sharpness(rows, max(1, step // FAR)),
            change=self._change(image, grid),
            view=self._compare(state, rows, in_light and deviation >= LEGIBLE_CONTRAST),
        )
        return filled(state, quality=quality)

    def _change(self, image: Luma, grid: Luma) -> float | None:
        """Mean difference to the picture before, by the grid; 0 only if every pixel is the same."""
        before, self._grid = self._grid, grid
        if before is None or before.shape != grid.shape:
            self._digest = None
            return None
        change = cv2.norm(grid, before, cv2.NORM_L1) / grid.size
        if change > 0:
            self._digest = None
            return change
        # The whole picture is looked at only where the grid is the same: the first repetition is not proven.
        digest, self._digest = self._digest, zlib.crc32(np.ascontiguousarray(image).data)
        return 0.0 if digest == self._digest else 1 / image.size

    def _compare(self, state: FrameState, rows: Luma, legible: bool) -> float | None:
        now_s = state.frame.captured_s
        elapsed_s = VIEW_EVERY_S if self._view_s is None else now_s - self._view_s
        if 0 <= elapsed_s < (VIEW_EVERY_S if legible else FAINT_EVERY_S):
            return self._view
        self._view_s = now_s
        if state.previous is not None and state.previous.face is not None:
            self._driver = state.previous.face.box
        # what lies in a gap was not seen, and a picture that is dark, glaring or empty teaches nothing
        elapsed_s = min(max(0.0, elapsed_s), 2 * VIEW_EVERY_S) if legible else 0.0
        self._view = self._scenery.compare(rows, self._driver, state.frame.image.shape, elapsed_s)
        return self._view


def _sharpness(rows: Luma, near: int) -> float | None:
    """Power of differences over `near` pixels as a percentage of that over `FAR` times as many."""
    far = FAR * near
    if rows.shape[1] <= far:
        return None
    power = cv2.norm(rows[:, far:], rows[:, :-far], cv2.NORM_L2SQR) / (rows.shape[1] - far)
    if power == 0:
        return 0.0
    fine = cv2.norm(rows[:, near:], rows[:, :-near], cv2.NORM_L2SQR) / (rows.shape[1] - near)
    return float(100 * fine / power)
