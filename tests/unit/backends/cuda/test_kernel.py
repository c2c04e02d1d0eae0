"""The kernels of `crops.cu`, as plain C++ on the host, against OpenCV and `stages.tensors`, their oracle."""

import cv2
import numpy as np
import pytest

from dms import landmarks as lm
from dms.backends.cuda.crops import ROW
from dms.engines.contract import CONTRACTS
from dms.stages.tensors import Crop, cut, distraction_crop, fatigue_crop, fitted, landmark_box, letterbox
from tests.unit.backends.cuda import twin as twins

pytestmark = pytest.mark.skipif(not twins.has_compiler(), reason="g++ is not installed")

WARP_LIMIT = 1 if int(cv2.__version__.partition(".")[0]) >= 5 else 8
"""Grey levels. OpenCV 4 places a pixel by thirty-seconds; on noise that makes up to 7 levels (measured)."""
FIT_LIMIT = 1
SIZES = [(c.height, c.width) for c in CONTRACTS.values()]


@pytest.fixture(scope="module")
def twin(tmp_path_factory):
    return twins.built(tmp_path_factory.mktemp("twin"))


def noise(height, width, seed=1):
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


def apart(one, other):
    return np.abs(one.astype(int) - other)


def test_the_row_is_the_c_struct(twin):
    assert twin.crop_bytes() == ROW.itemsize


def random_crop(rng):
    """Anywhere, also half or wholly outside of a frame of 720p; tiny to twice its size; any turn."""
    angle = rng.choice([0.0, rng.uniform(-np.pi, np.pi)])
    return Crop(rng.uniform(-300, 1600), rng.uniform(-300, 1000), rng.uniform(0.5, 2000), angle)


def test_crops_are_those_of_opencv(twin):
    rng, image = np.random.default_rng(3), noise(720, 1280)
    crops = [random_crop(rng) for _ in range(150)]
    differing = 0
    for crop in crops:
        size = int(rng.choice([96, 112, 128]))
        expected = np.zeros((size, size), np.uint8)
        cut(image, crop, expected)
        (found,) = twins.cut_with(twin, image, [crop], [(size, size)])
        assert apart(found, expected).max() <= WARP_LIMIT, crop
        differing += np.count_nonzero(found != expected)
    if WARP_LIMIT == 1:
        assert differing <= 0.0001 * 150 * 128**2


@pytest.mark.parametrize(
    ("height", "width", "equal"),
    [
        (360, 640, True),
        (720, 1280, True),
        (1080, 1920, True),
        (2160, 3840, True),
        (480, 640, False),
        (1280, 720, False),
        (600, 800, False),
        (227, 362, False),
        (200, 300, False),
        (150, 200, False),
        (160, 256, True),
        (51, 37, False),
        (3, 2, False),
        (1, 1, True),
    ],
)
def test_letterboxes_are_those_of_opencv(twin, height, width, equal):
    image, expected = noise(height, width), np.zeros((160, 256), np.uint8)
    place = letterbox(image, expected)
    (found,) = twins.cut_with(twin, image, [place], [(160, 256)])
    assert apart(found, expected).max() <= (0 if equal else FIT_LIMIT)


def test_any_number_of_inputs_is_one_launch(twin):
    image = noise(720, 1280)
    places = [fitted(image.shape, 160, 256), *(Crop(600 + 20 * i, 300, 250, 0.1 * i) for i in range(3))]
    together = twins.cut_with(twin, image, places, SIZES)
    for place, shape, found in zip(places, SIZES, together, strict=True):
        assert np.array_equal(twins.cut_with(twin, image, [place], [shape])[0], found)


@pytest.mark.parametrize("matrix", [np.full((2, 3), np.nan), np.full((2, 3), 1e30), np.full((2, 3), -1e30)])
def test_a_crop_that_is_none_is_black(twin, matrix, monkeypatch):
    monkeypatch.setattr(Crop, "to_frame", lambda self, size: matrix)
    (found,) = twins.cut_with(twin, noise(72, 128), [Crop(0, 0, 1)], [(96, 96)])
    assert not found.any()


def face(rng):
    """Landmarks somewhat like a face's, in units of the crop."""
    points = rng.uniform(0.2, 0.8, (lm.COUNT, 2))
    points[lm.INDEX["right_eye_outer"]] = rng.normal((0.3, 0.4), 0.05)
    points[lm.INDEX["left_eye_outer"]] = rng.normal((0.7, 0.4), 0.05)
    points[[lm.INDEX["mouth_right"], lm.INDEX["mouth_left"]]] = rng.normal((0.5, 0.7), 0.05, (2, 2))
    return points.astype(np.float32)


def placed_on_host(landmarks, eyes):
    """As `stages.eyes.read` and the followers' stages do it."""
    to_frame = eyes.to_frame(112)
    points = landmarks * 112 - 0.5
    points = (points @ to_frame[:, :2].T + to_frame[:, 2]).astype(np.float32)
    return fatigue_crop(points).to_frame(96), distraction_crop(landmark_box(points)).to_frame(128)


def placed_by_twin(twin, landmarks, eyes):
    rows = np.zeros(3, ROW)
    rows["width"] = 112, 96, 128
    twins.place_with(twin, landmarks, eyes, rows)
    return rows[1]["matrix"].reshape(2, 3), rows[2]["matrix"].reshape(2, 3)


def test_followers_lie_where_the_host_would_put_them(twin):
    rng = np.random.default_rng(8)
    for _ in range(200):
        eyes, landmarks = Crop(rng.uniform(100, 1200), rng.uniform(100, 600), rng.uniform(40, 700)), face(rng)
        for found, expected in zip(
            placed_by_twin(twin, landmarks, eyes), placed_on_host(landmarks, eyes), strict=True
        ):
            assert found == pytest.approx(expected, abs=1e-3)  # pixels of the frame


def test_followers_of_landmarks_that_coincide_lie_where_the_host_would_put_them(twin):
    landmarks, eyes = np.full((lm.COUNT, 2), 0.5, np.float32), Crop(300, 200, 90)
    for found, expected in zip(
        placed_by_twin(twin, landmarks, eyes), placed_on_host(landmarks, eyes), strict=True
    ):
        assert found == pytest.approx(expected, abs=1e-3)


def test_the_followers_pictures_are_those_of_the_host(twin):
    rng, image = np.random.default_rng(9), noise(720, 1280)
    for _ in range(20):
        eyes, landmarks = Crop(rng.uniform(300, 900), rng.uniform(200, 500), rng.uniform(150, 400)), face(rng)
        for found, expected in zip(
            placed_by_twin(twin, landmarks, eyes), placed_on_host(landmarks, eyes), strict=True
        ):
            flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            one, other = (
                cv2.warpAffine(image, matrix, (96, 96), flags=flags) for matrix in (found, expected)
            )
            assert apart(one, other).max() <= WARP_LIMIT
