"""A labelled folder of one's own as training data: alone, or beside the data pack."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import numpy as np

from dms.errors import InputError
from dms.evaluation import folder as labelled
from dms.evaluation.boxes import Array
from dms.evaluation.folder_tables import Table, tables
from dms.evaluation.labels import LABELS, Label
from dms.evaluation.pack import LONGEST_SIDE, Pack
from dms.training.datasets.mix import Mix, Trusts

log = logging.getLogger(__name__)

HELD_OUT = 0.1
"""Share of the pictures that people held out have at least, where the folder does not say who."""
Tables = dict[str, Table]


def read(folder: Path) -> Pack:
    """A labelled folder with a training and a held-out side, its pictures at most 448 px as in the pack.

    Where `labels.csv` has no splits, whole people (else groups, else pictures) are held out, always the same.

    Raises:
        InputError: see `folder.pictures`; the training side is empty; or engines made all the labels.
    """
    blobs, labels = labelled.pictures(folder, LONGEST_SIDE)
    told = [k for k, label in enumerate(labels) if label.by != "engine"]
    if not told:
        raise InputError(
            f"{folder / LABELS}: the engines labelled all of these pictures themselves, nothing is to be "
            "learned from them: correct the labels and write by=hand in these lines"
        )
    if len(told) < len(labels):
        log.warning("%s: %d pictures labelled by engines are left out", folder, len(labels) - len(told))
    blobs, labels = [blobs[k] for k in told], [labels[k] for k in told]
    split = any(label.split for label in labels)
    val = labelled.held_out(folder, labels) if split else people_held_out(labels)
    if val.all():
        raise InputError(
            f"{folder / LABELS}: the split train is empty; write train for some people, or leave the column "
            "split out to have a tenth held out by person"
        )
    if not val.any():
        log.warning("%s shows one person: nobody is held out of it", folder)
    return Pack(blobs, tables(labels, val))


def people_held_out(labels: list[Label]) -> Array:
    """Which rows are held out (n,): people drawn by the hash of their name until a tenth is reached."""
    names = np.array([label.person or label.group or label.path for label in labels], str)
    order = sorted(set(names), key=lambda name: hashlib.sha256(name.encode()).digest())
    val = np.zeros(len(names), bool)
    for name in order[:-1]:  # one of them is always left to learn from
        if val.mean() >= HELD_OUT:
            break
        val |= names == name
    return val


def add(first: Tables, own: Tables, real: int, mix: Mix) -> Tables:
    """The tables with those of a folder behind their real rows.

    Args:
        first: tables of the data pack; pictures from `real` on are simulated, and move behind the folder's.
        own: tables of the folder. A column it lacks is filled with "unknown", one that only it has is left
            out.
        real: how many real pictures `first` has.
        mix: how often the folder is drawn and how much its labels count.
    """
    moved = len(own["images"]["path"])
    known_faces = len(first["faces"]["eyes"])
    joined: Tables = {}
    for net, table in first.items():
        if net not in own:  # what is known of simulated pictures alone
            joined[net] = table
            continue
        if "image" not in table:
            joined[net] = _below(table, own[net])
            continue
        at = int((table["image"] < real).sum()) if net == "face" else len(table["image"])
        old = {**table, "image": table["image"] + moved * (table["image"] >= real)}
        draw = getattr(mix.draw, net).own * _usual_draw(table)
        new = _trusted(own[net], mix.trust) | {
            "image": own[net]["image"] + real,
            "draw": draw * own[net]["draw"],
        }
        if "face" in new:
            new["face"] = new["face"] + known_faces
        rows = len(new["image"])
        # The face table's row is its picture's number: simulated rows stay last, as their pictures do.
        joined[net] = {
            name: np.concatenate([column[:at], _column(new, name, column, rows), column[at:]])
            for name, column in old.items()
        }
    return joined


def _trusted(own: Table, trust: Trusts) -> Table:
    """The folder's table with its labels weighted by the trust in own ones."""
    states = (trust.closed, trust.closed, trust.yawn, trust.mouth_covered)
    factors: dict[str, Array] = {
        "landmarks_w": np.float32(trust.landmarks.own),
        "openness_w": np.float32(trust.openness.own),
        "gaze_w": np.float32(trust.gaze.own),
        "head_w": np.float32(trust.head.own),
        "state_w": np.array([*(state.own for state in states), 0], np.float32),
    }
    return {name: column * factors[name] if name in factors else column for name, column in own.items()}


def _below(table: Table, own: Table) -> Table:
    """What is known of pictures or faces, the folder's behind the others; numbers it lacks are NaN."""
    rows = len(next(iter(own.values())))
    blank = {
        name: np.full((rows, *c.shape[1:]), np.nan if c.dtype.kind == "f" else np.zeros(1, c.dtype)[0])
        for name, c in table.items()
    }
    return {name: np.concatenate([column, own.get(name, blank[name])]) for name, column in table.items()}


def _column(new: Table, name: str, like: Array, rows: int) -> Array:
    return new[name].astype(like.dtype) if name in new else np.zeros((rows, *like.shape[1:]), like.dtype)


def _usual_draw(table: Table) -> float:
    """How often a training row is usually drawn: the folder's rows shall not drown the others, nor drown."""
    drawn = table["draw"][(table["draw"] > 0) & ~table["val"]]
    return float(np.median(drawn)) if len(drawn) else 1.0
