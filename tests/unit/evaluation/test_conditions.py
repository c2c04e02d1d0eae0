from __future__ import annotations

import numpy as np
import pytest

from dms import landmarks as lm
from dms.evaluation import conditions
from dms.evaluation.conditions import CONDITIONS, seen_from
from dms.simulator.driver import Driver
from dms.simulator.portrait import load_portrait
from dms.simulator.script import load_script

BY_NAME = {c.name: c for c in CONDITIONS}


@pytest.fixture(scope="module")
def scene() -> tuple[np.ndarray, np.ndarray]:
    """A grey picture of the simulated driver and his landmarks (1, 60, 2)."""
    script = load_script("demo")
    image, facts = Driver(load_portrait(script.portrait), script).render(2.0)
    grey = image if image.ndim == 2 else image.mean(axis=2).astype(np.uint8)
    return grey, facts.landmarks[None].astype(np.float32)


def changed(name: str, scene: tuple[np.ndarray, np.ndarray], seed: int = 1) -> np.ndarray:
    picture, faces = scene
    return BY_NAME[name].change(picture.copy(), faces, np.random.default_rng(seed))


def patch(picture: np.ndarray, at: np.ndarray, half: int = 3) -> np.ndarray:
    x, y = np.rint(at).astype(int)
    return picture[y - half : y + half + 1, x - half : x + half + 1].astype(float)


def point(scene: tuple[np.ndarray, np.ndarray], name: str) -> np.ndarray:
    return scene[1][0, lm.INDEX[name]]


@pytest.mark.parametrize("name", BY_NAME)
def test_size_and_type_stay_and_a_seed_repeats(name, scene):
    first, again = changed(name, scene), changed(name, scene)
    assert first.shape == scene[0].shape
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("name", [n for n in BY_NAME if n != "as_is" and not n.startswith("width")])
def test_every_condition_changes_the_face(name, scene):
    x1, y1 = scene[1][0].min(axis=0).astype(int)
    x2, y2 = scene[1][0].max(axis=0).astype(int)
    off = np.abs(changed(name, scene)[y1:y2, x1:x2].astype(float) - scene[0][y1:y2, x1:x2])
    assert off.mean() > 1


def test_the_picture_given_is_left_alone(scene):
    before = scene[0].copy()
    for condition in CONDITIONS:
        condition.change(scene[0], scene[1], np.random.default_rng(0))
    np.testing.assert_array_equal(scene[0], before)


@pytest.mark.parametrize("name", ["sunglasses", "mask", "cap", "hand_over_eyes", "clear_glasses"])
def test_what_is_worn_stays_on_the_face(name, scene):
    margin = (1 + conditions.REACH) * np.ptp(scene[1][0], axis=0).max()
    y, x = np.mgrid[: scene[0].shape[0], : scene[0].shape[1]]
    far = np.hypot(x - scene[1][0, :, 0].mean(), y - scene[1][0, :, 1].mean()) > 1.5 * margin
    np.testing.assert_array_equal(changed(name, scene)[far], scene[0][far])


@pytest.mark.parametrize("name", ["sunglasses", "hand_over_eyes"])
@pytest.mark.parametrize("iris", ["right_iris", "left_iris"])
def test_hidden_eyes_show_nothing_of_themselves(name, iris, scene):
    """The eye's own contrast is gone, whatever lies over it."""
    before, after = (patch(p, point(scene, iris)) for p in (scene[0], changed(name, scene)))
    together = np.corrcoef(before.ravel() - before.mean(), after.ravel() - after.mean())[0, 1]
    assert after.std() < 0.5 * before.std() or abs(together) < 0.5


def test_the_mask_covers_mouth_and_chin_and_leaves_the_eyes(scene):
    worn = changed("mask", scene)
    for name in ("right_iris", "left_iris", "right_brow_2"):
        np.testing.assert_array_equal(patch(worn, point(scene, name)), patch(scene[0], point(scene, name)))
    for name in ("inner_lip_top", "mouth_right", "mouth_left", "nose_tip"):
        assert np.abs(patch(worn, point(scene, name)) - patch(scene[0], point(scene, name))).mean() > 5


def test_low_sun_lights_one_half(scene):
    lit = changed("low_sun", scene)
    cheeks = [patch(lit, point(scene, f"{s}_jaw_1")).mean() for s in ("right", "left")]
    plain = [patch(scene[0], point(scene, f"{s}_jaw_1")).mean() for s in ("right", "left")]
    gain = sorted(a / max(b, 1) for a, b in zip(cheeks, plain, strict=True))
    assert gain[1] > 1.4 * gain[0]


def test_a_face_seen_from_far_keeps_its_place_and_loses_its_detail(scene):
    picture, faces = scene
    wide = conditions.face_width(faces)
    far = seen_from(0.25 * wide / conditions.FRAME_WIDTH)(picture, faces, np.random.default_rng(0))
    assert (
        np.abs(np.diff(far.astype(float), axis=1)).mean()
        < 0.7 * np.abs(np.diff(picture.astype(float))).mean()
    )
    assert far.mean() == pytest.approx(picture.mean(), abs=1)
    near = seen_from(1.0)(picture, faces, np.random.default_rng(0))
    np.testing.assert_array_equal(near, picture)


def test_a_picture_without_a_face_is_changed_too(scene):
    nobody = np.zeros((0, 60, 2), np.float32)
    for name in ("near_infrared", "one_lux", "low_sun", "motion_blur", "defocus"):
        out = BY_NAME[name].change(scene[0], nobody, np.random.default_rng(0))
        assert not np.array_equal(out, scene[0])
    np.testing.assert_array_equal(
        BY_NAME["mask"].change(scene[0], nobody, np.random.default_rng(0)), scene[0]
    )


def test_a_face_at_the_rim_is_drawn_as_far_as_it_is_there(scene):
    picture, faces = scene
    for shift in ((-300, -100), (400, 200), (5000, 0)):
        for condition in CONDITIONS:
            moved = faces + np.array(shift, np.float32)
            assert condition.change(picture, moved, np.random.default_rng(0)).shape == picture.shape
