"""What the tests of the GPU share."""

import cv2
import numpy as np
import pytest

from dms.backends.cuda.memory import STRATEGIES
from dms.backends.cuda.runtime import Device
from dms.errors import EngineUnavailable
from dms.stages.tensors import Crop, cut, letterbox

WARP_LIMIT = 1 if int(cv2.__version__.partition(".")[0]) >= 5 else 8
"""Grey levels; see `tests/unit/backends/cuda/test_kernel.py`."""
BOTH = pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=STRATEGIES)


def why_not():
    try:
        Device()
    except EngineUnavailable as error:
        return str(error)
    return ""


ON_GPU = [pytest.mark.gpu, pytest.mark.skipif(bool(why_not()), reason=why_not())]


def frame(height=720, width=1280, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


def on_host(image, place, shape):
    out = np.zeros(shape, np.uint8)
    if isinstance(place, Crop):
        cut(image, place, out)
    else:
        letterbox(image, out)
    return out
