import random

import pytest

from dms.assess.forward import Neutral
from dms.config.assess import BaselineConfig, RoadConfig
from dms.records import Direction

CONFIG = BaselineConfig()


def directed(neutral, seconds, yaw_deg, pitch_deg=0.0, fps=30.0):
    for _ in range(round(seconds * fps)):
        neutral.learn(1 / fps, Direction(yaw_deg, pitch_deg, 3.0))
    return neutral


def neutral():
    return Neutral(23.0, 18.0, RoadConfig(), CONFIG)


def test_the_neutral_direction_is_where_most_time_is_spent():
    learned_one = directed(directed(neutral(), 8, 33, -8), 4, -20, 5)
    assert (learned_one.yaw_deg, learned_one.pitch_deg) == (pytest.approx(33), pytest.approx(-8))
    assert learned_one.offset(Direction(33 + 23, -8, 3.0)) == pytest.approx((1.0, 0.0))


def test_the_road_is_wider_until_the_neutral_direction_is_usable():
    early = neutral()
    assert not early.usable
    assert early.offset(Direction(23, 0, 3.0)) == pytest.approx((0.5, 0.0))


@pytest.mark.parametrize("seconds", [4, 10, 60])
def test_a_stare_never_becomes_the_road(seconds):
    one = directed(directed(neutral(), seconds, 0), 600, 40, fps=5)
    assert one.usable
    assert one.yaw_deg == pytest.approx(0)
    assert one.leaves(Direction(40.0, 0.0, 3.0))


def looking_about(one, seconds, at_deg, back_s=0.0):
    """Looks of 4 s at one place, 1 s far to its side, and `back_s` straight ahead."""
    for _ in range(round(seconds / (5 + back_s))):
        directed(directed(one, 4, at_deg), 1, at_deg + 40)
        directed(one, back_s, 0)
    return one


def test_eyes_that_go_about_and_never_come_back_overturn_a_wrong_start_and_learn_anew():
    one = looking_about(directed(neutral(), 10, 0), 20, 40)
    assert one.overturned
    assert not one.usable
    assert looking_about(one, 50, 40).yaw_deg == pytest.approx(40)
    assert one.usable
    assert not one.overturned


def test_the_more_was_learned_the_more_it_takes_to_overturn_it():
    one = directed(neutral(), 3600, 0, fps=5)
    assert not looking_about(one, 35, 40).overturned
    assert looking_about(one, 60, 40).learned_s < 60


def test_looks_back_at_the_road_keep_it():
    assert looking_about(directed(neutral(), 10, 0), 300, 40, back_s=1.0).yaw_deg == pytest.approx(0)


@pytest.mark.parametrize("fps", [5.0, 15.0, 60.0])
@pytest.mark.parametrize("seed", range(3))
def test_noise_does_not_make_many_stays_of_one(fps, seed):
    chance = random.Random(seed)
    one = directed(neutral(), 10, 0)
    for _ in range(round(120 * fps)):
        one.learn(1 / fps, Direction(chance.gauss(45, 8), chance.gauss(0, 8), 8.0))
    assert one.yaw_deg == pytest.approx(0, abs=5)
    assert not one.overturned


def test_in_the_first_minute_straight_ahead_of_the_camera_may_be_the_road():
    one = directed(neutral(), 10, 40)
    assert one.doubts(Direction(0.0, 0.0, 3.0))
    assert not one.doubts(Direction(-30.0, 0.0, 3.0))
    assert not directed(one, 51, 40).doubts(Direction(0.0, 0.0, 3.0))
    early = directed(directed(neutral(), 10, 40), 20, 0)
    assert (early.overturned, early.yaw_deg) == (True, pytest.approx(0))
