import json

import cv2
import numpy as np
import pytest

from dms import landmarks as lm
from dms.errors import InputError
from dms.stages.glasses import FEATURES, HEIGHT, WIDTH, GlassesLook, Model, features, load, patch


def face(distance_px=80.0, turn_deg=0.0, side=400):
    """A plain grey picture, and landmarks whose outer eye corners lie so far apart."""
    points = np.full((lm.COUNT, 2), side / 2, np.float32)
    half = distance_px / 2 * np.array([np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))])
    right, left = lm.OUTER_EYE_CORNERS
    points[right], points[left] = side / 2 - half, side / 2 + half
    return np.full((side, side), 120, np.uint8), points


def with_rims(distance_px=80.0, turn_deg=0.0):
    image, points = face(distance_px, turn_deg)
    right, left = points[list(lm.OUTER_EYE_CORNERS)].astype(float)
    for share in (0.22, 0.78):
        middle = right + share * (left - right)
        cv2.circle(
            image, tuple(int(v) for v in middle), int(0.24 * distance_px), 20, max(1, int(distance_px / 25))
        )
    return image, points


@pytest.mark.parametrize("distance_px", [30.0, 80.0, 300.0])
@pytest.mark.parametrize("turn_deg", [0.0, 25.0])
def test_the_patch_is_aligned_by_the_eyes(distance_px, turn_deg):
    straight = features(patch(*with_rims()))
    seen = patch(*with_rims(distance_px, turn_deg))
    assert seen.shape == (HEIGHT, WIDTH)
    assert np.corrcoef(straight, features(seen))[0, 1] > 0.6


def test_light_does_not_change_what_is_seen():
    image, points = with_rims()
    darker = (image * 0.5).astype(np.uint8)
    assert features(patch(darker, points)) == pytest.approx(features(patch(image, points)), abs=0.1)


def test_a_face_too_small_or_without_eyes_tells_nothing():
    assert patch(*face(distance_px=20.0)) is None
    image, points = face()
    assert patch(image, np.full_like(points, np.nan)) is None
    assert patch(image, np.zeros_like(points)) is None


def test_a_face_at_the_edge_of_the_picture_is_cut_without_a_fault():
    image, points = face()
    seen = patch(image, points - 200.0)
    assert features(seen).shape == (FEATURES,)
    assert np.isfinite(features(seen)).all()


def test_the_shipped_model_knows_rims_from_a_plain_face():
    model = load()
    bare, worn = (model.probability(features(patch(*drawn))) for drawn in (face(), with_rims()))
    assert 0.0 <= bare < worn <= 1.0


@pytest.mark.parametrize(
    "content", ["", "[]", '{"weights": [1, 2], "bias": 0}', '{"weights": "x", "bias": 0}']
)
def test_a_damaged_model_is_told(tmp_path, content):
    path = tmp_path / "glasses.json"
    path.write_text(content)
    with pytest.raises(InputError, match=r"glasses\.json"):
        load(path)
    with pytest.raises(InputError, match="cannot read"):
        load(tmp_path / "missing.json")


def test_it_looks_once_a_second_and_at_every_new_face():
    image, points = face()
    look = GlassesLook(Model(np.zeros(FEATURES, np.float32), 0.0))
    assert look.look(10.0, image, points, same_face=False) == 0.5
    small = face(distance_px=20.0)[1]
    assert look.look(10.9, image, small, same_face=True) == 0.5  # not looked at again
    assert look.look(11.0, image, small, same_face=True) is None
    assert look.look(11.1, image, points, same_face=True) is None
    assert look.look(11.2, image, points, same_face=False) == 0.5
    assert look.look(5.0, image, small, same_face=True) is None  # the clock was set back


def test_the_shipped_figures_are_of_people_left_out():
    from dms.resources import assets_folder

    stored = json.loads((assets_folder() / "glasses.json").read_text())
    value, low, high, count = stored["left_out"]["auc"]
    assert 0.9 <= low <= value <= high < 1.0
    assert count == stored["pictures"]
