"""From any picture to luma: uint8, (height, width), contiguous. Pixels are judged without colour."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dms.errors import InputError
from dms.records import Luma

_TO_GREY = {3: cv2.COLOR_BGR2GRAY, 4: cv2.COLOR_BGRA2GRAY}
_DEPTHS = (10, 12, 16)


def to_luma(image: NDArray[Any], bits: int | None = None) -> Luma:
    """Luma of a grey, BGR or BGRA picture of 8 or 16 bits, without a copy when it is luma already.

    Args:
        image: (height, width) or (height, width, 1, 3 or 4), uint8 or uint16. Alpha is ignored.
        bits: significant bits of a uint16 picture; None = `bit_depth` of this very picture. Whoever converts
            a sequence passes one value for all, or a dark frame among bright ones comes out too bright.

    Raises:
        InputError: another type (floats carry no scale), number of channels, or no pixels.
    """
    grey = _grey(_checked(image))
    if grey.dtype == np.uint16:
        grey = cv2.convertScaleAbs(grey, alpha=1 / (1 << ((bits or bit_depth(grey)) - 8)))
    return np.ascontiguousarray(grey, dtype=np.uint8)


def bit_depth(image: NDArray[Any]) -> int:
    """The significant bits of a picture: 8 for uint8, else the least of 10, 12 and 16 that holds its maximum.

    Sensors of 10 and 12 bits come in uint16 with the upper bits empty, and nothing in the data says so: the
    brightest pixel is the only evidence.
    """
    if image.dtype == np.uint8:
        return 8
    brightest = int(image.max(initial=0))
    return next(bits for bits in _DEPTHS if brightest < 1 << bits)


def _checked(image: NDArray[Any]) -> NDArray[Any]:
    channels = 1 if image.ndim == 2 else image.shape[-1]
    if image.dtype not in (np.uint8, np.uint16):
        raise InputError(f"a picture of {image.dtype} has no known scale: convert it to uint8 or uint16")
    if image.ndim not in (2, 3) or channels not in (1, 3, 4) or not image.size:
        raise InputError(
            f"a picture of shape {image.shape} is neither grey, BGR nor BGRA: "
            "expected (height, width) or (height, width, 1, 3 or 4)"
        )
    return image


def _grey(image: NDArray[Any]) -> NDArray[Any]:
    if image.ndim == 2:
        return image
    if image.shape[-1] == 1:
        return image[..., 0]
    return cv2.cvtColor(image, _TO_GREY[image.shape[-1]])
