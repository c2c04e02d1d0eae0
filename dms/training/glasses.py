"""The small model that tells glasses: fitted, and judged on people left out, in one go."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dms import landmarks as lm
from dms.engines.running import infer_with
from dms.evaluation import bootstrap, by_eye
from dms.evaluation.bootstrap import Estimate
from dms.evaluation.groups import SEEN_BY_EYE
from dms.evaluation.inputs import crop_inputs, decode
from dms.evaluation.metrics import people
from dms.evaluation.pack import Pack, data_hash, read
from dms.files import write_atomically
from dms.resources import engines_folder
from dms.stages.eyes import read as read_eyes
from dms.stages.glasses import features, patch
from dms.stages.tensors import Crop

log = logging.getLogger(__name__)
Array = NDArray[np.float64]

FOLDS = 5
RIDGE = 100.0
"""Of 30, 100, 300 and 1000 the AUC on people left out is within half a point of the best from 100 to 300."""
_STEPS = 20
SURE = 0.8, 0.2
"""The limits of `assess.baseline.glasses_above` and `glasses_below`."""


def fit(pack_folder: Path, out: Path, seed: int) -> dict[str, Any]:
    """Fit the model on the pictures a person has sorted, write it to `out`, return what is in it.

    Raises:
        InputError: the pack is missing, or its pictures are others than those that were sorted.
    """
    pack = read(pack_folder)
    seen, mirrored, worn, who, kind = _samples(pack)
    score = _left_out(seen, mirrored, worn, who, seed)
    slope, shift = _logistic(score[:, None], worn, ridge=0.0)
    weights = _fitted(seen, mirrored, worn)
    model = {
        "weights": [round(float(w), 4) for w in slope * weights[:-1]],
        "bias": round(float(slope * weights[-1] + shift), 4),
        "seed": seed,
        "pictures": len(worn),
        "people": len(np.unique(who)),
        "wearers": int(worn.sum()),
        "data_sha256": data_hash(pack),
        "left_out": _figures(slope * score + shift, worn, who, kind),
    }
    write_atomically(out, json.dumps(model) + "\n")
    return model


def _samples(pack: Pack) -> tuple[Array, Array, Array, NDArray[Any], NDArray[Any]]:
    """Features of the largest face of each sorted picture, as it is and mirrored; worn; person; kind."""
    eyes, paths = pack.tables["eyes"], pack.tables["images"]["path"]
    kinds = by_eye.column(SEEN_BY_EYE, "glasses", paths)
    real = np.flatnonzero(~eyes["simulated"] & (eyes["face"] >= 0) & eyes["val"])
    _, first = np.unique(eyes["image"][real], return_index=True)
    rows = real[first]
    rows = rows[kinds[eyes["image"][rows]] != ""]
    look = infer_with((engines_folder() / "eyes" / "model.onnx").read_bytes())
    inputs = crop_inputs("eyes", pack, rows)
    outputs = look(inputs)
    used, plain, turned = [], [], []
    for slot, row in enumerate(rows):
        crop = Crop(*map(float, eyes["crop"][row]))
        found = read_eyes(
            {name: o[slot : slot + 1] for name, o in outputs.items()}, crop, inputs.shape[-1], 0.0
        )
        image = decode(pack.blobs[int(eyes["image"][row])])
        cut = patch(image, found.landmarks)
        other = found.landmarks[list(lm.MIRROR)]
        other[:, 0] = image.shape[1] - 1 - other[:, 0]
        flipped = patch(np.ascontiguousarray(image[:, ::-1]), other)
        if cut is not None and flipped is not None:
            used.append(int(eyes["image"][row]))
            plain.append(features(cut))
            turned.append(features(flipped))
    kind = kinds[used]
    return (
        np.array(plain, np.float64),
        np.array(turned, np.float64),
        (kind != "none").astype(np.float64),
        people(pack, np.array(used)),
        kind,
    )


def _left_out(seen: Array, mirrored: Array, worn: Array, who: NDArray[Any], seed: int) -> Array:
    """The score (n,) of each picture by a model that knows nobody in its fold."""
    names, whose = np.unique(who, return_inverse=True)
    fold = np.random.default_rng(seed).integers(0, FOLDS, len(names))[whose]
    score = np.zeros(len(worn))
    for part in range(FOLDS):
        train = fold != part
        weights = _fitted(seen[train], mirrored[train], worn[train])
        score[~train] = seen[~train] @ weights[:-1] + weights[-1]
    return score


def _fitted(seen: Array, mirrored: Array, worn: Array) -> Array:
    """Weights and bias over plain features, from standardised ones."""
    both, labels = np.concatenate([seen, mirrored]), np.concatenate([worn, worn])
    mean, spread = both.mean(0), both.std(0) + 1e-6
    weights = _logistic((both - mean) / spread, labels, RIDGE)
    scaled = weights[:-1] / spread
    return np.append(scaled, weights[-1] - scaled @ mean)


def _logistic(x: Array, y: Array, ridge: float) -> Array:
    """Logistic regression with an L2 penalty on all but the bias, by Newton's method."""
    x = np.column_stack([x, np.ones(len(x))])
    penalty = np.full(x.shape[1], ridge)
    penalty[-1] = 0.0
    weights = np.zeros(x.shape[1])
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-np.clip(x @ weights, -50, 50)))
        curve = (x * (p * (1 - p))[:, None]).T @ x + np.diag(penalty + 1e-9)
        weights -= np.linalg.solve(curve, x.T @ (p - y) + penalty * weights)
    return weights


def _figures(score: Array, worn: Array, who: NDArray[Any], kind: NDArray[Any]) -> dict[str, list[float]]:
    """Value, low, high and count of each figure."""
    p = 1 / (1 + np.exp(-score))
    yes, every = worn == 1, np.ones(len(worn), bool)
    figures = {
        "auc": bootstrap.auc(who, score, yes, every),
        "auc_clear": bootstrap.auc(who, score, yes, kind != "dark"),
        "auc_dark": bootstrap.auc(who, score, yes, kind != "clear"),
        "wearers_surely_found": bootstrap.mean(who, (p > SURE[0]).astype(float), yes),
        "wearers_surely_missed": bootstrap.mean(who, (p < SURE[1]).astype(float), yes),
        "others_surely_cleared": bootstrap.mean(who, (p < SURE[1]).astype(float), ~yes),
        "others_surely_mistaken": bootstrap.mean(who, (p > SURE[0]).astype(float), ~yes),
    }
    return {name: _rounded(bootstrap.estimate(figure)) for name, figure in figures.items()}


def _rounded(found: Estimate) -> list[float]:
    return [*(round(v, 4) for v in (found.value, found.low, found.high)), found.n]
