"""Places of `tensors`, told to the kernels that cut on a GPU."""

from __future__ import annotations

from dms.backends.cuda.crops import Cut, Fit, Warp
from dms.stages.tensors import Crop, Letterbox


def as_cut(place: Crop | Letterbox, size: int) -> Cut:
    """What the kernels are told of a place; `size` is the side of the input that a crop fills."""
    if isinstance(place, Crop):
        return Warp(tuple(map(float, place.to_frame(size).ravel())))
    return Fit(place.pad_x, place.pad_y, place.width, place.height, averaged=place.shrinks)
