"""What may be believed of the vehicle, as cases."""

import math

import pytest

from dms.config.inputs import CanInputConfig, GnssInputConfig, InputsConfig, MqttInputConfig
from dms.inputs.plausible import (
    REFUSALS_TOLD_S,
    REVERSE_LIMIT_KMH,
    SPEED_STEP_KMH,
    SPEED_WINDOW_S,
    Believed,
)
from dms.inputs.reading import Quantity, Reading, Refusal
from dms.records import Turn

ALL = InputsConfig(
    mqtt=MqttInputConfig(signals=True), can=CanInputConfig(enabled=True), gnss=GnssInputConfig(enabled=True)
)
SOURCES = ("can", "mqtt", "gnss")


def told(*readings, config=ALL, begun_s=0.0):
    believed = Believed(config, begun_s)
    for reading in readings:
        believed.take(Reading(*reading))
    return believed


def speed(value, at_s, source="can"):
    return source, Quantity.SPEED, value, at_s


def vehicle(*readings, now_s):
    return told(*readings).vehicle(now_s, {})


def test_nothing_heard_is_nothing_known():
    seen = vehicle(now_s=1.0)
    assert (seen.speed_kmh, seen.reversing, seen.gear, seen.turn, seen.steering_deg) == (None,) * 5
    assert not seen.faults


def test_a_fresh_speed_is_believed_with_its_age():
    seen = vehicle(speed(80.0, 10.0), now_s=10.5)
    assert (seen.speed_kmh, seen.speed_source, seen.speed_age_s) == (80.0, "can", 0.5)


@pytest.mark.parametrize(("age_s", "known"), [(1.99, True), (2.0, True), (2.01, False)])
def test_a_speed_older_than_two_seconds_is_unknown(age_s, known):
    assert (vehicle(speed(80.0, 0.0), now_s=age_s).speed_kmh is not None) is known


@pytest.mark.parametrize("value", [-0.1, 250.1, 1e9, math.nan, math.inf])
def test_a_speed_out_of_range_is_refused_and_told(value):
    seen = vehicle(speed(60.0, 0.0), speed(value, 0.1), now_s=0.2)
    assert seen.speed_kmh == 60.0
    assert "1 absurd" in seen.faults["can"]


def test_a_jump_is_refused_and_what_fits_again_is_taken():
    believed = told(speed(60.0, 0.0), speed(200.0, 0.1), speed(61.0, 0.2))
    assert believed.vehicle(0.2, {}).speed_kmh == 61.0
    assert "1 implausible" in believed.vehicle(0.2, {}).faults["can"]


def test_full_braking_is_believed():
    braking = [speed(100.0 - 3.6 * 12.0 * n / 20, n / 20) for n in range(40)]  # 12 m/s² at 20 Hz
    believed = told(*braking)
    assert believed.vehicle(1.95, {}).speed_kmh == pytest.approx(braking[-1][2])
    assert not believed.vehicle(1.95, {}).faults


@pytest.mark.parametrize("step_s", [0.0, 0.001, 0.02])
def test_small_steps_however_many_are_no_way_around_the_limit(step_s):
    believed, seen = told(speed(90.0, 1.0)), {1.0: 90.0}
    for n in range(1, 400):
        at_s, last_kmh = 1.0 + n * step_s, seen[max(seen)]
        allowed_kmh = SPEED_STEP_KMH + 3.6 * 15.0 * step_s
        believed.take(Reading(*speed(max(0.0, last_kmh - allowed_kmh), at_s)))
        seen[at_s] = believed.vehicle(at_s, {}).speed_kmh
    for at_s, kmh in seen.items():
        windows = int((at_s - 1.0) / SPEED_WINDOW_S) + 1
        assert 90.0 - kmh <= 3.6 * 15.0 * (at_s - 1.0) + windows * SPEED_STEP_KMH + 1e-6
    assert "implausible" in believed.vehicle(at_s, {}).faults["can"]


def test_a_speed_that_stood_does_not_fall_at_once_by_what_the_second_would_allow():
    steady = [speed(90.0, n / 50) for n in range(50)]
    assert told(*steady, speed(60.0, 1.0)).vehicle(1.0, {}).speed_kmh == 90.0


def test_a_source_that_jumps_and_stays_is_unknown_before_it_is_believed_anew():
    believed = told(speed(20.0, 0.0))
    seen = {}
    for n in range(1, 60):
        believed.take(Reading(*speed(240.0, n / 20)))
        seen[n / 20] = believed.vehicle(n / 20, {}).speed_kmh
    assert seen[1.9] == 20.0
    assert seen[2.1] == 240.0, "two seconds of silence in between are all that can be asked of one source"


def test_an_older_reading_than_the_last_is_replayed():
    seen = vehicle(speed(60.0, 1.0), speed(59.0, 0.5), now_s=1.0)
    assert seen.speed_kmh == 60.0
    assert "1 replayed" in seen.faults["can"]


def test_the_best_fresh_source_is_taken():
    believed = told(speed(50.0, 0.0, "gnss"), speed(51.0, 0.0, "mqtt"), speed(52.0, -1.5, "can"))
    assert believed.vehicle(0.1, {}).speed_source == "can"
    assert believed.vehicle(0.9, {}).speed_source == "mqtt"


def test_a_source_left_out_is_not_believed():
    config = ALL.model_copy(update={"speed_from": ["can"]})
    assert told(speed(50.0, 0.0, "gnss"), config=config).vehicle(0.1, {}).speed_kmh is None


def disagreement(seconds, other_kmh, rate_hz=10):
    """`can` at 100 km/h beside `gnss`, the speeds believed, by time."""
    believed = told()
    seen = {}
    for n in range(int(seconds * rate_hz) + 1):
        now_s = n / rate_hz
        believed.take(Reading(*speed(100.0, now_s)))
        believed.take(Reading(*speed(other_kmh(now_s), now_s, "gnss")))
        seen[now_s] = believed.vehicle(now_s, {})
    return seen


def test_sources_that_disagree_for_five_seconds_are_not_believed_and_that_is_told():
    seen = disagreement(6.0, lambda now_s: 89.0)
    assert seen[4.9].speed_kmh == 100.0
    assert "speed" not in seen[4.9].faults
    assert seen[5.0].speed_kmh is None
    assert "can 100 km/h, gnss 89 km/h" in seen[5.0].faults["speed"]


def test_sources_ten_apart_agree():
    assert disagreement(20.0, lambda now_s: 90.0)[20.0].speed_kmh == 100.0


def test_a_short_disagreement_is_a_lag():
    seen = disagreement(20.0, lambda now_s: 92.0 if now_s % 5 < 0.2 else 88.0)
    assert all(each.speed_kmh == 100.0 for each in seen.values())


def test_trust_comes_back_after_five_seconds_of_agreement_and_not_by_silence():
    def other(now_s):
        return 80.0 if now_s < 6 else 100.0

    seen = disagreement(14.0, other)
    back_s = min(now_s for now_s, each in seen.items() if now_s > 6 and each.speed_kmh is not None)
    assert 11.0 <= back_s <= 11.5
    believed = told()
    for n in range(60):
        believed.take(Reading(*speed(0.0, n / 10)))
        believed.take(Reading(*speed(80.0, n / 10, "gnss")))
        believed.vehicle(n / 10, {})
    for n in range(60, 400):
        believed.take(Reading(*speed(0.0, n / 10)))
        assert believed.vehicle(n / 10, {}).speed_kmh is None, "the one that is left may be the wrong one"


def test_reverse_is_told_by_either_gear_or_signal():
    assert vehicle(("can", Quantity.GEAR, -1, 0.0), now_s=0.1).reversing is True
    assert vehicle(("can", Quantity.GEAR, 0, 0.0), now_s=0.1).reversing is False
    assert vehicle(("mqtt", Quantity.REVERSE, 1, 0.0), now_s=0.1).reversing is True


def test_contradicting_sources_leave_reverse_unknown():
    both = ("can", Quantity.GEAR, 3, 0.0), ("mqtt", Quantity.REVERSE, 1, 0.0)
    assert vehicle(*both, now_s=0.1).reversing is None


def test_nobody_reverses_at_the_speed_of_a_street():
    for kmh in (21.0, 45.0, 120.0):
        seen = vehicle(speed(kmh, 0.0), ("mqtt", Quantity.REVERSE, 1, 0.0), now_s=0.1)
        assert seen.reversing is None
        assert f"{REVERSE_LIMIT_KMH:g} km/h" in seen.faults["reverse"]
    assert vehicle(speed(15.0, 0.0), ("mqtt", Quantity.REVERSE, 1, 0.0), now_s=0.1).reversing is True


@pytest.mark.parametrize(
    ("left", "right", "hazard", "turn"),
    [
        (1, 0, 0, Turn.LEFT),
        (0, 1, None, Turn.RIGHT),
        (1, 1, None, Turn.HAZARD),
        (0, 0, 1, Turn.HAZARD),
        (0, 0, None, Turn.OFF),
        (0, None, None, None),
        (1, None, None, Turn.LEFT),
        (None, None, 0, None),
    ],
)
def test_turn_signals(left, right, hazard, turn):
    lamps = zip(
        (Quantity.TURN_LEFT, Quantity.TURN_RIGHT, Quantity.HAZARD), (left, right, hazard), strict=True
    )
    readings = [("can", quantity, lit, 0.0) for quantity, lit in lamps if lit is not None]
    assert vehicle(*readings, now_s=0.1).turn is turn


def test_a_flashing_lamp_is_one_signal():
    believed = told(("can", Quantity.TURN_RIGHT, 0, 0.0))
    turns = []
    for n in range(100):
        lit = float(n % 10 < 5)  # 1 Hz, asked ten times a second
        believed.take(Reading("can", Quantity.TURN_LEFT, lit, n / 10))
        believed.take(Reading("can", Quantity.TURN_RIGHT, 0, n / 10))
        turns.append(believed.vehicle(n / 10, {}).turn)
    assert set(turns) == {Turn.LEFT}
    for n in range(100, 115):
        believed.take(Reading("can", Quantity.TURN_LEFT, 0, n / 10))
        believed.take(Reading("can", Quantity.TURN_RIGHT, 0, n / 10))
    assert believed.vehicle(11.4, {}).turn is Turn.OFF


def test_the_side_of_the_wheel_does_not_age():
    assert vehicle(("mqtt", Quantity.DRIVER_SIDE, -1, 0.0), now_s=9999.0).driver_side == "right"


def test_a_silent_source_is_told_after_its_grace():
    believed = told(speed(50.0, 5.0))
    assert not believed.vehicle(10.0, {}).faults
    assert set(believed.vehicle(10.1, {}).faults) == {"mqtt", "gnss"}
    assert set(believed.vehicle(15.1, {}).faults) == {"can", "mqtt", "gnss"}


def test_a_source_with_a_fault_of_its_own_is_told_once():
    assert told().vehicle(20.0, {"can": "no bus"}).faults["can"] == "no bus"


def test_refusals_are_counted_and_told_for_a_while():
    believed = told(speed(1.0, 0.0, "mqtt"))
    for n in range(3):
        believed.take(Refusal("mqtt", "malformed", f"'{n}' is no JSON", 1.0))
    believed.take(Refusal("mqtt", "flood", "too many", 1.5))
    assert believed.vehicle(1.6, {}).faults["mqtt"] == (
        "messages refused since the start: 1 flood, 3 malformed; last: too many"
    )
    assert "mqtt" in believed.vehicle(1.5 + REFUSALS_TOLD_S - 0.1, {}).faults
    assert "refused" not in believed.vehicle(1.5 + REFUSALS_TOLD_S + 0.1, {}).faults.get("mqtt", "")
