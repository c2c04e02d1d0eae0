"""Who and what the pictures show, so that a figure can be told for each group and the worst one be named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dms.evaluation import by_eye
from dms.evaluation.bootstrap import Estimate, Figure, estimate
from dms.evaluation.metrics import Array, set_names
from dms.evaluation.pack import Pack

MIN_ITEMS, MIN_PEOPLE = 20, 5
"""Smaller groups say nothing: they are left out."""
BY_EYE = {
    "glasses": {"none": "no glasses", "clear": "clear glasses", "dark": "dark glasses"},
    "facial_hair": {"0": "no beard", "1": "beard or moustache"},
    "headwear": {"0": "nothing on the head", "1": "cap, hat or scarf"},
    "mask": {"1": "mask"},
    "skin": {"lighter": "lighter skin", "medium": "medium skin", "darker": "darker skin"},
}
"""Columns of `SEEN_BY_EYE` and what their values are called."""
SEEN_BY_EYE = "evaluation/attributes_by_eye.csv"
YAW_EDGES_DEG = (10.0, 30.0, 50.0)
YAW_NAMES = ("yaw about 0°", "yaw about 20°", "yaw about 40°", "yaw about 60°")
UNKNOWN = ""


@dataclass(frozen=True)
class Group:
    """One group's estimate of a metric; `people` are distinct."""

    kind: str
    name: str
    people: int
    estimate: Estimate


def of_images(pack: Pack, images: Array) -> dict[str, Array]:
    """The group of each picture (n,) by kind; an empty name where it is not known."""
    sets = set_names(pack, images)
    table = pack.tables["images"]
    real = images < len(table["set"])
    row = np.minimum(images, len(table["set"]) - 1)
    groups = {"set": np.where(real, sets, UNKNOWN)}
    if "infrared" in table:
        groups["light"] = np.where(real, np.where(table["infrared"][row], "infrared", "daylight"), UNKNOWN)
    if "path" in table:
        groups |= _seen_by_eye(np.where(real, table["path"][row], UNKNOWN))
    return groups | {"yaw": yaw_names(pack, images)}


def _seen_by_eye(paths: Array) -> dict[str, Array]:
    """What a person saw in the pictures, where somebody looked."""
    return {
        kind: np.array([names.get(value, UNKNOWN) for value in by_eye.column(SEEN_BY_EYE, kind, paths)])
        for kind, names in BY_EYE.items()
    }


def yaw_names(pack: Pack, images: Array) -> Array:
    """How far the (largest) face of each picture is turned, by its label; empty where there is none."""
    eyes = pack.tables["eyes"]
    known = np.flatnonzero(eyes["head_w"] > 0)[::-1]  # the first row of a picture is its largest face
    yaw = {int(i): abs(float(y)) for i, y in zip(eyes["image"][known], eyes["head"][known, 0], strict=True)}
    return np.array([yaw_name(yaw[int(i)]) if int(i) in yaw else UNKNOWN for i in images])


def yaw_name(yaw_deg: float) -> str:
    """The bin of a yaw: about 0, 20, 40 or 60 degrees."""
    return YAW_NAMES[int(np.searchsorted(YAW_EDGES_DEG, yaw_deg))]


def by_group(figure: Figure, groups: Mapping[str, Array]) -> list[Group]:
    """The figure of every group that is large enough, kind by kind."""
    found = []
    for kind, names in groups.items():
        for name in sorted(set(names.tolist()) - {UNKNOWN}):
            part = figure.within(names == name)
            people = len(np.unique(part.people[part.counts > 0]))
            if part.n >= MIN_ITEMS and people >= MIN_PEOPLE and np.isfinite(part.value):
                found.append(Group(kind, name, people, estimate(part)))
    return found


def worst(found: list[Group], better: int) -> Group | None:
    """The group with the worst value; None of none."""
    return min(found, key=lambda g: better * g.estimate.value, default=None)
