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
from dms.records import Box
from dms.stages.tensors import Crop, eyes_crop, fatigue_crop
from dms.training.source import Source

Array = NDArray[Any]
Table = dict[str, Array]

MIN_SCORE = 0.7
"""YuNet rows below this are hands, toys and logos too often to train on (the data pack's README)."""
BLINK_OPEN, BLINK_CLOSED = 0.05, 0.6
"""Teacher blink of an open and of a shut eye: 75 % of labelled faces read below 0.07, above 0.58."""
FAR_GAZE = 60.0
"""Beyond this (degrees) no iris is visible and simulated gaze is no longer asked for."""
FACES_PER_IMAGE = 6
SET_SHARE = {"lfw_grey": 0.35, "udacity_faces": 0.6, "yawdd_stills": 0.8, "portraits": 1.0}
FACE_SHARE = {"lfw_grey": 0.2, "udacity_faces": 0.4, "yawdd_stills": 0.8, "portraits": 1.0, "negatives": 0.0}
"""How often the large sets are drawn (the others 1.5 and 2.5): press portraits are not what a cabin shows."""
LANDMARKS_IN_BOX = (-0.013, 0.234, 1.005, 1.0)
"""Where the landmarks' box lies in a detector's box (medians over 11,000 faces), in box sides."""
BOX_ROUND_LANDMARKS = (0.0125, -0.304, 0.995, 1.0)
"""The way back: the detector's box in units of the landmarks' box."""
DETECTOR_POINTS = lm.indices("right_iris", "left_iris", "nose_tip", "mouth_right", "mouth_left")


def relative_box(boxes: Array, relative: tuple[float, float, float, float]) -> Array:
    """Boxes (n, 4) given by fractions of other boxes' sides."""
    sides = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    corner = np.tile(boxes[:, :2], 2)
    return np.asarray(corner + np.asarray(relative) * sides, np.float32)


def landmark_boxes(points: Array) -> Array:
    """Tight boxes (n, 4) round landmarks (n, 60, 2)."""
    return np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1)


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


def sampling_weight(faces: pd.DataFrame) -> Array:
    """How often a row is drawn, by its set."""
    return faces["set"].map(SET_SHARE).fillna(1.5).to_numpy(np.float32)


def crops(boxes: Array) -> Array:
    """Eyes crops (n, 4): centre x, centre y, side, angle, round boxes (n, 4)."""
    return crop_rows([eyes_crop(Box(*map(float, box))) for box in boxes])


def crop_rows(found: list[Crop]) -> Array:
    """Crops as an array (n, 4)."""
    rows = [(c.center_x, c.center_y, c.side, c.angle_rad) for c in found]
    return np.array(rows, np.float32).reshape(-1, 4)


def fatigue_crops(points: Array) -> Array:
    """Fatigue crops (n, 4) of landmarks (n, 60, 2)."""
    return crop_rows([fatigue_crop(p) for p in points])


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


def openness(source: Source) -> tuple[Array, Array]:
    """Lid opening (n, 2) of right and left eye and the trust (n, 2) in it; the sources' labels win."""
    faces = source.faces
    mesh = np.isfinite(source.landmarks[:, 0, 0])[:, None]
    own = openness_of_blink(faces[["blink_right", "blink_left"]].to_numpy(np.float32))
    other = openness_of_blink(faces[["comma_blink_left", "comma_blink_right"]].to_numpy(np.float32))
    value = np.where(mesh, own, other)
    weight = np.where(mesh, 1.0, 0.3) * (visibility(faces) > 0.4)
    weight = weight * np.where(np.abs(own - other) > 0.5, 0.5, 1.0)
    closed = (faces["eyes"] == "closed").to_numpy()[:, None]
    opened = (faces["eyes"] == "open").to_numpy()[:, None]
    value = np.where(closed, 0.0, np.where(opened, np.maximum(value, 0.7), value))
    weight = np.where(closed | opened, 2.0, weight)
    return value.astype(np.float32), weight.astype(np.float32)


def _landmark_targets(source: Source) -> tuple[Array, Array]:
    """Landmarks (n, 60, 2) and weights (n, 60); faces without a mesh keep the detector's five points."""
    points = source.landmarks.copy()
    weight = np.ones(points.shape[:2], np.float32)
    lost = ~np.isfinite(points[:, 0, 0])
    weight[lost] = 0
    weight[np.ix_(lost, DETECTOR_POINTS)] = 0.3
    points[lost] = 0
    points[np.ix_(lost, DETECTOR_POINTS)] = detector_points(source.faces[lost])
    disagree = source.faces["mesh_eye_err"].to_numpy(np.float32) > 0.15
    weight[disagree & ~lost] *= 0.3
    return points, weight


def eyes_table(source: Source) -> Table:
    """Samples of the `eyes` engine: every trusted face, with or without a mesh."""
    faces = source.faces
    points, points_w = _landmark_targets(source)
    mesh = np.isfinite(source.landmarks[:, 0, 0])
    boxes = detector_boxes(faces)
    tight = np.where(mesh[:, None], landmark_boxes(points), relative_box(boxes, LANDMARKS_IN_BOX))
    head, head_w = head_pose(faces)
    opening, opening_w = openness(source)
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
        "gaze_w": 0.3 * gaze_ok.astype(np.float32),
        "head": head,
        "head_w": head_w,
        "mesh": mesh,
        "simulated": np.zeros(len(faces), bool),
        "face": np.arange(len(faces)),
        "val": (faces["split"] == "val").to_numpy(),
        "draw": sampling_weight(faces),
    }
    keep = (faces["score"] >= MIN_SCORE).to_numpy()
    table = {name: column[keep] for name, column in table.items()}
    return table if not source.simulated else join(table, _simulated_eyes(source))


def _simulated_eyes(source: Source) -> Table:
    sim = source.simulated
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
        "landmarks_w": np.full((n, lm.COUNT), 0.5, np.float32),
        "openness": sim["openness"].astype(np.float32),
        "openness_w": (seen > 0.4).astype(np.float32),
        "visibility": seen,
        "gaze": sim["gaze"].astype(np.float32),
        "gaze_w": (open_enough & (seen.min(axis=1) > 0.4)).astype(np.float32),
        "head": sim["head"].astype(np.float32),
        "head_w": np.ones(n, np.float32),
        "mesh": np.ones(n, bool),
        "simulated": np.ones(n, bool),
        "face": np.full(n, -1),
        "val": sim["val"].astype(bool),
        "draw": np.full(n, 0.7, np.float32),
    }


def join(first: Table, second: Table) -> Table:
    """Rows of two tables one below the other."""
    return {name: np.concatenate([column, second[name]]) for name, column in first.items()}


def faces_table(source: Source) -> Table:
    """Samples of the `face` engine, one row an image; `use` is 1 for a face, 0 for none, -1 to ignore."""
    n, m = len(source.images), len(source.simulated.get("val", ()))
    box = np.zeros((n + m, FACES_PER_IMAGE, 4), np.float32)
    points = np.zeros((n + m, FACES_PER_IMAGE, 5, 2), np.float32)
    use = np.zeros((n + m, FACES_PER_IMAGE), np.float32)
    at = source.faces["image"].to_numpy(), source.faces["face"].to_numpy()
    box[at], points[at] = detector_boxes(source.faces), detector_points(source.faces)
    use[at] = np.where(source.faces["score"] >= MIN_SCORE, 1, -1)
    val = (source.images["split"] == "val").to_numpy()
    draw = source.images["set"].map(FACE_SHARE).fillna(2.5).to_numpy(np.float32)
    draw = np.where((use == 1).any(axis=1)[:n], draw, 0)
    if m:
        marks = source.simulated["landmarks"].astype(np.float32)
        box[n:, 0] = relative_box(landmark_boxes(marks), BOX_ROUND_LANDMARKS)
        points[n:, 0] = marks[:, list(DETECTOR_POINTS)]
        use[n:, 0] = 1
        val = np.concatenate([val, source.simulated["val"].astype(bool)])
        draw = np.concatenate([draw, np.full(m, 0.3, np.float32)])
    negative = np.zeros(n + m, bool)
    negative[:n] = (source.images["set"] == "negatives").to_numpy()
    return {
        "image": np.arange(n + m), "box": box, "points": points, "use": use,
        "val": val, "draw": draw.astype(np.float32), "negative": negative,
    }  # fmt: skip
