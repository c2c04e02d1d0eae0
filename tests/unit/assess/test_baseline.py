import pytest

from dms.assess import Assessor
from dms.assess.baseline import Baseline, OpenLevel
from dms.config.assess import AssessConfig, BaselineConfig
from dms.testing import Scene, Story, judge

CONFIG = BaselineConfig()


def learned(seconds, openness, fps=30.0, level=None):
    level = level or OpenLevel(CONFIG)
    for _ in range(round(seconds * fps)):
        level.learn(1 / fps, openness)
    return level


@pytest.mark.parametrize("fps", [10.0, 30.0, 60.0])
@pytest.mark.parametrize("openness", [0.5, 0.75, 1.0])
def test_the_open_level_is_found_within_the_usable_time(fps, openness):
    level = learned(3.1, openness, fps)
    assert level.usable
    assert level.level == pytest.approx(openness, abs=0.05)
    assert level.relative(openness) == pytest.approx(1.0, abs=0.08)
    assert level.relative(0.05) == 0.0


def test_blinks_do_not_move_the_level():
    level = OpenLevel(CONFIG)
    for _ in range(20):
        learned(2.7, 0.9, level=level)
        learned(0.3, 0.05, level=level)
    assert level.level == pytest.approx(0.9, abs=0.03)


def test_the_level_rises_freely_and_falls_to_nine_tenths_of_what_was_learned():
    level = learned(61, 0.8)
    assert learned(600, 0.5, level=level).level == pytest.approx(0.9 * 0.8, abs=0.01)
    assert learned(60, 1.0, level=level).level == pytest.approx(1.0, abs=0.03)


def test_closed_eyes_are_not_learned_as_open():
    level = learned(120, 0.05)
    assert level.level >= CONFIG.open_least
    assert level.relative(0.05) == 0.0


def test_nothing_learned_is_a_share_of_zero():
    assert Baseline(AssessConfig()).learned_share == 0.0
    assert not Baseline(AssessConfig()).eyes_usable


def judged(story, stored=None):
    """The last assessment of a story, and the assessor after it."""
    assessor = Assessor(AssessConfig())
    assessor.start_from(stored or {})
    last = None
    for observation in story.observations():
        last = assessor.update(observation)
    return last, assessor


@pytest.mark.parametrize("fps", [10.0, 60.0])
def test_lids_that_droop_over_ten_minutes_stay_reported(fps):
    story = Story(fps).then(70, Scene(openness=0.95)).then(600, Scene(openness=0.95, openness_to=0.57))
    openness = [got.signals["openness"].value for got in judge(story, AssessConfig())]
    assert openness[int(65 * fps)] > 0.95
    assert openness[-1] == pytest.approx((0.52 / (0.9 * 0.95 - 0.05) + 0.57) / 2, abs=0.02)


def test_what_is_learned_is_told():
    early, _ = judged(Story().attentive(30))
    assert early.learned["eyes"] == pytest.approx(0.5, abs=0.01)
    late, _ = judged(Story().attentive(61))
    assert late.learned["eyes"] == 1.0
    assert late.baseline["open_right"] == pytest.approx(0.9, abs=0.01)
    assert late.baseline["open_left"] == pytest.approx(0.9, abs=0.01)
    assert late.baseline["glasses"] is None


def test_a_long_closure_at_the_beginning_hardly_pulls_the_level_down():
    got, _ = judged(Story().attentive(5).closed(5).attentive(0.1))
    assert got.baseline["open_right"] == pytest.approx(0.9, abs=0.05)


def test_eyes_so_narrow_that_one_engine_calls_them_closed_are_learned_in_time():
    got, _ = judged(Story().then(40, Scene(openness=0.28, closed=0.6)))
    assert got.signals["calibrating"].value == 0.0
    assert got.baseline["open_right"] == pytest.approx(CONFIG.open_least, abs=0.01)


def test_a_standing_driver_is_not_learned_from_and_one_of_unknown_speed_is():
    assert judged(Story().driving(0.0).attentive(30))[0].learned["eyes"] == 0.0
    assert judged(Story().driving(None).attentive(30))[0].learned["eyes"] > 0.4


def test_lids_are_learned_with_the_head_near_its_forward_direction():
    turned = Scene(openness=0.6, closed=0.1, head_yaw_deg=35)
    got, _ = judged(Story().attentive(20).then(15, turned))
    assert got.baseline["open_right"] == pytest.approx(0.9, abs=0.01)


BARE = Scene(openness=0.9, glasses=0.05)
WORN = Scene(openness=0.75, closed=0.0, glasses=0.95)


def test_glasses_and_bare_eyes_have_levels_of_their_own():
    story = Story().then(70, BARE).then(90, WORN)
    got, assessor = judged(story)
    assert got.baseline["glasses"] == 1.0
    assert got.baseline["open_right"] == pytest.approx(0.75, abs=0.02)
    back, assessor = judged(story.then(30, BARE))
    assert back.baseline["glasses"] == 0.0
    assert back.baseline["open_right"] == pytest.approx(0.9, abs=0.02)
    assert set(assessor.baseline_figures()) == {
        f"open_{side}_{worn}" for side in ("right", "left") for worn in ("bare", "glasses")
    }


def test_one_picture_decides_nothing_about_glasses():
    story = Story().then(0.5, WORN).then(14, BARE)
    worn = [got.baseline["glasses"] for got in judge(story, AssessConfig())]
    assert set(worn[: 4 * 30]) == {None}
    assert worn[-1] == 0.0
    assert 1.0 not in worn


def test_doubt_about_glasses_switches_nothing():
    story = Story().then(70, BARE)
    for _ in range(10):
        story.then(2, Scene(glasses=0.95)).then(4, Scene(glasses=0.3))
    assert all(got.baseline["glasses"] != 1.0 for got in judge(story, AssessConfig()))


def test_drooping_lids_mistaken_for_glasses_are_not_the_new_normal():
    droopy = Scene(openness=0.5, glasses=0.95)
    got, _ = judged(Story().then(70, BARE).then(200, droopy))
    assert got.baseline["open_right"] >= 0.75 * 0.9 - 0.01
    assert got.signals["openness"].value < 0.66


STORED = {"open_right_any": 0.9, "open_left_any": 0.9}


def test_the_drive_before_is_taken_over_once_confirmed():
    early, _ = judged(Story().attentive(9), STORED)
    assert early.learned["eyes"] < 0.2
    late, assessor = judged(Story().attentive(11), STORED)
    assert late.learned["eyes"] == 1.0
    assert assessor.baseline_figures() == pytest.approx(STORED, abs=0.02)


def test_another_driver_in_the_seat_is_judged_by_his_own_eyes():
    narrow = Scene(openness=0.5, closed=0.05)
    with_it, assessor = judged(Story().then(80, narrow), STORED)
    without, _ = judged(Story().then(80, narrow))
    assert with_it.baseline == without.baseline
    assert assessor.baseline_figures()["open_right_any"] == pytest.approx(0.5, abs=0.02)


def test_the_next_driver_of_a_drive_is_compared_with_the_seat_again():
    swap = Story().then(20, Scene(openness=0.5, closed=0.05)).no_face(31).attentive(12)
    assert judged(swap, STORED)[0].learned["eyes"] == 1.0
