"""Training samples of the `fatigue` and `distraction` engines (see `samples` for what a table is)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from dms import landmarks as lm
from dms.engines.contract import ACTIVITIES
from dms.evaluation import by_eye
from dms.evaluation.boxes import (
    DETECTOR_POINTS,
    LANDMARKS_IN_BOX,
    crop_rows,
    fatigue_crops,
    landmark_boxes,
    relative_box,
)
from dms.records import Box
from dms.stages.tensors import distraction_crop
from dms.training.datasets.mix import Mix, TeacherTrust, Trust, Trusts
from dms.training.datasets.samples import (
    MIN_SCORE,
    Array,
    Table,
    detector_boxes,
    detector_points,
    join,
)
from dms.training.datasets.source import Source

CLOSED_BLINK, OPEN_BLINK = 0.55, 0.35
"""Teacher blink above which an eye counts as shut, below which as open; between, nobody knows."""
YAWN_SHUT, SIM_YAWN_OPEN = 0.15, 0.5
"""Mouth height over width below which nobody yawns; simulated jaw opening from which the mouth looks so."""
WRONG_YAWN = 0.1
"""A mouth this shut does not yawn whatever its label says: seen on stills next to a yawn."""
NONE_OR_HAND = ("hand_on_face", "none")
ACTIVITY_OF_SET: dict[str, tuple[str, ...]] = {
    "yawdd_stills": ("none",),
    "seat_belt": NONE_OR_HAND,
    "beastojenisto": ("none",),
    "lfw_grey": NONE_OR_HAND,
    "udacity_faces": NONE_OR_HAND,
    "portraits": ("none",),
    "mask": ("none",),
    "aps360_yawn": NONE_OR_HAND,
    "seatbelt_phone": NONE_OR_HAND,
    "attention_driving": NONE_OR_HAND,
}
"""What may be going on where nothing else is labelled: the loss asks for any of these, not for one."""
ACTIVITY_OF_LABEL: dict[str, tuple[str, ...]] = {
    "calling": ("phone_at_ear",),
    "drinking": ("eating_drinking",),
    "eating": ("eating_drinking",),
    "eating_or_drinking": ("eating_drinking",),
    "smoking": ("smoking",),
    "laughing": NONE_OR_HAND,
    "sleeping": NONE_OR_HAND,
    "posture_phone": ("phone_at_ear",),
    "posture_safe": ("none",),
}
BELOW = ("phone_in_hand", "eating_drinking", "smoking")
SIDES = {"left": (-1, 0), "right": (1, 0), "below": (0, 1), "all": (0, 0), "": (0, 0)}


def fatigue_table(source: Source, mix: Mix) -> Table:
    """Samples of the `fatigue` engine: `state` (n, 5) and the trust `state_w` (n, 5), where a mesh exists."""
    faces = source.faces
    keep = (faces["score"] >= MIN_SCORE).to_numpy() & np.isfinite(source.landmarks[:, 0, 0])
    state, weight = _fatigue_labels(source, mix.trust)
    points = source.landmarks[keep]
    table = {
        "image": faces["image"].to_numpy(np.int64)[keep],
        "crop": fatigue_crops(points),
        "parts": parts(points),
        "state": state[keep],
        "state_w": weight[keep],
        "simulated": np.zeros(int(keep.sum()), bool),
        "face": np.flatnonzero(keep),
        "val": (faces["split"] == "val").to_numpy()[keep],
        "draw": mix.draw.fatigue.of(faces["set"])[keep],
    }
    return table if not source.simulated else join(table, _simulated_fatigue(source, mix))


def parts(points: Array) -> Array:
    """Centres of right eye, left eye and mouth (n, 3, 2), from landmarks (n, 60, 2)."""
    groups = (lm.RIGHT_EYE, lm.LEFT_EYE, lm.INNER_MOUTH)
    return np.stack([points[:, list(g)].mean(axis=1) for g in groups], axis=1).astype(np.float32)


def _fatigue_labels(source: Source, trust: Trusts) -> tuple[Array, Array]:
    faces = source.faces
    state = np.zeros((len(faces), 5), np.float32)
    weight = np.zeros_like(state)
    state[:, :2], weight[:, :2] = _closed(faces, trust.closed)
    state[:, 2], weight[:, 2] = _yawn(faces, trust.yawn)
    state[:, 3], weight[:, 3] = _covered(source, trust.mouth_covered)
    state[:, 4], weight[:, 4] = _squint(source, trust.squint)
    weight[:, 2] *= state[:, 3] < 0.5
    return state, weight


def _closed(faces: pd.DataFrame, trust: Trust) -> tuple[Array, Array]:
    blink = faces[["blink_right", "blink_left"]].to_numpy(np.float32)
    seen = (faces["comma_sunglasses"] < 0.5).to_numpy()[:, None]
    closed = np.where(blink > CLOSED_BLINK, 1.0, 0.0)
    weight = ((blink > CLOSED_BLINK) | (blink < OPEN_BLINK)) * seen * trust.teacher
    label = faces["eyes"].to_numpy()[:, None]
    closed = np.where(label == "closed", 1.0, np.where(label == "open", 0.0, closed))
    return closed, np.where((label == "closed") | (label == "open"), trust.own, weight)


def _yawn(faces: pd.DataFrame, trust: Trust) -> tuple[Array, Array]:
    label = faces["yawn"].to_numpy()
    shut = (faces["mouth_ratio"] < YAWN_SHUT).to_numpy()
    own = faces["set"].isin(["yawdd_stills", "aps360_yawn"]).to_numpy()
    laugh = (faces["source_label"] == "laughing").to_numpy()
    yawn = ((label == "1") & ~laugh).astype(np.float32)
    known = ((own & (label != "")) | laugh) & ~(
        (label == "1") & (faces["mouth_ratio"] < WRONG_YAWN).to_numpy()
    )
    return yawn, np.where(known, trust.own, np.where(shut & (label != "1"), trust.teacher, 0.0))


def _covered(source: Source, trust: Trust) -> tuple[Array, Array]:
    image = source.faces["image"].to_numpy()
    activity = activities_by_eye(source.images)[image]
    hand = (activity == "hand_on_face") & (sides_by_eye(source.images)[image] == "")
    mask = (source.faces["set"] == "mask").to_numpy()
    free = source.faces["set"].isin(["yawdd_stills", "lfw_grey", "udacity_faces", "portraits", "aps360_eyes"])
    free = free.to_numpy() | (activity == "none")
    covered = mask | (hand & source.faces["set"].isin(["aps360_yawn", "smokers"]).to_numpy())
    return covered.astype(np.float32), np.where(covered, trust.own, np.where(free, trust.teacher, 0.0))


def _squint(source: Source, trust: TeacherTrust) -> tuple[Array, Array]:
    """Eyes narrowed by a laugh or by light, open nevertheless."""
    squint = (source.blendshape("eyeSquintLeft") + source.blendshape("eyeSquintRight")) / 2
    smile = (source.blendshape("mouthSmileLeft") + source.blendshape("mouthSmileRight")) / 2
    blink = source.faces[["blink_left", "blink_right"]].to_numpy(np.float32).max(axis=1)
    narrowed = (squint > 0.6) & (smile > 0.5) & (blink < CLOSED_BLINK)
    relaxed = (squint < 0.45) | (smile < 0.1)
    return narrowed.astype(np.float32), trust.teacher * (narrowed | relaxed).astype(np.float32)


def _simulated_fatigue(source: Source, mix: Mix) -> Table:
    sim, trust = source.simulated, mix.trust
    points = sim["landmarks"].astype(np.float32)
    opening, seen = sim["openness"].astype(np.float32), sim["visibility"].astype(np.float32)
    covered, mouth = sim["mouth_covered"].astype(np.float32), sim["mouth_open"].astype(np.float32)
    state = np.zeros((len(points), 5), np.float32)
    weight = np.zeros_like(state)
    state[:, :2] = opening < 0.2
    weight[:, :2] = trust.closed.simulated * (((opening < 0.2) | (opening > 0.35)) & (seen > 0.4))
    state[:, 2] = mouth > SIM_YAWN_OPEN
    weight[:, 2] = trust.yawn.simulated * (((mouth > SIM_YAWN_OPEN) | (mouth < 0.25)) & (covered < 0.5))
    state[:, 3] = covered
    weight[:, 3] = trust.mouth_covered.simulated
    return {
        "image": len(source.images) + np.arange(len(points)),
        "crop": fatigue_crops(points),
        "parts": parts(points),
        "state": state,
        "state_w": weight,
        "simulated": np.ones(len(points), bool),
        "face": np.full(len(points), -1),
        "val": sim["val"].astype(bool),
        "draw": np.full(len(points), mix.draw.fatigue.simulated, np.float32),
    }


def activities_by_eye(images: pd.DataFrame) -> Array:
    """What a person saw in each picture, names joined by `|`, empty where nobody looked."""
    return by_eye.column("training/activity_by_eye.csv", "activity", images["path"])


def sides_by_eye(images: pd.DataFrame) -> Array:
    """On which side of the face a phone or hand was seen: a key of `SIDES`, empty where nobody looked."""
    return by_eye.column("training/activity_side.csv", "side", images["path"])


def activity_sides(images: pd.DataFrame, allowed: Array) -> Array:
    """Where an activity lies, from the face: unit vectors (n, 2), x right and y down, 0 where unknown.

    What goes to the mouth or is held, and was not looked at, lies below the eyes.

    Args:
        images: the pictures' manifest rows.
        allowed: their activities (n, 6).
    """
    sides = sides_by_eye(images)
    held = allowed[:, [ACTIVITIES.index(name) for name in BELOW]].any(axis=1) & (allowed.sum(axis=1) == 1)
    sides = np.where((sides == "") & held, "below", sides)
    return np.array([SIDES[name] for name in sides], np.float32).reshape(-1, 2)


def distraction_table(source: Source, mix: Mix) -> Table:
    """Samples of the `distraction` engine.

    `allowed` (n, 6) is 1 for each activity that may be the true one; all ones where nothing is known (only a
    teacher's opinion can be learned there). `side` (n, 2) points from the face to the activity.
    """
    faces = source.faces
    keep = ((faces["score"] >= MIN_SCORE) & (faces["face"] == 0)).to_numpy()
    mesh = np.isfinite(source.landmarks[:, 0, 0])[:, None]
    boxes = np.where(
        mesh, landmark_boxes(source.landmarks), relative_box(detector_boxes(faces), LANDMARKS_IN_BOX)
    )
    boxes = np.nan_to_num(boxes)
    names = _allowed_names(source, boxes)
    allowed = np.array([[name in row for name in ACTIVITIES] for row in names], np.float32)
    allowed[~allowed.any(axis=1)] = 1
    share = mix.draw.distraction.of(faces["set"])
    table = {
        "image": faces["image"].to_numpy(np.int64)[keep],
        "crop": crop_rows([distraction_crop(Box(*map(float, b))) for b in boxes[keep]]),
        "allowed": allowed[keep],
        "side": activity_sides(source.images.iloc[faces["image"].to_numpy()[keep]], allowed[keep]),
        "points": detector_points(faces)[keep],
        "simulated": np.zeros(int(keep.sum()), bool),
        "face": np.flatnonzero(keep),
        "val": (faces["split"] == "val").to_numpy()[keep],
        "draw": (share * class_balance(allowed, keep))[keep],
    }
    return (
        table
        if not source.simulated
        else join(table, _simulated_distraction(source, mix.draw.distraction.simulated))
    )


def class_balance(allowed: Array, keep: Array) -> Array:
    """Drawing weights that even the classes out, but not so far that rare ones are learned by heart."""
    weight = np.ones(len(allowed), np.float32)
    patterns, group = np.unique(allowed, axis=0, return_inverse=True)
    for k, pattern in enumerate(patterns):
        rows = keep & (group.reshape(-1) == k)
        weight[rows] = (1.0 if pattern.sum() == 1 else 0.3) * max(int(rows.sum()), 20) ** -0.7
    return weight


def _allowed_names(source: Source, boxes: Array) -> list[tuple[str, ...]]:
    faces = source.faces
    seen = activities_by_eye(source.images)[faces["image"].to_numpy()]
    posture = source.boxes.drop_duplicates("path").set_index("path")["class"]
    posture = faces["path"].map(posture).where(faces["set"] == "statefarm_phone")
    phones = _phone_boxes(source)
    rows: list[tuple[str, ...]] = []
    for i, (path, set_, behaviour, label) in enumerate(
        zip(faces["path"], faces["set"], faces["behaviour"], faces["source_label"], strict=True)
    ):
        keys = (label, behaviour, posture.iloc[i])
        known = next((ACTIVITY_OF_LABEL[k] for k in keys if k in ACTIVITY_OF_LABEL), None)
        if seen[i]:
            known = tuple(seen[i].split("|"))
        elif path in phones:
            known = _phone_in_crop(phones[path], boxes[i])
        elif known is None:
            known = () if behaviour == "phone" or set_ == "statefarm_phone" else ACTIVITY_OF_SET.get(set_, ())
        rows.append(known)
    return rows


def _phone_boxes(source: Source) -> dict[str, tuple[str, Array]]:
    table = source.boxes[source.boxes["class"].isin(["phone_calling", "phone_texting"])].drop_duplicates(
        "path"
    )
    corners = table[["x1", "y1", "x2", "y2"]].to_numpy(np.float32)
    return {p: (c, box) for p, c, box in zip(table["path"], table["class"], corners, strict=True)}


def _phone_in_crop(phone: tuple[str, Array], face: Array) -> tuple[str, ...]:
    """The class of a boxed phone if the driver's crop shows it, else nothing is known."""
    kind, box = phone
    crop = distraction_crop(Box(*map(float, face)))
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    if max(abs(x - crop.center_x), abs(y - crop.center_y)) > 0.45 * crop.side:
        return ()
    return ("phone_at_ear",) if kind == "phone_calling" else ("phone_in_hand",)


def _simulated_distraction(source: Source, draw: float) -> Table:
    sim = source.simulated
    boxes = landmark_boxes(sim["landmarks"].astype(np.float32))
    index = np.array([ACTIVITIES.index("none"), 0, 1])[sim["phone"].astype(int)]
    share = np.bincount(index, minlength=len(ACTIVITIES))
    return {
        "image": len(source.images) + np.arange(len(boxes)),
        "crop": crop_rows([distraction_crop(Box(*map(float, b))) for b in boxes]),
        "allowed": np.eye(len(ACTIVITIES), dtype=np.float32)[index],
        "side": np.zeros((len(boxes), 2), np.float32),
        "simulated": np.ones(len(boxes), bool),
        "face": np.full(len(boxes), -1),
        "val": sim["val"].astype(bool),
        "points": sim["landmarks"].astype(np.float32)[:, list(DETECTOR_POINTS)],
        "draw": (draw * np.maximum(share, 20.0) ** -0.7)[index].astype(np.float32),
    }
