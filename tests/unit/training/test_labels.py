from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pd = pytest.importorskip("pandas")

from dms.evaluation import by_eye  # noqa: E402 - after the check that pandas is there
from dms.training.datasets import packing, samples, source, states  # noqa: E402
from dms.training.datasets.mix import load_mix  # noqa: E402

TRUST = load_mix().trust

TEACHERS = tuple(enumerate(("mp", "intel", "comma")))


def test_blink_becomes_openness() -> None:
    blink = np.array([0.0, 0.05, 0.325, 0.6, 0.9])
    assert samples.openness_of_blink(blink) == pytest.approx([1, 1, 0.5, 0, 0])


def test_boxes_there_and_back() -> None:
    box = np.array([[10.0, 20.0, 110.0, 150.0]], np.float32)
    tight = samples.relative_box(box, samples.LANDMARKS_IN_BOX)
    back = samples.relative_box(tight, samples.BOX_ROUND_LANDMARKS)
    assert back == pytest.approx(box, abs=2)


def faces(**columns: list[float]) -> pd.DataFrame:
    return pd.DataFrame(columns)


def test_head_pose_is_the_mean_of_the_teachers_but_not_beyond_fifty_degrees() -> None:
    agreed = {f"{t}_{a}": [11.0, 50.0] for t in ("mp", "intel", "comma") for a in ("pitch", "roll")}
    rows = faces(mp_yaw=[0.0, 48.0], intel_yaw=[3.0, 70.0], comma_yaw=[6.0, 60.0], **agreed)
    head, _ = samples.head_pose(rows)
    assert head[:, 0] == pytest.approx([3, 65])
    assert head[:, 1:] == pytest.approx(np.array([[11, 11], [50, 50]]))


def test_teachers_that_disagree_are_trusted_less() -> None:
    apart = {f"{t}_{a}": [0.0, 15.0 * k] for k, t in TEACHERS for a in ("yaw", "pitch")}
    _, trust = samples.head_pose(faces(mp_roll=[0, 0], intel_roll=[0, 0], comma_roll=[0, 0], **apart))
    assert trust[0] == 1
    assert trust[1] < 0.7


def test_the_camera_side_of_eyes_is_turned_into_the_subjects() -> None:
    rows = faces(comma_eye_left=[0.9, 0.9], comma_eye_right=[0.2, 0.9], comma_sunglasses=[0.0, 0.8])
    seen = samples.visibility(rows)
    assert seen[0] == pytest.approx([0.9, 0.2])
    assert seen[1] == pytest.approx([0.2, 0.2])


def test_a_shut_mouth_labelled_yawn_is_not_trusted() -> None:
    rows = pd.DataFrame({
        "yawn": ["1", "1", "0", ""], "mouth_ratio": [0.6, 0.02, 0.3, 0.05],
        "set": ["yawdd_stills"] * 3 + ["lfw_grey"], "source_label": [""] * 4,
    })  # fmt: skip
    yawn, weight = states._yawn(rows, TRUST.yawn)
    assert yawn.tolist() == [1, 1, 0, 0]
    assert (weight > 0).tolist() == [True, False, True, True]


def test_a_laugh_is_no_yawn() -> None:
    rows = pd.DataFrame({"yawn": ["0"], "mouth_ratio": [0.7], "set": ["har"], "source_label": ["laughing"]})
    yawn, weight = states._yawn(rows, TRUST.yawn)
    assert yawn[0] == 0
    assert weight[0] > 0


def test_between_open_and_closed_nobody_knows() -> None:
    rows = pd.DataFrame({
        "blink_right": [0.1, 0.45, 0.9, 0.3], "blink_left": [0.1, 0.45, 0.9, 0.3],
        "comma_sunglasses": [0.0] * 4, "eyes": ["", "", "", "closed"],
    })  # fmt: skip
    closed, weight = states._closed(rows, TRUST.closed)
    assert weight[:, 0].tolist() == [1, 0, 1, 2]
    assert closed[:, 0].tolist() == [0, 0, 1, 1]


def test_a_phone_outside_the_drivers_crop_teaches_nothing() -> None:
    face = np.array([100.0, 100, 200, 220])
    near, far = np.array([90.0, 120, 130, 180]), np.array([600.0, 120, 640, 180])
    assert states._phone_in_crop(("phone_calling", near), face) == ("phone_at_ear",)
    assert states._phone_in_crop(("phone_texting", near), face) == ("phone_in_hand",)
    assert states._phone_in_crop(("phone_calling", far), face) == ()


def test_rare_classes_are_drawn_more_often_but_not_as_often_as_common_ones_are_rare() -> None:
    allowed = np.zeros((1100, 6), np.float32)
    allowed[:1000, 5] = allowed[1000:, 0] = 1
    weight = states.class_balance(allowed, np.ones(1100, bool))
    assert 1 < weight[1000] / weight[0] < 10


def test_activities_by_eye_are_activities() -> None:
    from dms.engines.contract import ACTIVITIES

    table = by_eye.rows("training/activity_by_eye.csv")
    named = {name for row in table for name in row["activity"].split("|")}
    assert named <= set(ACTIVITIES)
    assert len({row["picture"] for row in table}) == len(table)


def test_sides_by_eye_are_sides_and_what_is_held_lies_below(monkeypatch: pytest.MonkeyPatch) -> None:
    from dms.engines.contract import ACTIVITIES

    table = by_eye.rows("training/activity_side.csv")
    assert {row["side"] for row in table} <= set(states.SIDES)
    assert len({row["picture"] for row in table}) == len(table)
    seen = {"picture": by_eye.picture_key("images/x/seen.jpg"), "side": "left"}
    monkeypatch.setattr(by_eye, "rows", lambda name: [seen])
    images = pd.DataFrame({"path": ["images/x/seen.jpg", "images/x/new.jpg", "images/x/other.jpg"]})
    allowed = np.eye(len(ACTIVITIES), dtype=np.float32)[[0, ACTIVITIES.index("smoking"), 0]]
    assert states.activity_sides(images, allowed).tolist() == [[-1, 0], [0, 1], [0, 0]]


def test_eyes_seen_are_those_of_the_largest_face(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {"picture": by_eye.picture_key("images/x/two.jpg"), "eyes": "down"}
    monkeypatch.setattr(by_eye, "rows", lambda name: [seen])
    table = pd.DataFrame({
        "path": ["images/x/two.jpg"] * 2 + ["images/x/one.jpg"], "image": [0, 0, 1],
        "x1": [0.0, 0, 0], "y1": [0.0, 0, 0], "x2": [10.0, 30, 9], "y2": [10.0, 9, 9],
    })  # fmt: skip
    assert packing.eyes_by_eye(table).tolist() == ["", "down", ""]


def labelled(split: list[str], shift_px: list[float], landmarks: np.ndarray) -> source.Source:
    """Faces with a mesh, and hand labels `shift_px` to its right."""
    n = len(split)
    hand = np.full((n, 68, 2), np.nan, np.float32)
    ours = list(samples.lm.indices(*samples.HAND_LABELLED.values()))
    hand[:, list(samples.HAND_LABELLED)] = landmarks[:, ours]
    hand[..., 0] += np.array(shift_px)[:, None]
    table = faces(image=list(range(n)), split=split, mesh_eye_err=[0.0] * n, intel_yaw=[0.0] * n,
                  comma_yaw=[0.0] * n)  # fmt: skip
    none = np.zeros((0,))
    return source.Source(Path(), table, table, landmarks, none, (), table, hand, {})


def test_hand_labels_move_training_faces_alone_and_only_the_same_face() -> None:
    points = np.zeros((4, 60, 2), np.float32)
    points[:, samples.lm.INDEX["left_eye_outer"], 0] = 100
    found = labelled(["train", "val", "train", "train"], [5, 5, 80, np.nan], points)
    moved = samples._with_hand_labels(found, points)
    nose = samples.lm.INDEX["nose_tip"]
    assert moved[:, nose, 0] == pytest.approx([5 * samples.HAND_SHARE, 0, 0, 0])
    assert moved[0, samples.lm.INDEX["chin"], 0] == 0


def test_the_mesh_of_a_profile_is_trusted_less() -> None:
    found = labelled(["val"] * 3, [0] * 3, np.zeros((3, 60, 2), np.float32))
    found.faces["intel_yaw"] = found.faces["comma_yaw"] = [-10.0, 57.5, -80.0]
    assert samples._turn_trust(found) == pytest.approx([1, 0.5, 0.3])
