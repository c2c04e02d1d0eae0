from dataclasses import replace

import numpy as np
import pytest

from dms.landmarks import INDEX
from dms.simulator.portrait import load_portrait
from dms.simulator.render import Renderer
from dms.simulator.rig import Pose
from dms.simulator.scene import Optics, cabin, expose
from dms.simulator.view import View, Worn

SIZE = (320, 240)
VIEW = View(center=(160.0, 150.0), face_width=90.0)


@pytest.fixture(scope="module")
def renderer():
    return Renderer(load_portrait())


REST = Pose()
BARE = Worn()


def draw(renderer, pose=REST, worn=BARE, view=VIEW):
    frame = cabin(*SIZE)
    shape = renderer.render(frame, pose, view, worn)
    return frame, shape


def at(shape, name):
    return shape.landmarks[INDEX[name]]


def aperture(shape, side):
    middle = at(shape, f"{side}_lower_lid_mid") - at(shape, f"{side}_upper_lid_mid")
    width = at(shape, f"{side}_eye_inner") - at(shape, f"{side}_eye_outer")
    return np.linalg.norm(middle) / np.linalg.norm(width)


def test_face_is_where_and_as_large_as_asked(renderer):
    _, shape = draw(renderer)
    assert shape.landmarks.shape == (60, 2)
    assert shape.box.width == pytest.approx(VIEW.face_width, rel=0.08)
    assert shape.box.x1 < VIEW.center[0] < shape.box.x2


def test_lid_points_follow_the_lids(renderer):
    opened = aperture(draw(renderer)[1], "right")
    half = aperture(draw(renderer, Pose(open_right=0.5))[1], "right")
    _, shut = draw(renderer, Pose(open_right=0.0))
    assert half == pytest.approx(opened / 2, rel=0.1)
    assert aperture(shut, "right") < 0.02
    assert aperture(shut, "left") == pytest.approx(opened, rel=0.25)


def test_a_closed_eye_hides_the_iris(renderer):
    frame, shape = draw(renderer)
    shut, _ = draw(renderer, Pose(open_right=0.0, open_left=0.0))
    x, y = np.rint(at(shape, "right_iris")).astype(int)
    patch = np.s_[y - 3 : y + 1, x - 2 : x + 3]
    assert shut[patch].mean() > frame[patch].mean() + 25


def test_iris_moves_with_the_gaze(renderer):
    straight = at(draw(renderer)[1], "left_iris")
    aside = at(draw(renderer, Pose(gaze_yaw_deg=25.0))[1], "left_iris")
    up = at(draw(renderer, Pose(gaze_pitch_deg=15.0))[1], "left_iris")
    assert aside[0] > straight[0] + 2
    assert up[1] < straight[1] - 1


@pytest.mark.parametrize("yaw", [-40.0, 40.0])
def test_a_turned_head_carries_the_nose_along(renderer, yaw):
    _, shape = draw(renderer, Pose(yaw_deg=yaw))
    corners = (at(shape, "right_temple") + at(shape, "left_temple")) / 2
    assert np.sign(at(shape, "nose_tip")[0] - corners[0]) == np.sign(yaw)


def test_roll_is_the_slope_of_the_eye_line(renderer):
    _, shape = draw(renderer, Pose(roll_deg=15.0))
    line = at(shape, "left_eye_outer") - at(shape, "right_eye_outer")
    assert np.degrees(np.arctan2(line[1], line[0])) == pytest.approx(15.0, abs=2.5)


def test_far_eye_is_invisible(renderer):
    assert draw(renderer, Pose(yaw_deg=60.0))[1].visibility == (1.0, 0.0)
    assert draw(renderer, Pose(yaw_deg=-60.0))[1].visibility == (0.0, 1.0)
    assert draw(renderer, worn=Worn(sunglasses=True))[1].visibility == (0.0, 0.0)


def test_a_yawn_opens_the_mouth_and_lowers_the_chin(renderer):
    _, rest = draw(renderer)
    frame, wide = draw(renderer, Pose(jaw=1.0))
    assert rest.mouth_open < 0.05
    assert wide.mouth_open > 0.7
    assert at(wide, "chin")[1] > at(rest, "chin")[1] + 0.1 * VIEW.face_width
    x, y = np.rint((at(wide, "inner_lip_top") + at(wide, "inner_lip_bottom")) / 2).astype(int)
    assert frame[y, x].mean() < 80  # the mouth is dark inside


def test_no_seat_shows_through_a_turned_head(renderer):
    frame = np.zeros((240, 320, 3), np.uint8)
    frame[:] = (0, 255, 0)
    _, shape = draw(renderer, Pose(yaw_deg=45.0))
    renderer.render(frame, Pose(yaw_deg=45.0), VIEW, Worn())
    box = shape.box
    inner = frame[int(box.y1) + 25 : int(box.y2) - 25, int(box.x1) + 25 : int(box.x2) - 25].astype(int)
    green = (inner[..., 1] > 200) & (inner[..., 0] < 60) & (inner[..., 2] < 60)
    assert not green.any()


@pytest.mark.parametrize(
    "worn",
    [
        Worn(sunglasses=True),
        Worn(glasses=True),
        Worn(mask=True),
        Worn(phone="ear"),
        Worn(phone="hand"),
        Worn(hand_on_face=True),
    ],
)
def test_what_is_worn_changes_pixels_not_landmarks(renderer, worn):
    plain, shape = draw(renderer)
    frame, same = draw(renderer, worn=worn)
    assert np.array_equal(shape.landmarks, same.landmarks)
    assert (np.abs(plain.astype(int) - frame).max(axis=2) > 30).mean() > 0.005


def test_a_lowered_hand_is_out_of_the_picture(renderer):
    plain, _ = draw(renderer)
    frame, _ = draw(renderer, worn=replace(Worn(phone="ear"), lift=0.0))
    assert np.abs(plain.astype(int) - frame)[:150].max() == 0


def test_a_driver_outside_of_the_frame_leaves_it_empty(renderer):
    frame, _ = draw(renderer, view=replace(VIEW, center=(-900.0, 150.0)))
    assert np.array_equal(frame, cabin(*SIZE))


def test_optics():
    rng = np.random.default_rng(0)
    scene = cabin(*SIZE)
    covered = expose(scene, Optics(blocked=1.0, noise=1.0), rng)
    assert covered.mean() < 20
    assert covered.std() < 3
    dark = expose(scene, Optics(brightness=0.4, noise=0.0), rng)
    assert dark.mean() == pytest.approx(0.4 * scene.mean(), rel=0.05)
    infrared = expose(scene, Optics(nir=1.0, noise=0.0), rng)
    assert np.ptp(infrared.astype(int), axis=2).max() == 0


def test_lids_follow_the_gaze_without_closing(renderer):
    rest, down, up = (draw(renderer, Pose(gaze_pitch_deg=p))[1] for p in (0.0, -20.0, 15.0))
    assert at(down, "right_upper_lid_mid")[1] > at(rest, "right_upper_lid_mid")[1] + 1
    assert at(up, "right_upper_lid_mid")[1] < at(rest, "right_upper_lid_mid")[1] - 1
    assert aperture(down, "right") > 0.6 * aperture(rest, "right")
    for shape in (down, up):  # the iris stays between the lids
        lids = at(shape, "right_upper_lid_mid")[1], at(shape, "right_lower_lid_mid")[1]
        assert lids[0] < at(shape, "right_iris")[1] < lids[1]


def test_lids_close_wherever_the_eye_looks(renderer):
    for pitch in (-25.0, 20.0):
        _, shut = draw(renderer, Pose(gaze_pitch_deg=pitch, open_right=0.0, open_left=0.0))
        assert max(aperture(shut, "right"), aperture(shut, "left")) < 0.03


def test_eyes_are_seen_through_faint_and_clear_glasses(renderer):
    faint = draw(renderer, worn=Worn(sunglasses=True, tint=0.4))[1]
    half = draw(renderer, worn=Worn(sunglasses=True, tint=0.68))[1]
    assert faint.visibility == (1.0, 1.0)
    assert 0.3 < half.visibility[0] < 0.7
    assert draw(renderer, worn=Worn(glasses=True))[1].visibility == (1.0, 1.0)
