"""Closures, and what only looks like one."""

import pytest

from dms.assess.baseline import Baseline
from dms.assess.openness import driver_openness
from dms.assess.reading import Reading
from dms.config.assess import AssessConfig
from dms.records import Direction, Eye
from dms.testing import Scene, Story, judge

CONFIG = AssessConfig()
RATES = (5.0, 10.0, 30.0, 120.0)


def most(story, name="closure_s"):
    return max(got.signals[name].value or 0.0 for got in judge(story, CONFIG))


def known(fps=30.0):
    return Story(fps).attentive(10)


@pytest.mark.parametrize("fps", RATES)
def test_a_closure_is_as_long_as_it_is_at_any_rate(fps):
    assert most(known(fps).closed(2.0).attentive(2)) == pytest.approx(2.0, abs=1.01 / fps)


def test_between_the_limits_nothing_changes():
    half = Scene(openness=0.45, closed=0.6)  # 0.43 of this driver's: above 0.3, below 0.5
    assert most(known().then(3, half)) == 0.0
    assert most(known().closed(1).then(3, half)) == pytest.approx(4.0, abs=0.05)


@pytest.mark.parametrize("squint", [0.0, 0.9])
def test_a_squint_closes_no_eye_until_the_lids_touch(squint):
    narrow = Scene(openness=0.3, closed=0.8, squint=squint)  # 0.25 of this driver's
    assert (most(known().then(3, narrow)) == 0.0) == (squint > 0.5)
    assert most(known().then(3, Scene(openness=0.05, squint=squint))) > 2.9


def test_a_laugh_that_one_engine_takes_for_closed_eyes_is_none():
    assert most(known().then(4, Scene(openness=0.75, closed=0.9, squint=0.9, yawn=0.6))) == 0.0


LOWERED = Scene(openness=0.25, closed=0.8, gaze_pitch_deg=-35)


def test_lids_lowered_by_a_look_down_are_not_closing_and_the_gaze_takes_it():
    story = known().then(4, LOWERED)
    assert most(story) == 0.0
    assert most(story, "off_road_s") > 3.0
    assert most(known().attentive(60).then(40, LOWERED), "perclos_60s") == 0.0


def test_quite_closed_lids_leave_no_gaze_to_believe():
    assert most(known().then(4, Scene(openness=0.05, gaze_pitch_deg=-35))) > 3.9


def test_a_look_down_needs_a_gaze_that_is_known():
    assert (
        most(known().then(4, Scene(openness=0.25, closed=0.8, gaze_pitch_deg=-35, gaze_sigma_deg=20))) > 3.9
    )


def test_a_head_that_goes_down_with_the_lids_looks_down_and_one_that_sinks_later_sleeps():
    down = Scene(openness=0.05, head_pitch_deg=-30)
    assert most(known().closed(0.3).then(4, down)) < 0.5
    assert most(known().closed(1.0).then(4, down)) == pytest.approx(5.0, abs=0.1)


WIDE, SHUT = Eye(0.7, 0.05, 1.0), Eye(0.05, 0.05, 1.0)


@pytest.mark.parametrize(
    ("yaw_deg", "right", "left", "value"),
    [
        (0.0, WIDE, SHUT, 1.0),  # a wink: the more open eye speaks
        (30.0, WIDE, SHUT, 1.0),  # the near eye, towards the image's right the subject's right one
        (30.0, SHUT, WIDE, 0.0),
        (-30.0, SHUT, WIDE, 1.0),
        (-30.0, WIDE, SHUT, 0.0),
        (-30.0, WIDE, None, 1.0),  # the far eye stands in for one that is hidden
    ],
)
def test_the_near_eye_of_a_turned_head_speaks_for_the_driver(yaw_deg, right, left, value):
    reading = Reading(True, False, False, right=right, left=left, head=Direction(yaw_deg, 0.0, 3.0))
    got = driver_openness(reading, Baseline(CONFIG), CONFIG.eyes)
    assert got.value == pytest.approx(value)
    assert got.sigma == pytest.approx(0.05 / 0.65)


def test_an_unsure_openness_pauses_the_closure():
    unsure = Scene(openness=0.9, openness_sigma=0.4)
    got = judge(known().closed(1.0).then(0.2, unsure).closed(0.7), CONFIG)[-1]
    assert got.signals["closure_s"].value == pytest.approx(1.7, abs=0.1)
    assert most(known().then(4, Scene(openness=0.05, openness_sigma=0.4))) == 0.0


@pytest.mark.parametrize("fps", RATES)
def test_a_face_lost_in_a_closure_is_timed_on_a_path_of_its_own(fps):
    story = known(fps).closed(1.2).no_face(4.0)
    got = judge(story, CONFIG)[-1].signals
    assert got["closure_lost_s"].value == pytest.approx(4.0, abs=1.01 / fps)
    assert got["closure_lost_s"].onset_s == pytest.approx(111.2, abs=1.01 / fps)
    assert most(story) == pytest.approx(1.2, abs=1.01 / fps)
    assert judge(story.attentive(1), CONFIG)[-1].signals["closure_lost_s"].value == 0.0


@pytest.mark.parametrize("before", [Scene(), Scene(head_yaw_deg=40), Scene(visibility=0.1)])
def test_a_face_lost_otherwise_is_not(before):
    assert most(known().then(1.2, before).no_face(4), "closure_lost_s") == 0.0


def test_a_face_lost_in_a_blink_or_behind_a_cover_is_not():
    assert most(known().closed(0.3).no_face(4), "closure_lost_s") == 0.0
    assert most(known().closed(1.2).covered(4), "closure_lost_s") == 0.0


@pytest.mark.parametrize(
    "hidden", [Scene(no_picture=True), Scene(face=False, contrast=1.0), Scene(face=False, change=0.0)]
)
def test_nothing_unseen_ends_a_face_lost_in_a_closure(hidden):
    story = known().closed(2).no_face(7).then(4, hidden)
    assert judge(story, CONFIG)[-1].signals["closure_lost_s"].value is None
    assert judge(story.no_face(3), CONFIG)[-1].signals["closure_lost_s"].value > 9.0
    assert judge(story.attentive(0.5), CONFIG)[-1].signals["closure_lost_s"].value == 0.0


def test_a_closure_that_goes_on_behind_a_cover_is_remembered():
    story = known().closed(2).covered(4).no_face(4)
    assert judge(story, CONFIG)[-1].signals["closure_lost_s"].value == pytest.approx(4.0, abs=0.1)


def test_a_face_without_readable_eyes_does_not_end_it():
    for scene in (Scene(visibility=0.1), Scene(age_s=0.8), Scene(head_yaw_deg=60)):
        last = judge(known().closed(2).no_face(7).then(5, scene), CONFIG)[-1]
        assert last.signals["closure_lost_s"].value is None


def test_nor_does_the_expectation_of_another_driver():
    after = [a for a in judge(known().closed(1.2).no_face(60), CONFIG) if a.captured_s > 117]
    assert all(a.signals["closure_lost_s"].value != 0.0 for a in after)


@pytest.mark.parametrize("fps", [5.0, 6.0, 8.0, 10.0, 30.0])
def test_one_misread_frame_ends_no_closure(fps):
    story = known(fps)
    for _ in range(6):
        story.closed(1.2).attentive(1 / fps)
    assert most(story) == pytest.approx(7.2 + 5 / fps, abs=1.01 / fps)


@pytest.mark.parametrize("fps", RATES)
def test_two_open_frames_end_it(fps):
    story = known(fps)
    for _ in range(6):
        story.closed(1.2).attentive(max(0.3, 2 / fps))
    assert most(story) == pytest.approx(1.2, abs=1.01 / fps)
