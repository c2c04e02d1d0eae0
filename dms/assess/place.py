"""Where the driver's face is wont to be, so that a passenger's is not taken for it. Places, no identity."""

from __future__ import annotations

from dms.assess.temporal import Tick
from dms.records import Box

_ASIDE, _UP_OR_DOWN = 1.5, 2.5
"""The driver's face stays within so many of its widths of its wonted place; the other seat is four away."""
_SMALLEST = 0.55
"""A face this much narrower than wonted is further back: the rear seat is at least twice as far away."""
_SAME_IOU = 0.3
"""Intersection over union from which on two boxes in a row are one face."""
_MEMORY_S = 30.0
"""The wonted place follows a driver who sits differently in about this time."""


class Place:
    """Follows the driver's face; a face elsewhere that did not come from there is somebody else's."""

    def __init__(self) -> None:
        """Start with no driver: the first face is his."""
        self._wonted: Box | None = None
        self._last: Box | None = None
        self._seen_s = 0.0

    def holds(self, tick: Tick, box: Box | None) -> bool:
        """Whether the face at `box` may be the driver's; so too where there is none."""
        last, self._last = self._last, None
        if box is None:
            return True
        followed = tick.joined and last is not None and last.iou(box) >= _SAME_IOU
        if not (followed or self._wonted is None or _near(self._wonted, box)):
            return False
        self._last = box
        self._learn(tick.elapsed_s if tick.joined else 0.0, box)
        return True

    def _learn(self, elapsed_s: float, box: Box) -> None:
        wonted = self._wonted or box
        self._seen_s = min(self._seen_s + elapsed_s, _MEMORY_S)
        rate = elapsed_s / self._seen_s if self._seen_s else 0.0
        self._wonted = Box(
            wonted.x1 + rate * (box.x1 - wonted.x1),
            wonted.y1 + rate * (box.y1 - wonted.y1),
            wonted.x2 + rate * (box.x2 - wonted.x2),
            wonted.y2 + rate * (box.y2 - wonted.y2),
        )


def _near(wonted: Box, box: Box) -> bool:
    (x, y), (wonted_x, wonted_y) = box.center, wonted.center
    return (
        abs(x - wonted_x) <= _ASIDE * wonted.width
        and abs(y - wonted_y) <= _UP_OR_DOWN * wonted.width
        and box.width >= _SMALLEST * wonted.width
    )
