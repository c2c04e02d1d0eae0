from __future__ import annotations

import cv2
import numpy as np
import pytest

from dms.engines.contract import CONTRACTS
from dms.evaluation import face_metrics, faceless
from dms.evaluation.metrics import Outputs
from dms.evaluation.pack import Pack

WIDTH, HEIGHT = 320, 240
FACE = (120, 20, 200, 120)
GRID = sum(side * side for side, _ in faceless.GRIDS)


@pytest.fixture
def pack() -> Pack:
    """A picture without a face, one with a white face, one with a face that nobody is sure of."""
    pictures = [np.full((HEIGHT, WIDTH), 90, np.uint8) for _ in range(3)]
    for picture in pictures[1:]:
        cv2.rectangle(picture, FACE[:2], FACE[2:], 255, -1)
    box, use = np.zeros((3, 6, 4), np.float32), np.zeros((3, 6), np.float32)
    box[1:, 0], use[1:, 0] = FACE, 1
    box[2, 1], use[2, 1] = (10, 10, 30, 30), -1
    face = {
        "image": np.arange(3), "box": box, "use": use, "val": np.ones(3, bool),
        "negative": np.array([True, False, False]), "points": np.zeros((3, 6, 5, 2), np.float32),
    }  # fmt: skip
    eyes = {
        "simulated": np.zeros(2, bool), "val": np.ones(2, bool), "image": np.array([1, 2]),
        "head": np.zeros((2, 3)), "head_w": np.ones(2),
    }  # fmt: skip
    images = {"set": np.full(3, "own"), "person": np.array(["", "anna", "bert"])}
    blobs = [cv2.imencode(".jpg", picture)[1].tobytes() for picture in pictures]
    return Pack(blobs, {"face": face, "eyes": eyes, "images": images})


def test_no_window_shows_a_face(pack: Pack):
    images, whose = faceless.windows(pack, np.array([1, 2]))
    contract = CONTRACTS["face"]
    assert images.shape == (GRID + faceless.BESIDE_FACES, 1, contract.height, contract.width)
    assert np.bincount(whose).tolist() == [GRID, faceless.BESIDE_FACES]
    assert images[whose == 1].max() < 110  # JPEG's waves round the white face reach further than it


def test_windows_are_always_the_same(pack: Pack):
    first, again = (faceless.windows(pack, np.array([1]))[0] for _ in range(2))
    assert np.array_equal(first, again)


def test_grids_cover_all_of_a_picture(pack: Pack):
    images, _ = faceless.windows(pack, np.zeros(0, int))
    whole = images[0, 0]
    assert np.count_nonzero(whole > 80) == pytest.approx(whole.size * WIDTH / (HEIGHT * 1.6), rel=0.03)
    assert (images.reshape(GRID, -1).max(axis=1) > 80).all()


def test_false_faces_are_told_per_500_windows(pack: Pack):
    """An engine that finds one face in everything it is shown."""
    contract = CONTRACTS["face"]

    def infer(images: np.ndarray) -> Outputs:
        out = {n: np.zeros((len(images), *s), np.float32) for n, s in contract.outputs.items()}
        out["score"][:, 700] = 0.8
        return out

    found = face_metrics.prepare(pack)(infer)["false_per_500_windows"]
    assert found.n == 2  # pictures, however many windows of each are shown
    assert len(found.people) == GRID + faceless.BESIDE_FACES
    assert found.value == pytest.approx(500)
    assert set(found.people) == {"image 0", "anna"}
