"""From labels to training samples: which crop of which image, with which targets and how much trust in each.

A sample table is a dict of arrays with one row a sample. Weights of 0 mean "unknown": the loss skips them.
Crops come from `stages.tensors`, the functions the run time uses.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dms import landmarks as lm
from dms.evaluation import by_eye
from dms.evaluation.boxes import (
    BOX_ROUND_LANDMARKS,
    DETECTOR_POINTS,
    LANDMARKS_IN_BOX,
    crops,
    landmark_boxes,
    relative_box,
)
from dms.training.datasets.mix import DoubtedTrust, Mix
from dms.training.datasets.source import Source

Array = NDArray[Any]
Table = dict[str, Array]

MIN_SCORE = 0.7
"""YuNet rows below this are hands, toys and logos too often to train on (the data pack's README)."""
BLINK_OPEN, BLINK_CLOSED = 0.05, 0.6
"""Teacher blink of an open and of a shut eye: 75 % of labelled faces read below 0.07, above 0.58."""
FAR_GAZE = 60.0
"""Beyond this (degrees) no iris is visible and simulated gaze is no longer asked for."""
HAND_SHARE = 0.6
"""Of a point labelled by hand and by the mesh: the mesh is the more even one, the hand the unbiased one."""
HAND_LABELLED = {
    36: "right_eye_outer", 39: "right_eye_inner", 42: "left_eye_inner", 45: "left_eye_outer",
    30: "nose_tip", 48: "mouth_right", 54: "mouth_left",
}  # fmt: skip
"""Points of the 68-point scheme (its left is the image's left) that are ours as well."""
FACES_PER_IMAGE = 6


def openness_of_blink(blink: Array) -> Array:
    """Lid opening, 0 shut to 1 wide open, from the teacher's blink score."""
    return np.asarray(np.clip(1 - (blink - BLINK_OPEN) / (BLINK_CLOSED - BLINK_OPEN), 0, 1), np.float32)


def detector_boxes(faces: pd.DataFrame) -> Array:
    """The detection teacher's boxes (n, 4)."""
    return faces[["x1", "y1", "x2", "y2"]].to_numpy(np.float32)


def detector_points(faces: pd.DataFrame) -> Array:
    """The detection teacher's five points (n, 5, 2)."""
    names = ("right_eye", "left_eye", "nose", "right_mouth", "left_mouth")
    columns = [f"{name}_{axis}" for name in names for axis in "xy"]
    return faces[columns].to_numpy(np.float32).reshape(-1, 5, 2)


def head_pose(faces: pd.DataFrame) -> tuple[Array, Array]:
    """Yaw, pitch, roll (n, 3) agreed by the teachers and the trust (n,) in them.

    The mean of the three; beyond 50 degrees the mesh flattens and only the other two count.
    """
    angles = np.stack(
        [
            faces[[f"{t}_yaw", f"{t}_pitch", f"{t}_roll"]].to_numpy(np.float32)
            for t in ("mp", "intel", "comma")
        ]
    )
    turned = np.abs(angles[1:, :, 0]).mean(axis=0) > 50
    angles[0, turned] = np.nan
    spread = np.nanstd(angles, axis=0).mean(axis=1)
    return np.nanmean(angles, axis=0), np.asarray(np.clip(6 / (spread + 2), 0.1, 1), np.float32)


def visibility(faces: pd.DataFrame) -> Array:
    """Whether the right and the left eye can be judged (n, 2).

    The teacher names eyes as seen from the camera: its left eye is the subject's right one (at yaw above 45
    degrees, nose to the image's right, it sees its left eye more often than its right one).
    """
    seen = faces[["comma_eye_left", "comma_eye_right"]].to_numpy(np.float32)
    dark = faces["comma_sunglasses"].to_numpy(np.float32)[:, None]
    return np.asarray(np.where(dark > 0.5, np.minimum(seen, 1 - dark), seen), np.float32)


def openness(source: Source, trust: DoubtedTrust) -> tuple[Array, Array]:
    """Lid opening (n, 2) of right and left eye and the trust (n, 2) in it; the sources' labels win."""
    faces = source.faces
    mesh = np.isfinite(source.landmarks[:, 0, 0])[:, None]
    own = openness_of_blink(faces[["blink_right", "blink_left"]].to_numpy(np.float32))
    other = openness_of_blink(faces[["comma_blink_left", "comma_blink_right"]].to_numpy(np.float32))
    value = np.where(mesh, own, other)
    weight = np.where(mesh, trust.teacher, trust.second) * (visibility(faces) > 0.4)
    weight = weight * np.where(np.abs(own - other) > 0.5, 0.5, 1.0)
    closed = (faces["eyes"] == "closed").to_numpy()[:, None]
    opened = (faces["eyes"] == "open").to_numpy()[:, None]
    value = np.where(closed, 0.0, np.where(opened, np.maximum(value, 0.7), value))
    weight = np.where(closed | opened, trust.own, weight)
    return value.astype(np.float32), weight.astype(np.float32)


def _landmark_targets(source: Source, trust: DoubtedTrust) -> tuple[Array, Array]:
    """Landmarks (n, 60, 2) and weights (n, 60); faces without a mesh keep the detector's five points."""
    points = source.landmarks.copy()
    weight = np.full(points.shape[:2], trust.teacher, np.float32)
    lost = ~np.isfinite(points[:, 0, 0])
    weight[lost] = 0
    weight[np.ix_(lost, DETECTOR_POINTS)] = trust.second
    points[lost] = 0
    points[np.ix_(lost, DETECTOR_POINTS)] = detector_points(source.faces[lost])
    disagree = source.faces["mesh_eye_err"].to_numpy(np.float32) > 0.15
    weight[disagree & ~lost] *= 0.3
    return _with_hand_labels(source, points), weight * _turn_trust(source)[:, None]


def _with_hand_labels(source: Source, points: Array) -> Array:
    """Points (n, 60, 2) of training faces moved towards the sources' own labels; held-out ones stay."""
    ours = list(lm.indices(*HAND_LABELLED.values()))
    own = source.landmarks68[source.faces["image"]][:, list(HAND_LABELLED)]
    span = np.linalg.norm(own[:, 3] - own[:, 0], axis=1)
    # A second person in the picture is not the one that was labelled.
    apart = np.linalg.norm((own - points[:, ours]).mean(axis=1), axis=1)
    use = (apart < 0.15 * span) & (source.faces["split"] == "train").to_numpy()
    moved = points.copy()
    moved[np.ix_(use, ours)] += HAND_SHARE * (own[use] - points[np.ix_(use, ours)])
    return moved


def _turn_trust(source: Source) -> Array:
    """Trust (n,) in the mesh: it flattens beyond 50 degrees of yaw, where the other teachers go on."""
    yaw = np.abs(source.faces[["intel_yaw", "comma_yaw"]].to_numpy(np.float32)).mean(axis=1)
    return np.asarray(np.clip(1 - (yaw - 45) / 25, 0.3, 1), np.float32)


def eyes_table(source: Source, mix: Mix) -> Table:
    """Samples of the `eyes` engine: every trusted face, with or without a mesh."""
    faces = source.faces
    points, points_w = _landmark_targets(source, mix.trust.landmarks)
    mesh = np.isfinite(source.landmarks[:, 0, 0])
    boxes = detector_boxes(faces)
    tight = np.where(mesh[:, None], landmark_boxes(points), relative_box(boxes, LANDMARKS_IN_BOX))
    head, head_w = head_pose(faces)
    opening, opening_w = openness(source, mix.trust.openness)
    blink = faces[["blink_left", "blink_right"]].to_numpy(np.float32).max(axis=1)
    gaze_ok = mesh & (blink < 0.4) & (faces["comma_sunglasses"].to_numpy() < 0.5)
    table = {
        "image": faces["image"].to_numpy(np.int64),
        "crop": crops(tight),
        "detected_crop": crops(boxes),
        "landmarks": points,
        "landmarks_w": points_w,
        "openness": opening,
        "openness_w": opening_w,
        "visibility": visibility(faces),
        "gaze": np.nan_to_num(faces[["gaze_yaw", "gaze_pitch"]].to_numpy(np.float32)),
        "gaze_w": mix.trust.gaze.teacher * gaze_ok.astype(np.float32),
        "head": head,
        "head_w": mix.trust.head.teacher * head_w,
        "mesh": mesh,
        "simulated": np.zeros(len(faces), bool),
        "face": np.arange(len(faces)),
        "val": (faces["split"] == "val").to_numpy(),
        "draw": mix.draw.eyes.of(faces["set"]),
    }
    keep = (faces["score"] >= MIN_SCORE).to_numpy()
    table = {name: column[keep] for name, column in table.items()}
    return table if not source.simulated else join(table, _simulated_eyes(source, mix))


def _simulated_eyes(source: Source, mix: Mix) -> Table:
    sim, trust = source.simulated, mix.trust
    points = sim["landmarks"].astype(np.float32)
    n = len(points)
    tight = landmark_boxes(points)
    seen = sim["visibility"].astype(np.float32)
    open_enough = (sim["openness"].min(axis=1) > 0.25) & (np.abs(sim["gaze"]).max(axis=1) < FAR_GAZE)
    return {
        "image": len(source.images) + np.arange(n),
        "crop": crops(tight),
        "detected_crop": crops(relative_box(tight, BOX_ROUND_LANDMARKS)),
        "landmarks": points,
        "landmarks_w": np.full((n, lm.COUNT), trust.landmarks.simulated, np.float32),
        "openness": sim["openness"].astype(np.float32),
        "openness_w": trust.openness.simulated * (seen > 0.4).astype(np.float32),
        "visibility": seen,
        "gaze": sim["gaze"].astype(np.float32),
        "gaze_w": trust.gaze.simulated * (open_enough & (seen.min(axis=1) > 0.4)).astype(np.float32),
        "head": sim["head"].astype(np.float32),
        "head_w": np.full(n, trust.head.simulated, np.float32),
        "mesh": np.ones(n, bool),
        "simulated": np.ones(n, bool),
        "face": np.full(n, -1),
        "val": sim["val"].astype(bool),
        "draw": np.full(n, mix.draw.eyes.simulated, np.float32),
    }


def join(first: Table, second: Table) -> Table:
    """Rows of two tables one below the other."""
    return {name: np.concatenate([column, second[name]]) for name, column in first.items()}


def faces_table(source: Source, mix: Mix) -> Table:
    """Samples of the `face` engine, one row an image; `use` is 1 for a face, 0 for none, -1 to ignore."""
    share = mix.draw.face
    n, m = len(source.images), len(source.simulated.get("val", ()))
    box = np.zeros((n + m, FACES_PER_IMAGE, 4), np.float32)
    points = np.zeros((n + m, FACES_PER_IMAGE, 5, 2), np.float32)
    use = np.zeros((n + m, FACES_PER_IMAGE), np.float32)
    at = source.faces["image"].to_numpy(), source.faces["face"].to_numpy()
    box[at], points[at] = detector_boxes(source.faces), detector_points(source.faces)
    use[at] = _faces_use(source.faces)
    val = (source.images["split"] == "val").to_numpy()
    draw = share.of(source.images["set"])
    turned = np.zeros(n, np.float32)
    np.maximum.at(turned, at[0], _turned(source.faces[["comma_yaw", "intel_yaw"]].to_numpy(np.float32)))
    draw = np.where((use == 1).any(axis=1)[:n], draw * (1 + share.turned * turned), 0)
    if m:
        marks = source.simulated["landmarks"].astype(np.float32)
        box[n:, 0] = relative_box(landmark_boxes(marks), BOX_ROUND_LANDMARKS)
        points[n:, 0] = marks[:, list(DETECTOR_POINTS)]
        use[n:, 0] = 1
        val = np.concatenate([val, source.simulated["val"].astype(bool)])
        turned = _turned(source.simulated["head"][:, :1].astype(np.float32))
        draw = np.concatenate([draw, share.simulated * (1 + share.turned * turned)])
    negative = np.zeros(n + m, bool)
    negative[:n] = (source.images["set"] == "negatives").to_numpy()
    return {
        "image": np.arange(n + m), "box": box, "points": points, "use": use,
        "val": val, "draw": draw.astype(np.float32), "negative": negative,
    }  # fmt: skip


def _faces_use(faces: pd.DataFrame) -> Array:
    """1 where the detection teacher is sure and -1 where it is not; `faces_by_eye.csv` has the last word."""
    rows = by_eye.rows("training/faces_by_eye.csv")
    seen = {(row["picture"], int(row["face"])): int(row["use"]) for row in rows}
    own = [
        seen.get((by_eye.picture_key(path), face), np.nan)
        for path, face in zip(faces["path"], faces["face"], strict=True)
    ]
    return np.where(np.isnan(own), np.where(faces["score"] >= MIN_SCORE, 1, -1), own)


def _turned(yaw: Array) -> Array:
    """0 for frontal faces to 1 from 60 degrees of yaw on, from the teachers' opinions (n, teachers)."""
    return np.asarray(np.clip((np.abs(yaw).mean(axis=1) - 25) / 35, 0, 1), np.float32)
