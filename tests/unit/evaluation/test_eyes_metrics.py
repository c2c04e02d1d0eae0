from __future__ import annotations

import numpy as np
import pytest

from dms import landmarks as lm
from dms.evaluation import eyes_metrics, state_metrics
from dms.evaluation.metrics import Outputs, people
from dms.evaluation.pack import Pack

N = 12
CROP = np.tile(np.array([200.0, 200, 80, 0], np.float32), (N, 1))


@pytest.fixture
def pack() -> Pack:
    """Twelve rows of which every third is simulated; labels are made up, pixels do not matter."""
    rng = np.random.default_rng(2)
    simulated = np.arange(N) % 3 == 2
    eyes = {
        "image": np.arange(N), "crop": CROP, "simulated": simulated, "val": np.ones(N, bool),
        "landmarks": rng.uniform(170, 230, (N, lm.COUNT, 2)).astype(np.float32),
        "openness": np.where(np.arange(N)[:, None] % 2, 1.0, 0.0).repeat(2, axis=1).astype(np.float32),
        "openness_w": np.ones((N, 2), np.float32), "visibility": np.ones((N, 2), np.float32),
        "head": np.zeros((N, 3), np.float32), "head_w": np.ones(N, np.float32),
        "gaze": np.zeros((N, 2), np.float32), "gaze_w": np.ones(N, np.float32),
        "mesh": ~simulated, "face": np.where(simulated, -1, np.arange(N)),
    }  # fmt: skip
    labels = np.where(np.arange(N) % 2, "open", "closed")
    images = {
        "set": np.full(N, "own"), "person": np.array([f"p{k // 2}" for k in range(N)]),
        "landmarks68": np.full((N, 68, 2), np.nan, np.float32),
    }  # fmt: skip
    return Pack([], {"eyes": eyes, "images": images, "faces": {"eyes": labels}})


def perfect(pack: Pack) -> Outputs:
    """What an engine that is always right says."""
    table = pack.tables["eyes"]
    return {
        "landmarks": (table["landmarks"] - CROP[:, None, :2]) / CROP[:, None, 2:3] + 0.5,
        "landmark_sigma": np.full((N, lm.COUNT), 0.01), "openness": table["openness"].copy(),
        "openness_sigma": np.full((N, 2), 0.05), "visibility": table["visibility"].copy(),
        "head": table["head"].copy(), "head_sigma": np.ones((N, 1)),
        "gaze": table["gaze"].copy(), "gaze_sigma": np.ones((N, 1)), "presence": np.ones((N, 1)),
    }  # fmt: skip


def values(out: Outputs, pack: Pack) -> dict[str, float]:
    seen = eyes_metrics.look(out, pack, eyes_metrics.held_rows(pack))
    return {name: figure.value for name, figure in eyes_metrics.figures(seen).items()}


def test_a_perfect_engine_has_no_error(pack: Pack):
    found = values(perfect(pack), pack)
    for name in ("nme_mesh", "openness_error", "head_sim", "head_teacher", "gaze_sim", "wrong_when_claimed"):
        assert found[name] == pytest.approx(0, abs=1e-6)
    for name in ("open_closed_accuracy", "open_closed_auc", "presence_of_faces", "visible_claimed"):
        assert found[name] == 1


def test_errors_are_counted_in_their_own_unit(pack: Pack):
    out = perfect(pack)
    out["head"] = out["head"] + np.array([3.0, 0, 0])
    out["gaze"] = out["gaze"] + np.array([0.0, 4])
    found = values(out, pack)
    assert (found["head_yaw_sim"], found["head_pitch_sim"], found["head_sim"]) == (3, 0, 1)
    assert (found["gaze_pitch_teacher"], found["gaze_teacher"]) == (4, 2)


def test_landmark_errors_are_shares_of_the_outer_eye_distance(pack: Pack):
    out = perfect(pack)
    points = pack.tables["eyes"]["landmarks"]
    right, left = lm.OUTER_EYE_CORNERS
    span = np.linalg.norm(points[:, right] - points[:, left], axis=1)
    out["landmarks"][..., 0] += 0.1 * span[:, None] / 80
    assert values(out, pack)["nme_mesh"] == pytest.approx(0.1, rel=1e-4)


def test_points_labelled_by_hand_are_compared_at_those_in_common(pack: Pack):
    points = pack.tables["eyes"]["landmarks"]
    marks = np.tile(points.mean(axis=1, keepdims=True), (1, 68, 1))
    for theirs, ours in eyes_metrics.HAND_LABELLED.items():
        marks[:, theirs] = points[:, lm.INDEX[ours]]
    pack.tables["images"]["landmarks68"] = marks
    assert values(perfect(pack), pack)["nme_hand"] == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(("name", "value"), [("visibility", 0.2), ("openness_sigma", 0.9), ("head", 80.0)])
def test_eyes_the_run_time_does_not_believe_are_not_claimed(pack: Pack, name: str, value: float):
    out = perfect(pack)
    out[name] = np.full_like(out[name], value)
    assert values(out, pack)["visible_claimed"] == 0


def test_a_confident_wrong_answer_is_counted(pack: Pack):
    out = perfect(pack)
    out["openness"][0] = 1 - out["openness"][0]
    assert values(out, pack)["wrong_when_claimed"] == pytest.approx(1 / N)


def seen_by_eye(pack: Pack) -> None:
    """Of the photographs 0, 1, 3, 4 … the first two are labelled by their source, others were looked at."""
    seen = np.full(N, "", "U6")
    seen[[3, 4, 6, 7, 9, 10]] = "closed", "open", "down", "down", "narrow", "narrow"
    pack.tables["faces"] = {"eyes": np.where(np.arange(N) < 2, pack.tables["faces"]["eyes"], ""),
                            "eyes_by_eye": seen}  # fmt: skip


def test_what_was_seen_counts_beside_the_sources_labels(pack: Pack):
    seen_by_eye(pack)
    out = perfect(pack)
    out["openness"] = np.full((N, 2), 0.9)
    out["openness"][[0, 3, 9, 10]] = [[0.1, 0.1], [0.3, 0.3], [0.2, 0.2], [0.6, 0.6]]
    seen = eyes_metrics.look(out, pack, eyes_metrics.held_rows(pack))
    found = eyes_metrics.figures(seen)
    assert {name: found[name].n for name in ("open_closed_auc", "open_closed_auc_labelled")} == {
        "open_closed_auc": 4, "open_closed_auc_labelled": 2,
    }  # fmt: skip
    assert found["open_closed_accuracy"].value == found["open_closed_auc_labelled"].value == 1
    assert found["closed_against_down_auc"].value == 1
    assert found["closed_against_narrow_auc"].value == 0.75  # 0.2 is more shut than the closed 0.3
    assert found["closed_against_narrow_auc"].n == 4


def test_fatigue_is_judged_by_the_same_labels(pack: Pack):
    seen_by_eye(pack)
    eyes = pack.tables["eyes"]
    table = {name: eyes[name] for name in ("image", "simulated", "face", "val")}
    states = np.zeros((N, 5), np.float32)
    pack.tables["fatigue"] = table | {"state": states, "state_w": np.ones_like(states)}
    out = np.full((N, 5), 0.1)
    out[[0, 6]], out[3] = [[0.9], [0.6]], 0.4
    found = state_metrics.fatigue({"state": out}, pack, np.arange(N))
    assert found["closed_accuracy"].value == 0.75
    assert found["closed_accuracy_labelled"].value == found["closed_auc"].value == 1
    assert found["closed_against_down_auc"].value == 0.75
    assert found["state_auc"].value == found["closed_auc"].value  # nobody yawns here


def test_without_a_look_there_is_nothing_to_tell_apart(pack: Pack):
    found = values(perfect(pack), pack)
    assert "closed_against_down_auc" not in found
    assert "open_closed_auc_labelled" not in found


def test_people_are_known_by_name_and_drawn_ones_by_portrait(pack: Pack):
    images = np.array([0, 1, 4, N, N + 1])
    assert people(pack, images).tolist() == ["p0", "p0", "p2", f"image {N}", f"image {N + 1}"]
    pack.tables["simulated"] = {"portrait": np.array([7, 7])}
    assert people(pack, images).tolist()[-2:] == ["portrait 7", "portrait 7"]
    del pack.tables["images"]["person"]
    assert people(pack, images[:2]).tolist() == ["image 0", "image 1"]


def test_phones_and_classes_are_scored_on_single_labels():
    allowed = np.eye(6, dtype=np.float32)[[0, 0, 1, 5, 5, 5, 3]]
    allowed = np.vstack([allowed, [0, 0, 0, 0, 1, 1]]).astype(np.float32)
    said = np.eye(6)[[0, 5, 1, 5, 5, 0, 3, 5]]
    rows = {"image": np.arange(8), "simulated": np.zeros(8, bool), "allowed": allowed}
    pack = Pack([], {"distraction": rows, "images": {"set": np.full(8, "own")}})
    figures = state_metrics.distraction({"activity": said}, pack, np.arange(8))
    assert figures["recall_phone_at_ear"].value == 0.5
    assert figures["recall_none"].value == pytest.approx(2 / 3)
    assert figures["balanced_accuracy"].value == pytest.approx((0.5 + 1 + 2 / 3 + 1) / 4)
    assert figures["phone_recall"].value == pytest.approx(2 / 3)
    assert figures["false_phones"].value == pytest.approx(1 / 5)
    assert "recall_hand_on_face" not in figures
