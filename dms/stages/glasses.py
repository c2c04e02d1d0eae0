"""Whether the driver wears glasses: gradients of a small patch between the brows and the cheeks, weighed.

Rims and bridge show as edges where a bare face has none. The patch is aligned by the outer eye corners, its
gradients are counted by cell and orientation (histograms of oriented gradients, Dalal & Triggs 2005), and a
logistic model weighs the counts. Its figures and limits: `dms/assets/glasses.md`.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dms import landmarks as lm
from dms.errors import InputError
from dms.records import Luma, Points
from dms.resources import assets_folder

WIDTH, HEIGHT = 64, 40
CELL, ORIENTATIONS = 8, 6
FEATURES = (WIDTH // CELL) * (HEIGHT // CELL) * ORIENTATIONS
_HALF_WIDTH, _ABOVE, _BELOW = 0.85, 0.45, 0.75
"""How far the patch reaches from the middle of the eyes, in distances of their outer corners."""
_LEAST_PX = 24.0
"""Eyes closer together than this show no rims."""
_FINEST = 8
_SMOOTHING_PX = 0.7
_EVERY_S = 1.0
"""Nobody puts glasses on and off within a second."""

Features = NDArray[np.float32]
_ROW, _COLUMN = np.indices((HEIGHT, WIDTH)) // CELL
_CELLS: NDArray[np.int64] = (_ROW * (WIDTH // CELL) + _COLUMN) * ORIENTATIONS
"""Where the counts of each pixel's cell begin."""


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A logistic model over `features`."""

    weights: Features
    bias: float

    def probability(self, seen: Features) -> float:
        """The probability of glasses."""
        return 1 / (1 + math.exp(-max(-50.0, min(50.0, float(self.weights @ seen) + self.bias))))


def load(path: Path | None = None) -> Model:
    """The shipped model, or one that `python -m dms.training glasses` wrote.

    Raises:
        InputError: the file is missing or holds no such model.
    """
    path = path or assets_folder() / "glasses.json"
    try:
        stored: Any = json.loads(path.read_text(encoding="utf-8"))
        model = Model(np.array(stored["weights"], np.float32), float(stored["bias"]))
    except OSError as e:
        raise InputError(f"cannot read {path}: {e.strerror}; install the package again") from e
    except (ValueError, KeyError, TypeError) as e:
        raise InputError(f"{path} holds no model of glasses ({e}); install the package again") from e
    if model.weights.shape != (FEATURES,):
        raise InputError(f"{path} holds {model.weights.size} weights, not {FEATURES}; train it anew")
    return model


def patch(image: Luma, points: Points) -> Luma | None:
    """The patch (HEIGHT, WIDTH) of a face with landmarks (60, 2); None of one too small, or of none."""
    right, left = points[list(lm.OUTER_EYE_CORNERS)].astype(np.float64)
    across = left - right
    distance = math.hypot(*across)
    if not _LEAST_PX <= distance < math.inf:
        return None
    down = np.array([-across[1], across[0]])
    finer = max(1, min(_FINEST, math.ceil(2 * _HALF_WIDTH * distance / WIDTH)))  # else edges would alias
    width, height = finer * WIDTH, finer * HEIGHT
    corner = (right + left) / 2 - _HALF_WIDTH * across - _ABOVE * down
    to_image = np.stack([2 * _HALF_WIDTH * across / width, (_ABOVE + _BELOW) * down / height, corner], axis=1)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    fine = cv2.warpAffine(image, to_image, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(fine, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)


def features(seen: Luma) -> Features:
    """Strengths (FEATURES,) of edges by cell and orientation, against their mean: light cancels."""
    smooth = cv2.GaussianBlur(seen.astype(np.float32), (0, 0), _SMOOTHING_PX)
    x, y = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    strength, turn = cv2.cartToPolar(x, y)
    turn *= ORIENTATIONS / np.pi  # half a turn is the same edge
    lower = turn.astype(np.int32)
    upper = strength * (turn - lower)  # each edge counts to the two nearest orientations
    found = np.bincount((_CELLS + lower % ORIENTATIONS).ravel(), (strength - upper).ravel(), FEATURES)
    found += np.bincount((_CELLS + (lower + 1) % ORIENTATIONS).ravel(), upper.ravel(), FEATURES)
    return np.asarray(np.sqrt(found / (np.sqrt((found**2).mean()) + 1e-3)), np.float32)


class GlassesLook:
    """Looks for glasses once a second, and tells what it saw in between."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._looked_s = -math.inf
        self._seen: float | None = None

    def look(self, captured_s: float, image: Luma, points: Points, *, same_face: bool) -> float | None:
        """The probability of glasses; None where the face is too small.

        `same_face` tells that it is followed from the frame before: another is looked at at once.
        """
        if same_face and 0 <= captured_s - self._looked_s < _EVERY_S:
            return self._seen
        self._looked_s = captured_s
        cut = patch(image, points)
        self._seen = None if cut is None else self._model.probability(features(cut))
        return self._seen
