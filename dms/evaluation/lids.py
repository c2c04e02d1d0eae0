"""Open or closed, as the sources' labels and a person's look at the pictures say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dms.evaluation import bootstrap
from dms.evaluation.metrics import Array, Figures, Outputs
from dms.evaluation.pack import Pack

ALIKE = ("down", "narrow")
"""Open lids that look closed: eyes that look down, and eyes narrowed by a laugh or by light."""


@dataclass(frozen=True)
class EyeLabels:
    """Labels (n,) of faces: `own` is the source's (open, closed), `seen` what a person saw (`ALIKE` too)."""

    own: Array
    seen: Array

    @property
    def all(self) -> Array:
        """The source's label, else what was seen."""
        return np.where(self.own != "", self.own, self.seen)


def eye_labels(pack: Pack, table: Outputs) -> EyeLabels:
    """The labels of rows of a net's table; empty for simulated faces and where nobody said anything."""
    faces = pack.tables["faces"]
    unknown = np.full(len(faces["eyes"]), "")
    real = ~table["simulated"] & (table["face"] >= 0)
    row = np.maximum(table["face"], 0)
    own, seen = (
        np.where(real, labels[row], "") for labels in (faces["eyes"], faces.get("eyes_by_eye", unknown))
    )
    return EyeLabels(own, seen)


def lid_figures(prefix: str, people: Array, closed: Array, labels: EyeLabels) -> Figures:
    """Accuracy at one half and AUC of `closed` (n,) on open and closed eyes, and against eyes that look so.

    Where a person looked at pictures too, the figures of the sources' labels alone stand beside.
    """
    figures = _open_closed(prefix, "", people, closed, labels.all)
    if not (labels.seen != "").any():
        return figures
    figures |= _open_closed(prefix, "_labelled", people, closed, labels.own)
    shut = labels.all == "closed"
    for name in ALIKE:
        use = shut | (labels.all == name)
        figures[f"closed_against_{name}_auc"] = bootstrap.auc(people, closed, shut, use)
    return figures


def _open_closed(prefix: str, suffix: str, people: Array, closed: Array, label: Array) -> Figures:
    shut, known = label == "closed", np.isin(label, ("open", "closed"))
    return {
        f"{prefix}_accuracy{suffix}": bootstrap.mean(people, (closed > 0.5) == shut, known),
        f"{prefix}_auc{suffix}": bootstrap.auc(people, closed, shut, known),
    }
