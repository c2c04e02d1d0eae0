from pathlib import Path

import pytest

from dms.assess.forward import Neutral
from dms.assess.zones import LIKELY, View, WheelSide, Zones, as_the_driver_sees, likelihood
from dms.config.assess import BaselineConfig, RoadConfig
from dms.config.cabin_file import read_cabin
from dms.records import Direction
from dms.resources import configs_folder

CABINS = configs_folder() / "cabins"
SALOON = read_cabin("saloon", CABINS)
TARGETS = {
    "driver_mirror": (-39, -12),
    "inner_mirror": (29, 16),
    "passenger_mirror": (46, -6),
    "cluster": (4, -25),
    "centre_display": (33, -20),
    "lap": (13, -50),
    "passenger_footwell": (53, -40),
    "glovebox": (53, -23),
    "passenger": (82, 4),
    "driver_window": (-80, 0),
}


@pytest.mark.parametrize("zone", TARGETS)
@pytest.mark.parametrize("sigma_deg", [0.0, 4.0, 6.0])
def test_a_look_at_the_middle_of_a_zone_names_it(zone, sigma_deg):
    assert Zones(SALOON).name(View(*TARGETS[zone], sigma_deg), "left") == zone


@pytest.mark.parametrize("zone", TARGETS)
def test_the_other_wheel_side_is_the_mirror_image(zone):
    yaw_deg, pitch_deg = TARGETS[zone]
    assert Zones(SALOON).name(View(-yaw_deg, pitch_deg, 4.0), "right") == zone


def test_mirrors_are_unsure_while_the_wheel_side_is_not_known():
    zones = Zones(SALOON)
    assert [zones.name(View(*TARGETS[zone], 4.0), None) for zone in TARGETS if "mirror" in zone] == [None] * 3
    assert zones.name(View(*TARGETS["cluster"], 4.0), None) == "cluster"
    assert zones.name(View(*TARGETS["lap"], 4.0), None) == "lap"


def test_an_error_as_large_as_the_zone_leaves_it_unnamed():
    assert Zones(SALOON).name(View(*TARGETS["inner_mirror"], 14.0), "left") is None
    assert Zones(None).name(View(*TARGETS["inner_mirror"], 1.0), "left") is None


@pytest.mark.parametrize("sigma_deg", [0.0, 3.0, 12.0])
def test_what_lies_outside_a_zone_is_never_likely_in_it(sigma_deg):
    for zone in SALOON.zones.values():
        outside = View(zone.yaw_deg[1] + 0.1, sum(zone.pitch_deg) / 2, sigma_deg)
        assert likelihood(zone, outside) < LIKELY


def test_the_image_and_the_driver_face_each_other():
    neutral = Neutral(22.0, 14.0, RoadConfig(), BaselineConfig())
    neutral.learn(1.0, Direction(33.0, -8.0, 3.0))
    view = as_the_driver_sees(Direction(73.0, -20.0, 5.0), neutral)
    assert (view.yaw_deg, view.pitch_deg, view.sigma_deg) == (-40.0, -12.0, 5.0)


def glanced(count, yaw_deg=29.0, pitch_deg=16.0, wheel=None):
    wheel = wheel or WheelSide(Zones(SALOON))
    for _ in range(count):
        wheel.note(View(yaw_deg, pitch_deg, 5.0))
    return wheel


def test_the_wheel_side_is_learned_from_eight_glances_and_not_from_seven():
    assert glanced(7).side is None
    assert glanced(8).side == "left"
    assert glanced(8, yaw_deg=-29.0).side == "right"


def test_glances_that_disagree_decide_nothing():
    wheel = glanced(8, yaw_deg=-29.0, wheel=glanced(7))
    assert wheel.side is None
    assert wheel.confidence < 0.2


def test_glances_elsewhere_tell_nothing_of_the_wheel():
    wheel = WheelSide(Zones(SALOON))
    for zone, (yaw_deg, pitch_deg) in TARGETS.items():
        if zone != "inner_mirror":
            glanced(20, yaw_deg, pitch_deg, wheel)
    assert (wheel.side, wheel.confidence) == (None, 0.0)


def test_what_is_told_stands_above_what_is_seen():
    wheel = glanced(8)
    wheel.tell(None)
    assert wheel.side == "left"
    wheel.tell("right")
    assert (wheel.side, wheel.confidence) == ("right", 1.0)
    wheel.tell("left")
    wheel.tell(None)
    assert wheel.side == "left"
    configured = WheelSide(Zones(SALOON), "left")
    configured.tell("right")
    assert configured.side == "left"


@pytest.mark.parametrize("path", sorted(CABINS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_cabin_can_be_read_under_its_name(path):
    assert read_cabin(path.stem, Path(path.parent)).name == path.stem
