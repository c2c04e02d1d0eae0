import pytest

from dms.sinks.ack_times import WINDOW_S, AckTimes
from dms.sinks.outbox import Packet
from dms.testing import ManualClock


def event(captured_s):
    return Packet("e", "", retain=False, captured_s=captured_s)


def state(captured_s):
    return Packet("state", "", retain=True, captured_s=captured_s)


@pytest.fixture
def clock():
    return ManualClock(100.0)


@pytest.fixture
def times(clock):
    """The clock of the source is the machine's."""
    return AckTimes(lambda captured_s: clock() - captured_s, clock)


def test_before_anything_was_confirmed_nothing_is_known(times):
    assert times.figures() == {}


def test_events_and_states_are_told_apart(times):
    for n in range(1, 101):
        times.note(event(100.0 - n / 100))
    times.note(state(99.5))
    assert times.figures() == {
        "event_ack_p50_s": pytest.approx(0.505),
        "event_ack_p95_s": pytest.approx(0.9505),
        "state_ack_p50_s": 0.5,
        "state_ack_p95_s": 0.5,
    }


def test_what_was_confirmed_long_ago_is_forgotten(times, clock):
    times.note(event(99.9))
    clock.advance(WINDOW_S)
    assert "event_ack_p95_s" in times.figures()
    clock.advance(0.1)
    assert times.figures() == {}


def test_a_clock_nobody_knows_a_moment_that_was_not_captured_and_one_to_come_are_not_timed(times, clock):
    unknown = AckTimes(lambda captured_s: None, clock)
    unknown.note(event(99.0))
    assert unknown.figures() == {}
    times.note(Packet("state", "", retain=True))
    times.note(event(100.5))
    times.note(event(float("nan")))
    assert times.figures() == {}
