from __future__ import annotations

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")

from dms import landmarks as lm  # noqa: E402 - after the check that torch is there
from dms.evaluation.pack import Pack  # noqa: E402
from dms.training import losses  # noqa: E402
from dms.training.datasets.bank import ImageBank  # noqa: E402
from dms.training.tasks import EyesTask  # noqa: E402

COUNT = 8


@pytest.fixture(scope="module")
def task() -> EyesTask:
    """Half photographs, half simulated faces; the last image shows nobody."""
    rng = np.random.default_rng(2)
    pictures = [rng.integers(0, 255, (120, 160), dtype=np.uint8) for _ in range(COUNT)]
    blobs = [cv2.imencode(".png", p)[1].tobytes() for p in pictures]
    points = np.tile([80.0, 60.0], (COUNT, lm.COUNT, 1)).astype(np.float32)
    points[:, list(lm.RIGHT_EYE)] += [-20, -10]
    points[:, list(lm.LEFT_EYE)] += [20, -10]
    points[:, lm.INDEX["right_eye_outer"], 0] -= 4
    points[:, lm.INDEX["left_eye_outer"], 0] += 4
    ones = np.ones((COUNT, 2), np.float32)
    crop = np.tile([80.0, 60, 110, 0], (COUNT, 1)).astype(np.float32)
    eyes = {
        "image": np.arange(COUNT), "crop": crop, "detected_crop": crop, "landmarks": points,
        "landmarks_w": np.ones((COUNT, lm.COUNT), np.float32), "openness": ones * [0.2, 0.9],
        "openness_w": ones * 0.8, "visibility": ones, "gaze": ones * 10, "gaze_w": ones[:, 0] * 0.15,
        "head": np.ones((COUNT, 3), np.float32), "head_w": ones[:, 0], "mesh": np.ones(COUNT, bool),
        "simulated": np.arange(COUNT) % 2 == 1, "val": np.arange(COUNT) >= 6,
        "draw": np.ones(COUNT, np.float32),
    }  # fmt: skip
    eyes["openness"] = eyes["openness"].astype(np.float32)
    face = {"negative": np.arange(COUNT) == COUNT - 1, "val": np.zeros(COUNT, bool)}
    torch.manual_seed(1)
    return EyesTask(Pack(blobs, {"eyes": eyes, "face": face}), ImageBank(blobs, torch.device("cpu")))


def test_a_batch_has_pictures_and_finite_targets(task: EyesTask) -> None:
    torch.manual_seed(2)
    images, target = task.batch(64)
    assert images.shape == (64, 1, 112, 112)
    assert 0 <= images.min() <= images.max() <= 255
    assert all(torch.isfinite(v).all() for v in target.values())
    parts = task.loss(task.net(images), target)
    assert all(torch.isfinite(v) for v in parts.values())


def targets(task: EyesTask, flip: bool, hide_right: bool = False) -> dict[str, torch.Tensor]:
    rows = task.draw.take(torch.tensor([0, 1]))
    matrix = torch.tensor([[[1.0, 0, 24], [0, 1.0, 4]]]).repeat(2, 1, 1)
    points = (rows["landmarks"] - matrix[:, None, :, 2] + 0.5) / 112
    cover = torch.zeros(2, 1, 112, 112)
    if hide_right:
        cover[..., :56] = 1  # the subject's right eye, on the image's left
    both = torch.ones(2, dtype=torch.bool)
    return task._targets(rows, points, torch.zeros(2), both & flip, both, cover)


def test_of_a_hidden_eye_only_the_doubt_is_taught(task: EyesTask) -> None:
    plain, hidden = targets(task, flip=False), targets(task, flip=False, hide_right=True)
    assert plain["openness_w"].tolist() == pytest.approx(np.full((2, 2), 0.8))
    assert hidden["openness_w"][:, 0].tolist() == [0, 0]
    assert hidden["openness_w"][:, 1].tolist() == pytest.approx([0.8, 0.8])
    assert hidden["visibility"].tolist() == [[0, 1], [0, 1]]
    assert hidden["gaze_w"].tolist() == [0, 0]
    # The simulator's truth is exact, hidden or not.
    assert hidden["openness_known"][:, 0].tolist() == pytest.approx([0.8, 1.0])
    assert hidden["gaze_known"].tolist() == pytest.approx([0.15, 1.0])


def test_mirrored_faces_swap_their_eyes(task: EyesTask) -> None:
    plain, mirrored = targets(task, flip=False, hide_right=True), targets(task, flip=True, hide_right=True)
    for name in ("openness", "openness_w", "openness_known", "visibility"):
        assert torch.equal(mirrored[name], plain[name].flip(1)), name
    assert torch.equal(mirrored["landmarks_w"], plain["landmarks_w"][:, list(lm.MIRROR)])
    assert mirrored["gaze"][0, 0] == pytest.approx(-10, abs=0.01)


def test_the_end_of_a_run_is_calmer(task: EyesTask) -> None:
    rows = task.draw.take(torch.zeros(400, dtype=torch.long))
    apart = {}
    for strength in (1.0, 0.25):
        task.strength = strength
        torch.manual_seed(3)
        apart[strength] = float(task._placed(rows, torch.ones(400, dtype=torch.bool))[:, 0].std())
    task.strength = 1.0
    assert apart[0.25] < 0.7 * apart[1.0]


def test_doubt_grows_with_the_error_and_leaves_the_guess_alone() -> None:
    error, sigma = torch.tensor([[0.4]]), torch.tensor([[0.1]], requires_grad=True)
    guess = error.clone().requires_grad_()
    losses.spread(guess, sigma, torch.ones(1, 1)).backward()
    assert sigma.grad is not None
    assert sigma.grad.item() < 0  # a larger sigma would lower the loss
    assert guess.grad is None
