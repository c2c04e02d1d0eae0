"""The figures of the `eyes` engine: landmarks, lids, head pose, gaze, visibility."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dms import landmarks as lm
from dms.config.assess import AssessConfig
from dms.evaluation import bootstrap
from dms.evaluation.bootstrap import Figure
from dms.evaluation.inputs import crop_inputs
from dms.evaluation.lids import EyeLabels, eye_labels, lid_figures
from dms.evaluation.metrics import Array, Figures, Infer, Outputs, people
from dms.evaluation.pack import Pack

HAND_LABELLED = {
    36: "right_eye_outer", 39: "right_eye_inner", 42: "left_eye_inner", 45: "left_eye_outer",
    30: "nose_tip", 48: "mouth_right", 54: "mouth_left",
}  # fmt: skip
"""Points the 68-point scheme (its left is the image's left) and ours have in common."""
SAME_FACE = 0.25
"""Centres at most this far apart, in crops: others in the picture were not labelled by hand."""
FAR_TURNED_DEG = 40.0
"""Simulated faces turned further show too little skin for all of their points to be seen."""
WRONG_BY = 0.5
"""An openness this far off calls an open eye closed, or a closed one open."""
DOUBTED = 0.4
"""Openness labels weighted less than this are the second teacher's guess where the mesh found no face."""
_EYES = AssessConfig().eyes


@dataclass(frozen=True)
class Seen:
    """Held-out rows of the `eyes` table, what an engine said of them, and its errors.

    `off` is the error of each landmark (n, 60) over the outer-eye distance `span` (n,) in pixels.
    """

    table: Outputs
    out: Outputs
    people: Array
    span: Array
    off: Array
    hand: Array
    labels: EyeLabels

    @property
    def real(self) -> Array:
        """Rows of photographs."""
        return np.asarray(~self.table["simulated"])

    @property
    def sim(self) -> Array:
        """Rows of the simulated driver: the only exact truth."""
        return np.asarray(self.table["simulated"])

    @property
    def meshed(self) -> Array:
        """Photographs whose landmarks come from the mesh teacher (or the user's own labels)."""
        return self.real & self.table["mesh"]

    @property
    def claimed(self) -> Array:
        """Eyes (n, 2) the run time would judge: seen, certain enough, and in a head not turned too far."""
        seen = self.out["visibility"] >= _EYES.visible_above
        turned = np.abs(self.out["head"][:, :1]) > _EYES.turned_deg
        return np.asarray(seen & ~turned & (self.out["openness_sigma"] <= _EYES.sigma_limit))


def held_rows(pack: Pack) -> Array:
    """Held-out rows of the `eyes` table."""
    return np.flatnonzero(pack.tables["eyes"]["val"])


def look(out: Outputs, pack: Pack, rows: Array) -> Seen:
    """Compare outputs with the labels of their rows."""
    table = {name: column[rows] for name, column in pack.tables["eyes"].items()}
    points = table["crop"][:, None, :2] + table["crop"][:, 2, None, None] * (out["landmarks"] - 0.5)
    right, left = lm.OUTER_EYE_CORNERS
    span = np.maximum(
        np.linalg.norm(table["landmarks"][:, right] - table["landmarks"][:, left], axis=1), 1e-3
    )
    off = np.linalg.norm(points - table["landmarks"], axis=2) / span[:, None]
    whose, hand = people(pack, table["image"]), _hand_error(points, pack, table)
    return Seen(table, out, whose, span, off, hand, eye_labels(pack, table))


def _hand_error(points: Array, pack: Pack, table: Outputs) -> Array:
    """Mean error (n,) at the points labelled by hand over their outer-eye distance; NaN without labels."""
    error = np.full(len(points), np.nan)
    marks = pack.tables["images"].get("landmarks68")
    if marks is None:
        return error
    truth = np.full((len(points), 68, 2), np.nan, np.float32)
    real = ~table["simulated"]
    truth[real] = marks[table["image"][real]]
    center = np.linalg.norm(truth.mean(axis=1) - table["crop"][:, :2], axis=1)
    use = center < SAME_FACE * table["crop"][:, 2]
    ours = points[use][:, list(lm.indices(*HAND_LABELLED.values()))]
    span = np.linalg.norm(truth[use, 36] - truth[use, 45], axis=1)
    error[use] = np.linalg.norm(ours - truth[use][:, list(HAND_LABELLED)], axis=2).mean(axis=1) / span
    return error


def prepare(pack: Pack) -> Callable[[Infer], Figures]:
    """Inputs cut once; the figures of any model on them."""
    rows = held_rows(pack)
    images = crop_inputs("eyes", pack, rows)
    return lambda infer: figures(look(infer(images), pack, rows))


def figures(seen: Seen) -> Figures:
    """Every metric of the engine."""
    whose, table, out = seen.people, seen.table, seen.out
    off = seen.off.mean(axis=1)
    frontal = seen.sim & (np.abs(table["head"][:, 0]) < FAR_TURNED_DEG)
    lids = np.abs(out["openness"] - table["openness"])
    known = table["openness_w"] > DOUBTED
    return {
        "nme_mesh": bootstrap.mean(whose, off, seen.meshed),
        "nme_mesh_median": bootstrap.median(whose, off, seen.meshed),
        "nme_hand": bootstrap.mean(whose, seen.hand),
        "nme_hand_median": bootstrap.median(whose, seen.hand, np.isfinite(seen.hand)),
        "nme_sim": bootstrap.mean(whose, off, frontal),
        "openness_error": bootstrap.mean(whose, lids, known & seen.real[:, None]),
        "openness_error_sim": bootstrap.mean(whose, lids, known & seen.sim[:, None]),
        **lid_figures("open_closed", whose, 1 - out["openness"].mean(axis=1), seen.labels),
        **_angles(seen, seen.sim, "sim"),
        **_angles(seen, seen.real, "teacher"),
        "presence_of_faces": bootstrap.mean(whose, out["presence"][:, 0] > 0.5, seen.real),
        **hidden(seen),
    }


def _angles(seen: Seen, rows: Array, tag: str) -> Figures:
    head = np.abs(seen.out["head"] - seen.table["head"])
    gaze = np.abs(seen.out["gaze"] - seen.table["gaze"])
    posed, gazed = rows & (seen.table["head_w"] > 0), rows & (seen.table["gaze_w"] > 0)

    def error(values: Array, use: Array) -> Figure:
        return bootstrap.mean(seen.people, values, np.repeat(use[:, None], values.shape[1], axis=1))

    named: Figures = {f"head_{tag}": error(head, posed)}
    for k, name in enumerate(("yaw", "pitch", "roll")):
        named[f"head_{name}_{tag}"] = bootstrap.mean(seen.people, head[:, k], posed)
    named[f"gaze_{tag}"] = error(gaze, gazed)
    for k, name in enumerate(("yaw", "pitch")):
        named[f"gaze_{name}_{tag}"] = bootstrap.mean(seen.people, gaze[:, k], gazed)
    return named


def hidden(seen: Seen) -> Figures:
    """Whether hidden eyes are known to be hidden.

    `hidden_claimed` is the share of eyes that the labels call hidden and the run time would nevertheless
    judge; `wrong_when_claimed` the share of judged eyes whose openness is far off.
    """
    visible = seen.table["visibility"]
    told = seen.table["visibility_w"] > 0 if "visibility_w" in seen.table else np.ones(visible.shape, bool)
    clear = told & ((visible > 0.7) | (visible < 0.3))
    twice = np.repeat(seen.people, 2)
    wrong = np.abs(seen.out["openness"] - seen.table["openness"]) > WRONG_BY
    known = (seen.table["openness_w"] > 0) & seen.claimed
    score, truth = seen.out["visibility"].reshape(-1), visible.reshape(-1) > 0.5
    return {
        "visibility_auc": bootstrap.auc(twice, score, truth, clear.reshape(-1)),
        "hidden_claimed": bootstrap.mean(seen.people, seen.claimed, told & (visible < 0.3)),
        "visible_claimed": bootstrap.mean(seen.people, seen.claimed, told & (visible > 0.7)),
        "wrong_when_claimed": bootstrap.mean(seen.people, wrong, known),
    }
