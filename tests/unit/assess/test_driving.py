"""What the vehicle tells, as signals."""

import math

import pytest

from dms.assess import SIGNALS
from dms.assess.driving import MOVES_ABOVE_KMH, STANDS_BELOW_KMH, Driving
from dms.assess.temporal import Tick
from dms.config.assess import AssessConfig
from dms.records import NOTHING_KNOWN, Context, Vehicle
from dms.testing import Story, judge


def play(*courses, fps=10, configured=True):
    """Each course: seconds, then what the vehicle tells."""
    driving, now_s, last_s = Driving(), 0.0, 0.0
    for seconds, vehicle in courses:
        for _ in range(round(seconds * fps)):
            now_s, last_s = now_s + 1 / fps, now_s
            driving.update(Tick(now_s, last_s, now_s - last_s, True), Context(vehicle, configured=configured))
    return driving


def value(driving, name):
    return driving.signals()[name].value


def test_all_its_signals_are_of_the_list():
    assert set(Driving().signals()) <= set(SIGNALS)


def test_without_a_source_nothing_is_known_and_nothing_is_missed():
    driving = Driving()
    driving.update(Tick(5.0, 4.9, 0.1, True), NOTHING_KNOWN)
    assert driving.moving is None
    assert (value(driving, "speed_kmh"), value(driving, "reversing")) == (None, None)
    assert value(driving, "speed_unknown_s") == 0.0


@pytest.mark.parametrize(
    ("courses", "moving"),
    [
        ([0.0], False),
        ([MOVES_ABOVE_KMH], False),
        ([MOVES_ABOVE_KMH + 0.1], True),
        ([20.0, STANDS_BELOW_KMH], True),
        ([20.0, STANDS_BELOW_KMH - 0.1], False),
        ([20.0, 1.0, 4.0], False),
    ],
)
def test_moving_has_hysteresis_around_standstill(courses, moving):
    driving = play(*((1.0, Vehicle(speed_kmh=speed)) for speed in courses))
    assert driving.moving is moving
    assert value(driving, "speed_kmh") == courses[-1]


def test_a_receivers_noise_at_rest_is_no_driving():
    noise = [Vehicle(speed_kmh=kmh) for kmh in (0.4, 1.9, 0.0, 1.2)] * 5
    assert play(*((0.1, each) for each in noise)).moving is False


def test_reversing_is_not_moving_forward():
    driving = play((1.0, Vehicle(speed_kmh=8.0, reversing=True)))
    assert driving.moving is False
    assert value(driving, "reversing") == 1.0
    assert value(play((1.0, Vehicle(speed_kmh=8.0, reversing=False))), "reversing") == 0.0
    assert play((1.0, Vehicle(speed_kmh=8.0))).moving is True
    assert play((1.0, Vehicle(reversing=True))).moving is False
    assert play((1.0, Vehicle(reversing=False))).moving is None


@pytest.mark.parametrize("speed_kmh", [None, 8.0])
def test_neither_lids_nor_forward_direction_are_learned_in_reverse(speed_kmh):
    learned = judge(Story().reversing(speed_kmh).attentive(5), AssessConfig())[-1].learned
    assert (learned["eyes"], learned["forward"]) == (0.0, 0.0)
    learned = judge(Story().driving(speed_kmh).attentive(5), AssessConfig())[-1].learned
    assert min(learned["eyes"], learned["forward"]) > 0.05


@pytest.mark.parametrize("fps", [5, 30, 120])
def test_an_unknown_speed_is_flagged_with_its_time(fps):
    driving = play((10.0, Vehicle(speed_kmh=50.0)), (4.0, Vehicle()), fps=fps)
    assert driving.moving is None
    signal = driving.signals()["speed_unknown_s"]
    assert signal.value == pytest.approx(4.0, abs=1.5 / fps)
    assert signal.onset_s == pytest.approx(10.0, abs=1.5 / fps)
    driving = play((10.0, Vehicle()), (0.5, Vehicle(speed_kmh=50.0)), fps=fps)
    assert driving.signals()["speed_unknown_s"].value == 0.0


@pytest.mark.parametrize("speed", [math.nan, math.inf, -1.0])
def test_a_speed_that_cannot_be_is_unknown(speed):
    driving = play((2.0, Vehicle(speed_kmh=speed)))
    assert (driving.moving, value(driving, "speed_kmh")) == (None, None)
    assert value(driving, "speed_unknown_s") > 1.0
