"""What is believed of the vehicle, as laws over any readings."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from dms.inputs.plausible import RANGES, SPEED_STEP_KMH, Believed
from dms.inputs.reading import Quantity, Reading
from tests.unit.inputs.test_plausible import ALL, SOURCES

steps = st.lists(
    st.tuples(
        st.sampled_from(SOURCES),
        st.sampled_from(Quantity),
        st.floats() | st.sampled_from([0.0, 1.0, -1.0, 50.0, 60.0, 255.0]),
        st.floats(0, 3),
        st.floats(0, 2.5),
    ),
    max_size=40,
)


def play(steps):
    """Each step: time passes, a reading comes that was true some time ago, and the loop asks."""
    believed, now_s, readings = Believed(ALL, 0.0), 0.0, []
    for source, quantity, value, passed_s, age_s in steps:
        now_s += passed_s
        reading = Reading(source, quantity, value, now_s - age_s)
        readings.append(reading)
        believed.take(reading)
        yield now_s, readings, believed.vehicle(now_s, {})


@settings(max_examples=300, deadline=None)
@given(steps)
def test_what_is_believed_was_heard_in_range_and_not_long_ago(steps):
    for now_s, readings, seen in play(steps):
        for quantity, value in (
            (Quantity.SPEED, seen.speed_kmh),
            (Quantity.GEAR, seen.gear),
            (Quantity.STEERING, seen.steering_deg),
        ):
            if value is None:
                continue
            low, high = RANGES[quantity]
            assert low <= value <= min(high, 2000.0 if quantity is not Quantity.SPEED else 250.0)
            assert any(
                each.quantity is quantity
                and (int(each.value) if quantity is Quantity.GEAR else each.value) == value
                and now_s - each.at_s <= 2.0
                for each in readings
                if math.isfinite(each.value)
            )
        if seen.speed_kmh is not None:
            assert 0 <= seen.speed_age_s <= 2.0
            assert seen.speed_source in SOURCES


@settings(max_examples=200, deadline=None)
@given(steps)
def test_after_two_seconds_of_silence_nothing_but_the_side_is_known(steps):
    believed, now_s = Believed(ALL, 0.0), 0.0
    for source, quantity, value, passed_s, _ in steps:
        now_s += passed_s
        believed.take(Reading(source, quantity, value, now_s))
    seen = believed.vehicle(now_s + 2.001, {})
    assert (seen.speed_kmh, seen.gear, seen.reversing, seen.turn, seen.steering_deg) == (None,) * 5


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.floats(0.001, 1.9), st.floats(0, 250)), min_size=1, max_size=60))
def test_a_believed_speed_never_changes_faster_than_a_vehicle_can(course):
    believed, now_s, last = Believed(ALL, 0.0), 0.0, None
    for passed_s, value in course:
        now_s += passed_s
        believed.take(Reading("can", Quantity.SPEED, value, now_s))
        seen = believed.vehicle(now_s, {})
        if seen.speed_kmh is not None:
            at_s = now_s - seen.speed_age_s
            if last is not None and at_s - last[0] <= 2.0:
                limit_kmh = 3.6 * 15.0 * (at_s - last[0]) + SPEED_STEP_KMH
                assert abs(seen.speed_kmh - last[1]) <= limit_kmh + 1e-6
            last = at_s, seen.speed_kmh


@settings(max_examples=100, deadline=None)
@given(steps)
def test_garbage_from_one_source_changes_nothing_of_another(steps):
    clean, dirty, now_s = Believed(ALL, 0.0), Believed(ALL, 0.0), 0.0
    for _, quantity, value, passed_s, _ in steps:
        now_s += passed_s
        for each in (clean, dirty):
            each.take(Reading("can", Quantity.SPEED, 50.0, now_s))
        bad = value if not math.isfinite(value) or abs(value) > 3000 else math.nan
        dirty.take(Reading("mqtt", quantity, bad, now_s))
        assert dirty.vehicle(now_s, {}).speed_kmh == clean.vehicle(now_s, {}).speed_kmh == 50.0
