"""Held-out and calibration inputs exactly as the run time makes them, with OpenCV, from a pack."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dms.engines.contract import CONTRACTS
from dms.engines.running import Images as Images
from dms.evaluation.pack import Pack
from dms.stages.tensors import Crop, Letterbox, cut, letterbox


def decode(blob: bytes) -> Images:
    """A grey picture from JPEG bytes."""
    return np.asarray(cv2.imdecode(np.frombuffer(blob, np.uint8), cv2.IMREAD_GRAYSCALE), np.uint8)


def crop_inputs(net: str, pack: Pack, rows: Sequence[int] | NDArray[Any], column: str = "crop") -> Images:
    """Inputs (n, 1, size, size) of the crop engines for rows of their table."""
    table = pack.tables[net]
    size = CONTRACTS[net].height
    out = np.zeros((len(rows), 1, size, size), np.uint8)
    for slot, row in enumerate(rows):
        x, y, side, angle = map(float, table[column][row])
        cut(decode(pack.blobs[int(table["image"][row])]), Crop(x, y, side, angle), out[slot, 0])
    return out


def frame_inputs(pack: Pack, images: Sequence[int] | NDArray[Any]) -> tuple[Images, list[Letterbox]]:
    """Letterboxed inputs (n, 1, height, width) of the face engine, and how each was fitted."""
    contract = CONTRACTS["face"]
    out = np.zeros((len(images), 1, contract.height, contract.width), np.uint8)
    fits = [letterbox(decode(pack.blobs[int(i)]), out[slot, 0]) for slot, i in enumerate(images)]
    return out, fits


def calibration_inputs(net: str, pack: Pack, count: int = 384) -> Images:
    """Evenly spread training inputs: the same for the same pack."""
    table = pack.tables[net]
    rows = np.flatnonzero(~table["val"] & (table["draw"] > 0))
    picked = np.random.default_rng(0).permutation(rows)[:count]
    if net == "face":
        return frame_inputs(pack, table["image"][picked])[0]
    return crop_inputs(net, pack, picked)
