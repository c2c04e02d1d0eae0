import pytest
from hypothesis import given
from hypothesis import strategies as st

from dms.assess.temporal import EventWindow, Hysteresis, LowPass, Tick, Timer, TimeWindow

STEPS = st.lists(
    st.tuples(st.floats(0.005, 0.8), st.sampled_from([True, False, None])), min_size=1, max_size=60
)


def run(timer, steps, start_s=100.0, longest_s=0.5):
    """Feed (elapsed, state) pairs; yield the time after each."""
    now_s = start_s
    for elapsed_s, state in steps:
        last_s, now_s = now_s, now_s + elapsed_s
        timer.update(Tick(now_s, last_s, elapsed_s, elapsed_s <= longest_s), state)
        yield now_s


def fed(steps, bridge_s=0.0):
    timer = Timer(bridge_s, unknown_after_s=0.3, forget_after_s=3.0)
    for _ in run(timer, steps):
        pass
    return timer


def test_a_timer_measures_between_first_and_last_sighting():
    timer = fed([(0.1, False), *[(0.1, True)] * 11])
    assert timer.signal().value == pytest.approx(1.0)
    assert timer.onset_s == pytest.approx(100.2)


def test_an_end_is_reported_once_with_the_length_up_to_the_contrary():
    timer = fed([*[(0.1, True)] * 11, (0.1, False)])
    assert timer.ended_s == pytest.approx(1.1)
    assert timer.signal().value == 0.0
    timer.update(Tick(200.0, 199.9, 0.1, True), False)
    assert timer.ended_s is None


def test_a_short_contrary_is_bridged_and_a_long_one_is_not():
    bridged = fed([*[(0.1, True)] * 6, (0.1, False), (0.1, False), *[(0.1, True)] * 6], bridge_s=0.3)
    assert bridged.signal().value == pytest.approx(1.3)
    broken = fed([*[(0.1, True)] * 6, *[(0.1, False)] * 4, *[(0.1, True)] * 6], bridge_s=0.3)
    assert broken.signal().value == pytest.approx(0.5)


def test_unknown_time_freezes_and_a_long_stretch_empties():
    frozen = fed([*[(0.1, True)] * 11, *[(0.1, None)] * 10, *[(0.1, True)] * 3])
    assert frozen.signal().value == pytest.approx(1.2)
    emptied = fed([*[(0.1, True)] * 11, *[(0.1, None)] * 32, *[(0.1, True)] * 3])
    assert emptied.signal().value == pytest.approx(0.2)


def test_an_interval_too_long_is_unknown_time():
    assert fed([*[(0.1, True)] * 11, (2.0, True), (0.1, True)]).signal().value == pytest.approx(1.1)
    assert fed([*[(0.1, True)] * 11, (4.0, True), (0.1, True)]).signal().value == pytest.approx(0.1)


def test_a_signal_is_unknown_before_the_first_sighting_and_after_a_gap():
    assert fed([]).signal().value is None
    assert fed([(0.1, None)] * 5).signal().value is None
    assert fed([(0.1, True)] * 5 + [(0.1, None)] * 3).signal().value == pytest.approx(0.4)
    assert fed([(0.1, True)] * 5 + [(0.1, None)] * 4).signal().value is None


def test_a_condition_seen_on_every_other_frame_is_not_known():
    assert fed([(0.1, False), (0.1, None)] * 20).signal().value is None
    two_of_three = [(0.1, False), (0.1, False), (0.1, None)] * 10
    assert fed([*two_of_three, (0.1, False)]).signal().value is None


@given(STEPS, st.sampled_from([0.0, 0.1, 0.3]))
def test_a_timer_never_counts_more_than_could_be_seen(steps, bridge_s):
    timer = Timer(bridge_s, unknown_after_s=0.3, forget_after_s=3.0)
    seen_s, was = 0.0, None
    for (elapsed_s, state), now_s in zip(steps, run(timer, steps), strict=True):
        seen_s += elapsed_s if state is not None and was is not None and elapsed_s <= 0.5 else 0.0
        was = state
        assert -1e-9 <= timer.seconds <= seen_s + 1e-9
        assert timer.onset_s is None or timer.onset_s <= now_s


@given(st.lists(st.floats(0.01, 0.2), min_size=2, max_size=80), st.integers(2, 12))
def test_a_closure_measures_the_same_however_it_is_sampled(intervals_s, pieces):
    whole_s = sum(intervals_s[1:])
    coarse = fed([(interval_s, True) for interval_s in intervals_s])
    fine = fed(
        [(intervals_s[0], True)] + [(i / pieces, True) for i in intervals_s[1:] for _ in range(pieces)]
    )
    assert coarse.seconds == pytest.approx(whole_s)
    assert fine.seconds == pytest.approx(whole_s)


def test_a_window_trims_its_oldest_stretch():
    window = TimeWindow(30.0)
    window.add(0.0, 4.0)
    window.add(4.0, 5.0)
    window.add(10.0, 12.0)
    window.expire(33.0)
    assert (window.seconds, window.onset_s) == (pytest.approx(4.0), 3.0)
    window.expire(60.0)
    assert (window.seconds, window.onset_s) == (0.0, None)


@given(st.lists(st.tuples(st.floats(0.01, 3.0), st.booleans()), max_size=200))
def test_a_window_agrees_with_adding_up(steps):
    window, stretches, now_s = TimeWindow(10.0), [], 0.0
    for elapsed_s, yes in steps:
        if yes:
            window.add(now_s, now_s + elapsed_s)
            stretches.append((now_s, now_s + elapsed_s))
        now_s += elapsed_s
        window.expire(now_s)
        summed_s = sum(max(0.0, end - max(start, now_s - 10.0)) for start, end in stretches)
        assert window.seconds == pytest.approx(summed_s, abs=1e-6)


def test_events_leave_their_window():
    events = EventWindow(60.0)
    events.add(0.0, 0.2)
    events.add(50.0, 0.4)
    events.expire(59.0)
    assert (len(events), events.total) == (2, pytest.approx(0.6))
    events.expire(60.0)
    assert (len(events), events.total) == (1, pytest.approx(0.4))


def test_hysteresis_keeps_in_between():
    hysteresis = Hysteresis(on_above=0.7, off_below=0.5)
    assert [hysteresis.update(v) for v in (0.6, 0.71, 0.6, 0.5, 0.49, 0.6)] == [
        False,
        True,
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("step_s", [0.01, 0.05, 0.1])
def test_a_low_pass_knows_time(step_s):
    low_pass = LowPass(0.5)
    low_pass.update(0.0, 0.0)
    for _ in range(round(0.5 / step_s)):
        value = low_pass.update(step_s, 1.0)
    assert value == pytest.approx(0.632, abs=0.001)
