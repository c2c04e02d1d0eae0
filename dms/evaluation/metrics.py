"""What the metrics of all engines share: whose picture a row is, which sets are in-car, plain scores."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dms.engines.running import Infer as Infer
from dms.engines.running import Outputs as Outputs
from dms.evaluation import bootstrap
from dms.evaluation.bootstrap import Figure
from dms.evaluation.pack import Pack

Array = NDArray[Any]
Scores = dict[str, float]
Figures = dict[str, Figure]

OWN_SET = "own"
"""The name of the set all pictures of a user's labelled folder belong to."""
IN_CAR = ("yawdd_stills", "seat_belt", "seatbelt_phone", "aps360_yawn", "statefarm_phone")
"""The sets of the data pack that were taken in cars."""


def average(values: Array) -> float:
    """The mean; NaN of nothing."""
    return float(np.mean(values)) if np.size(values) else float("nan")


def auc(score: Array, positive: Array) -> float:
    """Area under the ROC curve; NaN if a class is missing."""
    return bootstrap.auc(np.arange(len(score)), score, positive, np.ones(len(score), bool)).value


def people(pack: Pack, images: Array) -> Array:
    """Who is in each picture: the known person, else the picture itself; simulated ones by their portrait."""
    real = len(pack.tables["images"]["set"])
    names = np.char.add("image ", images.astype(str)).astype(object)
    known = pack.tables["images"].get("person")
    if known is not None:
        own = known[np.minimum(images, real - 1)].astype(object)
        names = np.where((images < real) & (own != ""), own, names)
    portraits = pack.tables.get("simulated", {}).get("portrait")
    if portraits is not None and len(portraits):
        drawn = np.char.add("portrait ", portraits[np.maximum(images - real, 0)].astype(str))
        names = np.where(images >= real, drawn, names)
    return names.astype(str)


def set_names(pack: Pack, images: Array) -> Array:
    """The data set of each picture; `simulated` for drawn ones."""
    sets = pack.tables["images"]["set"]
    return np.asarray(np.where(images < len(sets), sets[np.minimum(images, len(sets) - 1)], "simulated"))


def is_own(pack: Pack) -> bool:
    """Whether all pictures come from a user's labelled folder: then no teacher has labelled them."""
    return bool((pack.tables["images"]["set"] == OWN_SET).all())


def in_car(sets: Array) -> Array:
    """Which rows were taken in a car; of data that names no such set (a user's own), all real ones."""
    known = np.isin(sets, IN_CAR)
    return known if known.any() else np.asarray(sets != "simulated")


def worth_telling(figures: Figures) -> Figures:
    """Without the metrics that this data has no labels for."""
    return {name: figure for name, figure in figures.items() if figure.n and np.isfinite(figure.value)}
