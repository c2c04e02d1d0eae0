"""The model of a device: heat flows, clocks fall, sensors err, all by known laws."""

import random
from dataclasses import replace

import pytest

from dms.tools.control.plant import COOLING_DEVICE, ZONE, Plant, Surroundings, Thermometer
from dms.tools.control.plant_devices import DEVICES

STEP_S = 0.1
PI = DEVICES["pi-fanless"]
NO_LEAK = replace(PI, leak_per_k=0.0)


def warmed(device, minutes, around, loop=0.0, tasks=0.0, start_c=25.0):
    plant = Plant(device, start_c)
    for _ in range(round(minutes * 60 / STEP_S)):
        plant.step(STEP_S, around, loop, tasks)
    return plant


def test_without_heat_nothing_leaves_the_temperature_of_the_air():
    plant = warmed(replace(NO_LEAK, idle_w=0.0), 60, Surroundings(air_c=25.0))

    assert plant.die_c == pytest.approx(25.0)


def test_it_settles_where_heat_and_cooling_are_even():
    plant = warmed(NO_LEAK, 180, Surroundings(air_c=25.0, sun_w=0.5), loop=0.4)

    heat_w = NO_LEAK.idle_w + 0.4 * NO_LEAK.loop_w
    assert plant.die_c == pytest.approx(
        25.0 + (heat_w + 0.5) / NO_LEAK.case_w_per_k + heat_w / NO_LEAK.die_w_per_k, abs=0.05
    )


def test_the_die_is_quick_and_the_housing_slow():
    quiet = warmed(NO_LEAK, 180, Surroundings(air_c=25.0))
    before_c = quiet.die_c
    for _ in range(300):
        quiet.step(STEP_S, Surroundings(air_c=25.0), 1.0, 0.0)
    after_half_a_minute_c = quiet.die_c
    whole_k = NO_LEAK.loop_w * (1 / NO_LEAK.case_w_per_k + 1 / NO_LEAK.die_w_per_k)

    quick_k = NO_LEAK.loop_w / NO_LEAK.die_w_per_k
    assert quick_k * 0.9 < after_half_a_minute_c - before_c < 0.5 * whole_k


def test_a_fan_cools_and_its_failure_does_not():
    nano = DEVICES["nano-15w"]

    works = warmed(nano, 120, Surroundings(40.0, fan_works=True), loop=0.4)
    fails = warmed(nano, 120, Surroundings(40.0, fan_works=False), loop=0.4)

    assert works.die_c < fails.die_c - 10


def test_clocks_fall_at_the_trip_point_and_come_back():
    hot = Surroundings(air_c=80.0)
    plant = warmed(PI, 20, hot, loop=1.0, start_c=79.0)
    assert plant.clock == PI.slowest

    for _ in range(round(60 * 60 / STEP_S)):
        plant.step(STEP_S, Surroundings(air_c=20.0), 0.1, 0.0)
    assert plant.clock == 1.0
    assert not plant.down


def test_slower_clocks_make_less_heat():
    assert PI.heat_w(50.0, 1.0, 0.0, clock=0.5) < PI.heat_w(50.0, 1.0, 0.0, clock=1.0)


def test_at_the_critical_point_it_switches_off_and_stays_off():
    plant = warmed(PI, 60, Surroundings(air_c=105.0), loop=1.0, start_c=100.0)
    assert plant.down

    for _ in range(round(120 * 60 / STEP_S)):
        plant.step(STEP_S, Surroundings(air_c=20.0), 0.0, 0.0)
    assert plant.down
    assert plant.die_c == pytest.approx(20.0, abs=0.5)


def test_the_sensor_lags_and_shows_steps():
    plant = Plant(PI, 80.0)
    thermometer = Thermometer(PI, 20.0, random.Random(1))
    thermometer.follow(STEP_S, plant)
    early_c = thermometer.read(0.1, plant, 0.5, lost=False).hottest_c
    for _ in range(100):
        thermometer.follow(STEP_S, plant)
    late_c = thermometer.read(10.1, plant, 0.5, lost=False).hottest_c

    assert early_c < 30
    assert late_c == pytest.approx(80.0, abs=1.5)
    assert late_c % 0.5 == 0


def test_a_lost_sensor_tells_nothing_of_heat_and_throttling():
    plant = Plant(PI, 90.0)
    plant.clock = 0.5
    thermometer = Thermometer(PI, 90.0, random.Random(1))

    known = thermometer.read(0.0, plant, 0.5, lost=False)
    lost = thermometer.read(0.0, plant, 0.5, lost=True)

    assert known.throttled_by == (COOLING_DEVICE,)
    assert lost.temperatures_c == {ZONE: None}
    assert lost.hottest_c is None
    assert lost.throttled_by is None
