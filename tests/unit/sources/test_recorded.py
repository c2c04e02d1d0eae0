import numpy as np
import pytest

from dms.errors import SourceEnded, SourceLost
from dms.sources.recorded import RecordedSource, Shot

PERIOD_S = 0.1


class Clock:
    def __init__(self):
        self.now_s = 100.0

    def __call__(self):
        return self.now_s

    def sleep(self, seconds):
        assert seconds >= 0
        self.now_s += seconds


def shots(times, decoded, broken=()):
    for i, time_s in enumerate(times):

        def luma(i=i):
            decoded.append(i)
            return None if i in broken else np.full((2, 2), i, np.uint8)

        yield Shot(time_s, luma)


def play(times, *, realtime=True, broken=()):
    clock, decoded = Clock(), []
    source = RecordedSource(
        shots(times, decoded, broken), fps=1 / PERIOD_S, realtime=realtime, clock=clock, sleep=clock.sleep
    )
    return source, clock, decoded


def test_unpaced_frames_cost_no_time():
    source, clock, _ = play([5.0, 5.1, 9.0], realtime=False)
    assert [source.newest(0.01).captured_s for _ in range(3)] == [5.0, 5.1, 9.0]
    assert clock.now_s == 100.0


def test_frames_come_when_their_time_has_come():
    source, clock, _ = play([5.0, 5.1, 5.35])
    came_s = []
    for _ in range(3):
        source.newest(1.0)
        came_s.append(clock.now_s)
    assert came_s == pytest.approx([100.0, 100.1, 100.35])
    assert source.dropped == 0


def test_a_slow_consumer_loses_frames_undecoded():
    source, clock, decoded = play([i * PERIOD_S for i in range(10)])
    assert source.newest(1.0).id == 0
    clock.now_s += 0.55
    frame = source.newest(1.0)
    assert frame.id == 5
    assert frame.captured_s == pytest.approx(0.5)
    assert source.dropped == 4
    assert decoded == [0, 5]


def test_a_gap_longer_than_the_patience_is_a_loss_and_the_frame_still_comes():
    source, clock, _ = play([0.0, 3.0])
    source.newest(1.0)
    with pytest.raises(SourceLost, match=r"second 3\.00"):
        source.newest(1.0)
    assert clock.now_s == pytest.approx(101.0)
    assert source.newest(2.5).captured_s == 3.0
    assert clock.now_s == pytest.approx(103.0)


def test_the_present_of_a_paced_recording_is_recorded_time_gone_by():
    source, clock, _ = play([5.0, 8.0])
    assert source.now_s() == 0
    assert source.newest(0.25).captured_s == source.now_s() == 5.0
    presents = []
    for _ in range(3):
        with pytest.raises(SourceLost):
            source.newest(0.25)
        presents.append(source.now_s())
    assert presents == pytest.approx([5.25, 5.5, 5.75])
    assert source.newest(3.0).captured_s == source.now_s() == 8.0
    clock.now_s += 0.05
    assert source.now_s() == pytest.approx(8.05)


def test_an_unpaced_recording_never_waits():
    source, clock, _ = play([0.0, 3600.0], realtime=False)
    source.newest(0.0)
    clock.now_s += 60
    assert source.now_s() == 0.0
    assert source.newest(0.0).captured_s == source.now_s() == 3600.0


def test_a_recording_that_is_all_late_ends():
    source, clock, _ = play([0.0, 0.1, 0.2])
    source.newest(1.0)
    clock.now_s += 60
    with pytest.raises(SourceEnded):
        source.newest(1.0)
    assert source.dropped == 2


def test_broken_frames_are_passed_over():
    source, _, _ = play([0.0, 0.1, 0.2], realtime=False, broken={1})
    assert [source.newest(1.0).captured_s, source.newest(1.0).captured_s] == [0.0, 0.2]


def test_closed_means_over():
    source, _, _ = play([0.0, 3.0])
    source.newest(1.0)
    with pytest.raises(SourceLost):
        source.newest(0.1)
    source.close()
    with pytest.raises(SourceEnded):
        source.newest(10.0)
