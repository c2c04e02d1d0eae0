import pytest

from dms.assess.baseline import Baseline, Neutral, OpenLevel
from dms.config.assess import AssessConfig, BaselineConfig
from dms.records import Direction

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


def directed(neutral, seconds, yaw_deg, pitch_deg=0.0, fps=30.0):
    for _ in range(round(seconds * fps)):
        neutral.learn(1 / fps, Direction(yaw_deg, pitch_deg, 3.0))
    return neutral


def neutral():
    return Neutral(23.0, 18.0, CONFIG)


def test_the_neutral_direction_is_where_most_time_is_spent():
    learned_one = directed(directed(neutral(), 8, 33, -8), 4, -20, 5)
    assert (learned_one.yaw_deg, learned_one.pitch_deg) == (pytest.approx(33), pytest.approx(-8))
    assert learned_one.offset(Direction(33 + 23, -8, 3.0)) == pytest.approx((1.0, 0.0))


def test_the_road_is_wider_until_the_neutral_direction_is_usable():
    early = neutral()
    assert not early.usable
    assert early.offset(Direction(23, 0, 3.0)) == pytest.approx((0.5, 0.0))


def test_a_look_away_must_last_five_times_as_long_as_the_road():
    one = directed(neutral(), 10, 0)
    assert directed(one, 40, 40).yaw_deg == pytest.approx(0)
    assert directed(one, 20, 40).yaw_deg == pytest.approx(40)


def test_memory_fades_so_that_hours_can_be_outweighed():
    one = directed(neutral(), 3600, 0, fps=5)
    assert directed(one, 1600, 40, fps=5).yaw_deg == pytest.approx(40)


def test_nothing_learned_is_a_share_of_zero():
    assert Baseline(AssessConfig()).learned_share == 0.0
    assert not Baseline(AssessConfig()).eyes_usable
