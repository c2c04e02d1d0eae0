import math
from dataclasses import replace

import pytest

from dms.assess.reading import read
from dms.config.assess import AssessConfig
from dms.records import Direction
from dms.testing import Scene, Story

CONFIG = AssessConfig()


def seen(**changes):
    return Story().then(0.1, Scene(**changes)).observations()[0]


def test_a_good_observation_is_believed():
    reading = read(seen(openness=0.8, phone=0.3, yawn=0.2), CONFIG)
    assert (reading.face, reading.blank, reading.stale) == (True, False, False)
    assert reading.right.openness == reading.left.openness == 0.8
    assert (reading.phone, reading.yawn) == (pytest.approx(0.3), 0.2)
    assert reading.gaze is not None
    assert reading.head is not None


@pytest.mark.parametrize("age_s", [0.0, 0.49])
def test_results_of_earlier_frames_count_while_fresh(age_s):
    assert read(seen(age_s=age_s), CONFIG).eyes_readable


def test_old_results_are_unknown():
    reading = read(seen(age_s=0.51), CONFIG)
    assert reading.stale
    assert (reading.right, reading.head, reading.phone, reading.yawn, reading.closed_left) == (None,) * 5


def test_an_old_face_is_no_face_and_no_missing_one():
    old = seen()
    reading = read(replace(old, face=replace(old.face, captured_s=old.captured_s - 1)), CONFIG)
    assert (reading.face, reading.stale) == (None, True)


@pytest.mark.parametrize(
    "field",
    [{"openness": math.nan}, {"openness": math.inf}, {"openness_sigma": math.nan}, {"visibility": math.nan}],
)
def test_an_eye_with_a_number_that_is_none_is_unseen(field):
    observation = seen()
    eyes = replace(observation.eyes, right=replace(observation.eyes.right, **field))
    reading = read(replace(observation, eyes=eyes), CONFIG)
    assert reading.right is None
    assert reading.left is not None


def test_hidden_or_uncertain_eyes_are_unseen_and_give_no_gaze():
    assert not read(seen(visibility=0.4), CONFIG).eyes_readable
    assert read(seen(visibility=0.4), CONFIG).gaze is None
    observation = seen()
    unsure = replace(observation.eyes.right, openness_sigma=0.5)
    reading = read(replace(observation, eyes=replace(observation.eyes, right=unsure, left=unsure)), CONFIG)
    assert not reading.eyes_readable


def test_far_turned_heads_suspend_the_eyes_but_not_the_head():
    reading = read(seen(head_yaw_deg=-50), CONFIG)
    assert not reading.eyes_readable
    assert reading.head.yaw_deg == -50


def test_an_uncertain_gaze_is_not_used():
    observation = seen()
    eyes = replace(observation.eyes, gaze=Direction(0.0, 0.0, 20.0))
    assert read(replace(observation, eyes=eyes), CONFIG).gaze is None


def test_an_uncertain_head_is_not_used_and_excuses_no_hidden_eyes():
    assert read(seen(head_sigma_deg=17.0), CONFIG).head is not None
    reading = read(seen(head_sigma_deg=17.1), CONFIG)
    assert reading.head is None
    assert reading.eyes_readable
    aside = read(seen(head_sigma_deg=17.1, head_yaw_deg=50.0), CONFIG)
    assert (aside.head, aside.eyes_readable, aside.turned) == (None, False, False)


@pytest.mark.parametrize(("contrast", "blank"), [(1.0, True), (20.0, False), (math.nan, None)])
def test_a_picture_without_contrast_is_blank(contrast, blank):
    assert read(seen(face=False, contrast=contrast), CONFIG).blank is blank


def test_a_face_means_the_picture_shows_something():
    assert read(seen(contrast=1.0), CONFIG).blank is False


def test_no_quality_is_unknown():
    assert read(replace(seen(face=False), quality=None), CONFIG).blank is None


def test_without_a_picture_nothing_is_known_not_even_that_no_face_is():
    reading = read(replace(seen(face=False), frame_id=-1), CONFIG)
    assert (reading.face, reading.blank, reading.stale) == (None, None, True)
