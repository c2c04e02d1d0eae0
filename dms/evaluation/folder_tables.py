"""The tables of all four nets from a user's labels: the columns of the data pack's, unknown = weight 0."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

import numpy as np

from dms import landmarks as lm
from dms.engines.contract import ACTIVITIES, FATIGUE_STATES
from dms.evaluation.boxes import (
    DETECTOR_POINTS,
    LANDMARKS_IN_BOX,
    Array,
    crop_rows,
    crops,
    fatigue_crops,
    known_box,
    parts,
    points_in_boxes,
    relative_box,
)
from dms.evaluation.labels import OPEN, SEEN, SHUT, Label
from dms.evaluation.metrics import OWN_SET
from dms.records import Box
from dms.stages.tensors import distraction_crop

Table = dict[str, Array]

FACES_PER_IMAGE = 6
OPENNESS_OF_EYES = {"open": 0.85, "closed": 0.0}
"""What a person who says `open` has seen: most open eyes are not at their widest."""
_NO_POINTS = np.full((lm.COUNT, 2), np.nan, np.float32)


def tables(labels: Sequence[Label], val: Array) -> dict[str, Table]:
    """The tables of all nets.

    Args:
        labels: one a picture, in their order; every one with a face has a box.
        val: the rows held out, bool (n,).
    """
    rows = np.flatnonzero([label.face for label in labels])
    faces = _Faces([label for label in labels if label.face], rows, val[rows])
    return {
        "face": faces.face_table(labels, val),
        "eyes": faces.eyes_table(),
        "fatigue": faces.fatigue_table(),
        "distraction": faces.distraction_table(),
        "images": _images(labels),
        "faces": faces.faces_table(),
    }


def _images(labels: Sequence[Label]) -> Table:
    names = [label.person or label.group or f"?{k}" for k, label in enumerate(labels)]
    return {
        "path": np.array([label.path for label in labels], str),
        "set": np.full(len(labels), OWN_SET),
        "person": np.array([f"{OWN_SET}/{name}" for name in names], str),
        "infrared": np.array([bool(label.infrared) for label in labels]),
        "by": np.array([label.by for label in labels], str),
        "landmarks68": np.full((len(labels), 68, 2), np.nan, np.float32),
    }


class _Faces:
    """The labelled faces, row-aligned: `rows` says which picture each is in."""

    def __init__(self, labels: Sequence[Label], rows: Array, val: Array) -> None:
        self._labels, self._rows, self._val = labels, rows, val
        self._boxes = np.array([_corners(label.box) for label in labels], np.float32).reshape(-1, 4)
        marks = [_NO_POINTS if label.landmarks is None else label.landmarks for label in labels]
        self._points = np.array(marks, np.float32).reshape(-1, lm.COUNT, 2)
        self._known = np.isfinite(self._points[..., 0])
        self._told = np.array([label.by != "engine" for label in labels], bool)
        """Whether anything but the engines says so: what they say themselves has no weight."""
        self._tight = relative_box(self._boxes, LANDMARKS_IN_BOX)
        for row in np.flatnonzero(self._known.all(axis=1)):
            self._tight[row] = known_box(self._points[row])

    def _column(self, values: list[tuple[float, ...]]) -> tuple[Array, Array]:
        """Values (n, k) with 0 for unknown, and the trust (n, k) in them."""
        given = np.array(values, np.float32).reshape(len(self._labels), -1)
        return np.nan_to_num(given), np.isfinite(given) * self._told[:, None].astype(np.float32)

    def _common(self, keep: Array) -> Table:
        return {
            "image": self._rows[keep],
            "simulated": np.zeros(int(keep.sum()), bool),
            "face": np.flatnonzero(keep),
            "val": self._val[keep],
            "draw": np.ones(int(keep.sum()), np.float32),
        }

    def face_table(self, labels: Sequence[Label], val: Array) -> Table:
        """One row a picture; the five points of a face without landmarks lie where they usually do."""
        n, at = len(labels), self._rows
        box = np.zeros((n, FACES_PER_IMAGE, 4), np.float32)
        points = np.zeros((n, FACES_PER_IMAGE, 5, 2), np.float32)
        use = np.zeros((n, FACES_PER_IMAGE), np.float32)
        five = self._points[:, list(DETECTOR_POINTS)]
        box[at, 0], use[at, 0] = self._boxes, 1
        points[at, 0] = np.where(np.isfinite(five), five, points_in_boxes(self._boxes))
        negative = np.array([not label.face for label in labels], bool)
        return {
            "image": np.arange(n), "box": box, "points": points, "use": use, "val": val,
            "draw": (~negative).astype(np.float32), "negative": negative,
        }  # fmt: skip

    def eyes_table(self) -> Table:
        """Every face."""
        openness, openness_w = self._openness()
        visible, visible_w = self._column([label.visibility for label in self._labels])
        visible[visible_w == 0] = 1
        gaze, gaze_w = self._column([label.gaze for label in self._labels])
        head, head_w = self._column([label.head for label in self._labels])
        seen = (visible > SEEN).all(axis=1)
        return self._common(np.ones(len(self._labels), bool)) | {
            "crop": crops(self._tight),
            "detected_crop": crops(self._boxes),
            "landmarks": np.nan_to_num(self._points),
            "landmarks_w": (self._known & self._told[:, None]).astype(np.float32),
            "openness": openness,
            "openness_w": openness_w * (visible > SEEN),
            "visibility": visible,
            "visibility_w": visible_w,
            "gaze": gaze,
            "gaze_w": gaze_w.min(axis=1) * seen * (openness.min(axis=1) > OPEN),
            "head": head,
            "head_w": head_w.min(axis=1),
            "mesh": self._known.all(axis=1) & self._told,
        }

    def _openness(self) -> tuple[Array, Array]:
        """Lid opening (n, 2): as given, else by `eyes`."""
        value, weight = self._column([label.openness for label in self._labels])
        for row, label in enumerate(self._labels):
            if label.eyes and not weight[row].any() and self._told[row]:
                value[row], weight[row] = OPENNESS_OF_EYES[label.eyes], 1
        return value, weight

    def fatigue_table(self) -> Table:
        """Faces whose eye and mouth corners are known: the crop is placed by them."""
        corners = [*lm.OUTER_EYE_CORNERS, *lm.indices("mouth_right", "mouth_left")]
        parted = np.isfinite(parts(self._points))
        marked = np.all(self._known[:, corners], axis=1) & np.all(parted, axis=(1, 2))
        state, weight = self._states()
        return self._common(marked) | {
            "crop": fatigue_crops(self._points[marked]),
            "parts": parts(self._points[marked]),
            "state": state[marked],
            "state_w": weight[marked],
        }

    def _states(self) -> tuple[Array, Array]:
        """States (n, 5) in the order of `FATIGUE_STATES`, and the trust in them."""
        state = np.zeros((len(self._labels), len(FATIGUE_STATES)), np.float32)
        weight = np.zeros_like(state)
        openness, openness_w = self._openness()
        visible, visible_w = self._column([label.visibility for label in self._labels])
        hidden = (visible_w > 0) & (visible <= SEEN)
        state[:, :2] = openness < SHUT
        weight[:, :2] = openness_w * ((openness < SHUT) | (openness > OPEN)) * ~hidden
        yawn, covered = FATIGUE_STATES.index("yawn"), FATIGUE_STATES.index("mouth_covered")
        for k, name in ((yawn, "yawn"), (covered, "mouth_covered")):
            flags = [getattr(label, name) for label in self._labels]
            state[:, k] = [bool(flag) for flag in flags]
            weight[:, k] = np.array([flag is not None for flag in flags], bool) & self._told
        weight[:, yawn] *= state[:, covered] == 0  # nobody sees whether a covered mouth yawns
        return state, weight

    def distraction_table(self) -> Table:
        """Every face; those without a known activity are never held out, and there for their crops alone."""
        told = [label.activity if label.by != "engine" else () for label in self._labels]
        allowed = np.array([[name in row for name in ACTIVITIES] for row in told], np.float32)
        allowed = allowed.reshape(-1, len(ACTIVITIES))
        known = allowed.any(axis=1)
        allowed[~known] = 1  # any of them may be going on
        five = self._points[:, list(DETECTOR_POINTS)]
        return self._common(np.ones(len(self._labels), bool)) | {
            "crop": crop_rows([distraction_crop(Box(*map(float, box))) for box in self._tight]),
            "allowed": allowed,
            "points": np.where(np.isfinite(five), five, points_in_boxes(self._boxes)),
            "val": self._val & known,
        }

    def faces_table(self) -> Table:
        """What the evaluation groups faces by; NaN and "" where unknown."""
        told = [label if label.by != "engine" else Label(label.path) for label in self._labels]
        yaw = np.array([label.head[0] for label in told], np.float32)
        dark = [float(label.glasses == "dark") if label.glasses else np.nan for label in told]
        return {
            "eyes": np.array([_eyes(label) for label in told], "U6"),
            "yawn": np.array(["" if label.yawn is None else str(int(label.yawn)) for label in told], "U1"),
            "yaw": yaw,
            "comma_yaw": yaw,
            "sunglasses": np.array(dark, np.float32),
        }


def _eyes(label: Label) -> str:
    """`open`, `closed` or "": as told, else by the lids of both eyes."""
    if label.eyes or not all(isfinite(v) for v in label.openness) or min(label.visibility) <= SEEN:
        return label.eyes
    if max(label.openness) < SHUT:
        return "closed"
    return "open" if min(label.openness) > OPEN else ""


def _corners(box: Box | None) -> tuple[float, float, float, float]:
    assert box is not None
    return box.x1, box.y1, box.x2, box.y2
