"""The still parts of the picture, learned slowly: a camera that is moved or turned no longer sees them.

The picture is taken as the slopes of its brightness between neighbouring cells of a coarse grid, compressed,
so that light and exposure matter little. Each slope counts by how steep and how steady it has been: scenery
behind the windows and people on the move weigh next to nothing, the driver's place nothing at all.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dms.records import Box, Luma

COLUMNS, ROWS = 40, 22
"""Cells of the grid: a camera of 60 degrees that turns by 5 moves its picture by more than three of them."""
LEARN_S = 4.0
"""A slope seen for so long is known."""
MEMORY_S = 120.0
"""The known slopes follow slow changes, of the light for one, in about this time."""
RELEARN_S = 20.0
"""A view that is strange for so long has become the view."""
STRANGE = 0.6
"""A likeness below this is strange: nothing is learned from it."""
LEAST = 30.0
"""Slopes of each direction, by weight, that must be known and free: before a plain wall nothing can be told.
Cabins have 55 to 170, a room's wall 10 to 20 (docs/availability.md)."""
STEEP = 8.0
"""A slope of so many grey levels weighs half: shading that the light moves is less steep than edges."""
MARGIN = 1.0
"""The driver's place reaches this many widths of his face to both sides of its middle."""
_NOISE = 0.5
"""Slopes below this, in grey levels, are noise."""

_ACROSS = ROWS * (COLUMNS - 1)
_SLOPES = _ACROSS + (ROWS - 1) * COLUMNS

Floats = NDArray[np.float32]


class Scenery:
    """Remembers what stands still, and tells how much of it is there."""

    def __init__(self) -> None:
        self._columns = (np.arange(COLUMNS) + 0.5) / COLUMNS
        self._rows = (np.arange(ROWS) + 0.5) / ROWS
        self._strange_s = 0.0
        self._forget()

    def compare(
        self, image: Luma, driver: Box | None, size: tuple[int, ...], elapsed_s: float
    ) -> float | None:
        """How alike the still parts of a picture are to those known, -1 to 1; None while too few are known.

        Args:
            image: the picture, or every nth row of it.
            driver: the driver's face in a picture of `size` (height, width), None where it is not known.
            size: see above.
            elapsed_s: seconds since the last one.
        """
        slopes = _slopes(image)
        now, free = _compressed(slopes), self._free(driver, size)
        view = self._likeness(now, free)
        if view is not None and view < STRANGE:
            self._strange_s += elapsed_s
            if self._strange_s >= RELEARN_S:
                self._forget()
        else:
            self._strange_s = 0.0
            self._learn(slopes, now, free, elapsed_s)
        return view

    def _forget(self) -> None:
        self._mean, self._spread, self._steepness, self._seen_s = np.zeros((4, _SLOPES), np.float32)
        self._strange_s = 0.0

    def _likeness(self, now: Floats, free: Floats) -> float | None:
        """The worse of both directions: a turn sideways leaves level edges where they were."""
        mean = self._mean
        power = mean * mean
        steady = power / (power + self._spread + 1e-3)
        steep = self._steepness / (self._steepness + STEEP)
        weight = free * (self._seen_s >= LEARN_S) * steady * steep
        views = []
        for part in (slice(0, _ACROSS), slice(_ACROSS, _SLOPES)):
            w, known, seen = weight[part], mean[part], now[part]
            if w.sum() < LEAST:
                return None
            shared, lengths = (w * known) @ seen, (w @ power[part]) * (w @ (seen * seen))
            views.append(float(shared) / float(lengths) ** 0.5 if lengths > 0 else 0.0)
        return min(views)

    def _learn(self, slopes: Floats, now: Floats, free: Floats, elapsed_s: float) -> None:
        self._seen_s += free * np.float32(elapsed_s)
        rate = free * np.float32(elapsed_s) / np.clip(self._seen_s, 1e-6, MEMORY_S)
        off = now - self._mean
        self._mean += rate * off
        self._spread += rate * (off * off - self._spread)
        self._steepness += rate * (np.abs(slopes) - self._steepness)

    def _free(self, driver: Box | None, size: tuple[int, ...]) -> Floats:
        """1 for the slopes outside the driver's place (his face with a margin, and below it), else 0."""
        free = np.ones((ROWS, COLUMNS), np.float32)
        if driver is not None:
            x, half = driver.center[0] / size[1], MARGIN * driver.width / size[1]
            first, last = np.searchsorted(self._columns, (x - half, x + half))
            top = np.searchsorted(self._rows, (driver.y1 - driver.height / 2) / size[0])
            free[top:, first:last] = 0.0
        return np.concatenate([(free[:, 1:] * free[:, :-1]).ravel(), (free[1:] * free[:-1]).ravel()])


def _slopes(image: Luma) -> Floats:
    """Differences between neighbouring cells, grey levels: those across, then those down."""
    cells = cv2.resize(image, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.concatenate([(cells[:, 1:] - cells[:, :-1]).ravel(), (cells[1:] - cells[:-1]).ravel()])


def _compressed(slopes: Floats) -> Floats:
    """The slopes brought between -1 and 1, whatever the exposure."""
    size = np.abs(slopes)
    compressed: Floats = slopes / (size + np.float32(max(_NOISE, float(size.mean()))))
    return compressed
