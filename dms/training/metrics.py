"""The figures of each engine on held-out people, from its outputs; every value is named as in the report."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dms import landmarks as lm
from dms.engines.contract import ACTIVITIES, CONTRACTS
from dms.records import Box
from dms.stages.face import anchor_grid, decode, iou
from dms.stages.tensors import Letterbox
from dms.training.pack import Pack

Array = NDArray[Any]
Outputs = dict[str, Array]
Scores = dict[str, float]

IN_CAR = ("yawdd_stills", "seat_belt", "seatbelt_phone", "aps360_yawn", "statefarm_phone")
SCORE = 0.5
"""Detections below this do not count."""
HAND_LABELLED = {
    36: "right_eye_outer", 39: "right_eye_inner", 42: "left_eye_inner", 45: "left_eye_outer",
    30: "nose_tip", 48: "mouth_right", 54: "mouth_left",
}  # fmt: skip
"""Points the 68-point scheme (its left is the image's left) and ours have in common."""


def average(values: Array) -> float:
    """The mean; NaN of nothing."""
    return float(np.mean(values)) if np.size(values) else float("nan")


def auc(score: Array, positive: Array) -> float:
    """Area under the ROC curve by ranks; NaN if a class is missing."""
    positive = np.asarray(positive, bool)
    pairs = int(positive.sum()) * int((~positive).sum())
    if not pairs:
        return float("nan")
    _values, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts - 1) / 2
    ranks = middle[inverse.reshape(-1)]
    n = int(positive.sum())
    return float((ranks[positive].sum() - n * (n + 1) / 2) / pairs)


def found_faces(outputs: Outputs, fits: list[Letterbox]) -> list[list[tuple[Box, float]]]:
    """Boxes in image pixels with scores, for each letterboxed frame."""
    grid = anchor_grid(CONTRACTS["face"].height, CONTRACTS["face"].width)
    rows = []
    for i, fit in enumerate(fits):
        one = {name: out[i : i + 1] for name, out in outputs.items()}
        rows.append([(_in_image(box, fit), score) for box, score in decode(one, grid, SCORE)])
    return rows


def _in_image(box: Box, fit: Letterbox) -> Box:
    x, y = fit.pad_x, fit.pad_y
    corners = ((box.x1 - x), (box.y1 - y), (box.x2 - x), (box.y2 - y))
    return Box(*(value / fit.scale for value in corners))


def face_recall(found: list[list[tuple[Box, float]]], truth: Array, use: Array) -> float:
    """Share of trusted faces (n, 6, 4) that a detection overlaps by half or more."""
    hits = [
        any(iou(Box(*map(float, truth[i, k])), box) >= 0.5 for box, _ in found[i])
        for i, k in zip(*np.nonzero(use == 1), strict=True)
    ]
    return average(np.array(hits))


def driver_recall(found: list[list[tuple[Box, float]]], truth: Array, use: Array) -> float:
    """As `face_recall`, of each picture's largest trusted face alone."""
    area = (truth[..., 2] - truth[..., 0]) * (truth[..., 3] - truth[..., 1]) * (use == 1)
    largest = np.zeros_like(use)
    largest[np.arange(len(use)), area.argmax(axis=1)] = 1
    return face_recall(found, truth, largest)


def eyes(out: Outputs, pack: Pack, rows: Array) -> Scores:
    """Landmarks, openness, head pose, gaze of the rows of the `eyes` table."""
    table = {name: column[rows] for name, column in pack.tables["eyes"].items()}
    side, center = table["crop"][:, 2], table["crop"][:, :2]
    points = center[:, None] + side[:, None, None] * (out["landmarks"] - 0.5)
    off = np.linalg.norm(points - table["landmarks"], axis=2).mean(axis=1)
    span = _outer_eyes(table["landmarks"])
    real, sim = ~table["simulated"], table["simulated"]
    mesh = real & table["mesh"]
    scores = {
        "nme_mesh": average((off / span)[mesh]),
        "nme_mesh_median": float(np.median((off / span)[mesh])) if mesh.any() else float("nan"),
        "nme_hand": _hand_error(points, pack, table["image"], table["crop"], real),
        "openness_error": average(np.abs(out["openness"] - table["openness"])[mesh]),
        "presence_of_faces": average(out["presence"][real] > 0.5),
    }
    scores |= _open_closed(out["openness"], pack, table["face"], real)
    for tag, use in (("teacher", real), ("sim", sim)):
        if use.any():
            scores |= _angles(out, table, use, tag)
    sharp = sim & (table["openness_w"].min(axis=1) > 0)
    if sharp.any():
        scores["openness_error_sim"] = average(np.abs(out["openness"] - table["openness"])[sharp])
        scores["nme_sim"] = average((off / span)[sim & (np.abs(table["head"][:, 0]) < 40)])
    return scores


def _outer_eyes(points: Array) -> Array:
    right, left = lm.OUTER_EYE_CORNERS
    return np.asarray(np.maximum(np.linalg.norm(points[:, right] - points[:, left], axis=1), 1e-3))


def _hand_error(points: Array, pack: Pack, images: Array, crop: Array, real: Array) -> float:
    marks = pack.tables["images"]["landmarks68"]
    truth = np.full((len(points), 68, 2), np.nan, np.float32)
    truth[real] = marks[images[real]]
    # A second person in the picture is not the one that was labelled by hand.
    use = np.linalg.norm(truth.mean(axis=1) - crop[:, :2], axis=1) < 0.25 * crop[:, 2]
    ours = points[use][:, list(lm.indices(*HAND_LABELLED.values()))]
    theirs = truth[use][:, list(HAND_LABELLED)]
    span = np.linalg.norm(truth[use, 36] - truth[use, 45], axis=1)
    return average(np.linalg.norm(ours - theirs, axis=2).mean(axis=1) / span)


def _open_closed(openness: Array, pack: Pack, faces: Array, real: Array) -> Scores:
    label = np.where(real, pack.tables["faces"]["eyes"][np.maximum(faces, 0)], "")
    known = label != ""
    mean = openness.mean(axis=1)
    closed = label[known] == "closed"
    return {
        "open_closed_faces": float(known.sum()),
        "open_closed_accuracy": average((mean[known] < 0.5) == closed),
        "open_closed_auc": auc(-mean[known], closed),
    }


def _angles(out: Outputs, table: Outputs, use: Array, tag: str) -> Scores:
    head = np.abs(out["head"] - table["head"])[use]
    scores = {f"head_{name}_{tag}": average(head[:, k]) for k, name in enumerate(("yaw", "pitch", "roll"))}
    gazed = use & (table["gaze_w"] > 0)
    gaze = np.abs(out["gaze"] - table["gaze"])[gazed]
    return scores | {f"gaze_{name}_{tag}": average(gaze[:, k]) for k, name in enumerate(("yaw", "pitch"))}


def fatigue(out: Outputs, pack: Pack, rows: Array) -> Scores:
    """Areas under the curves of the states, and the plain accuracies at one half."""
    table = {name: column[rows] for name, column in pack.tables["fatigue"].items()}
    state, truth, weight = out["state"], table["state"] > 0.5, table["state_w"] > 0
    real = ~table["simulated"]
    sets = np.where(real, pack.tables["images"]["set"][np.where(real, table["image"], 0)], "simulated")
    in_car = sets == "yawdd_stills"
    labelled = real & (pack.tables["faces"]["eyes"][np.maximum(table["face"], 0)] != "")
    eyes_score, eyes_truth = state[labelled, :2].mean(axis=1), truth[labelled, 0]
    yawn = in_car & weight[:, 2]
    scores = {
        "yawn_auc_in_car": auc(state[yawn, 2], truth[yawn, 2]),
        "yawn_accuracy_in_car": average((state[yawn, 2] > 0.5) == truth[yawn, 2]),
        "closed_auc_labelled": auc(eyes_score, eyes_truth),
        "closed_accuracy_labelled": average((eyes_score > 0.5) == eyes_truth),
    }
    for k, name in enumerate(("closed_right", "closed_left", "yawn", "mouth_covered", "squint")):
        use = real & weight[:, k]
        scores[f"{name}_auc"] = auc(state[use, k], truth[use, k])
    return scores


def distraction(out: Outputs, pack: Pack, rows: Array) -> Scores:
    """Balanced accuracy over the classes, phones found at 1 % false alarms."""
    table = {name: column[rows] for name, column in pack.tables["distraction"].items()}
    activity = out["activity"]
    single = (table["allowed"].sum(axis=1) == 1) & ~table["simulated"]
    truth, guess = table["allowed"][single].argmax(axis=1), activity[single].argmax(axis=1)
    recalls = {f"recall_{ACTIVITIES[c]}": average(guess[truth == c] == c) for c in np.unique(truth)}
    phone = activity[:, :2].sum(axis=1)
    no_phone = (table["allowed"][:, :2].sum(axis=1) == 0) & ~table["simulated"]
    is_phone = (table["allowed"][:, 2:].sum(axis=1) == 0) & ~table["simulated"]
    limit = np.quantile(phone[no_phone], 0.99)
    return {
        "balanced_accuracy": average(np.array(list(recalls.values()))),
        "phone_recall_at_1pct_false": average(phone[is_phone] > limit),
        "false_phones": average(phone[no_phone] > 0.5),
        "phone_recall": average(phone[is_phone] > 0.5),
        "phone_auc": auc(phone[no_phone | is_phone], is_phone[no_phone | is_phone]),
        "phones": float(is_phone.sum()),
        **recalls,
    }
