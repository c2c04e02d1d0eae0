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


def test_a_look_away_must_last_five_times_as_long_as_the_road():
    one = directed(neutral(), 10, 0)
    assert directed(one, 40, 40).yaw_deg == pytest.approx(0)
    assert directed(one, 20, 40).yaw_deg == pytest.approx(40)


def test_memory_fades_so_that_hours_can_be_outweighed():
    one = directed(neutral(), 3600, 0, fps=5)
    assert directed(one, 1600, 40, fps=5).yaw_deg == pytest.approx(40)
