"""Windows in which no face is: many more chances for a false one than there are pictures without any."""

from __future__ import annotations

import cv2
import numpy as np

from dms.engines.contract import CONTRACTS
from dms.evaluation.inputs import Images, decode
from dms.evaluation.metrics import Array
from dms.evaluation.pack import Pack

GRIDS = ((1, 1.0), (3, 0.5), (4, 0.34))
"""Windows a side and their share of a picture without faces: whole, and two overlapping grids."""
BESIDE_FACES, TRIES, SHARES = 4, 60, (0.25, 0.7)
"""Windows beside the faces of a picture, how often one is tried, and how much of its width they show."""
ROUND_A_FACE = 0.35
"""Hair, chin and neck stay out too: this share of a face box on each side of it."""
SEED = 0
Window = tuple[float, float, float]
"""Centre x, centre y and width in pixels of the picture; the height follows from the input's shape."""


def windows(pack: Pack, beside: Array) -> tuple[Images, Array]:
    """Inputs (n, 1, height, width) without a face and the picture (n,) each is of: always the same ones.

    Args:
        pack: the labelled pictures; those held out that show nobody are covered with grids.
        beside: rows of the `face` table, pictures with faces: windows drawn beside all that may be a face.
            Pictures with a face that nobody is sure of are left out: there may be more that nobody found.
    """
    table, contract = pack.tables["face"], CONTRACTS["face"]
    frames: list[Images] = []
    whose: list[int] = []
    nobody = np.flatnonzero(table["negative"] & table["val"])
    sure = beside[~(table["use"][beside] == -1).any(axis=1)]
    for row in [*nobody, *sure]:
        image = decode(pack.blobs[int(table["image"][row])])
        faces = table["box"][row][table["use"][row] != 0]
        found = _besides(image, faces, int(row)) if len(faces) else _grids(image)
        frames += [_cut(image, window) for window in found]
        whose += [int(table["image"][row])] * len(found)
    shape = (len(frames), 1, contract.height, contract.width)
    return np.array(frames, np.uint8).reshape(shape), np.array(whose, np.int64)


def _grids(image: Images) -> list[Window]:
    height, width = image.shape
    whole = max(width, height * _aspect())
    found = []
    for side, share in GRIDS:
        at = np.linspace(share / 2, 1 - share / 2, side)
        found += [(width * x, height * y, whole * share) for y in at for x in at]
    return [(float(x), float(y), float(w)) for x, y, w in found]


def _besides(image: Images, faces: Array, row: int) -> list[Window]:
    """Up to `BESIDE_FACES` windows inside the picture that touch no face (n, 4)."""
    rng = np.random.default_rng((SEED, row))
    height, width = image.shape
    around = ROUND_A_FACE * np.tile(faces[:, 2:] - faces[:, :2], 2) * (-1, -1, 1, 1) + faces
    found: list[Window] = []
    for _ in range(TRIES):
        wide = width * rng.uniform(*SHARES)
        half = np.array([wide, wide / _aspect()]) / 2
        x, y = rng.uniform(0, 1, 2) * (np.array([width, height]) - 2 * half) + half
        low, high = np.array([x, y]) - half, np.array([x, y]) + half
        touched = (high > around[:, :2]).all(axis=1) & (low < around[:, 2:]).all(axis=1)
        if high[1] <= height and not touched.any():
            found.append((float(x), float(y), float(wide)))
        if len(found) == BESIDE_FACES:
            break
    return found


def _aspect() -> float:
    return CONTRACTS["face"].width / CONTRACTS["face"].height


def _cut(image: Images, window: Window) -> Images:
    """The window at the input's size; averaged first where it shrinks much, black beyond the picture."""
    contract = CONTRACTS["face"]
    x, y, wide = window
    shrink = max(1, round(wide / contract.width))
    if shrink > 1:
        image = np.asarray(
            cv2.resize(image, None, fx=1 / shrink, fy=1 / shrink, interpolation=cv2.INTER_AREA), np.uint8
        )
    scale = contract.width * shrink / wide
    matrix = np.array(
        [
            [scale, 0, contract.width / 2 - scale * x / shrink],
            [0, scale, contract.height / 2 - scale * y / shrink],
        ]
    )
    return np.asarray(cv2.warpAffine(image, matrix, (contract.width, contract.height)), np.uint8)
