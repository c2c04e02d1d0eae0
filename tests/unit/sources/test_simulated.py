import numpy as np
import pytest

from dms.errors import InputError, SourceEnded
from dms.sources.simulated import SimulatedSource


class Clock:
    def __init__(self):
        self.now_s = 100.0

    def __call__(self):
        return self.now_s

    def sleep(self, seconds):
        self.now_s += seconds


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "drive.yaml"
    path.write_text("duration_s: 0.5\nfps: 10\nsize: [160, 120]\n")
    return path


def test_every_frame_in_order_then_the_end(script):
    source = SimulatedSource(script)
    frames = [source.newest(1.0) for _ in range(5)]
    assert [f.id for f in frames] == [0, 1, 2, 3, 4]
    assert [f.captured_s for f in frames] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert frames[0].image.shape == (120, 160)
    assert frames[0].image.dtype == np.uint8
    assert source.truth.frame == 4
    assert not source.live
    with pytest.raises(SourceEnded):
        source.newest(1.0)
    assert source.dropped == 0


def test_live_waits_for_the_next_frame(script):
    clock = Clock()
    source = SimulatedSource(script, realtime=True, clock=clock, sleep=clock.sleep)
    assert source.live
    assert source.newest(1.0).captured_s == pytest.approx(100.0)
    assert source.newest(1.0).captured_s == pytest.approx(100.1)
    assert clock.now_s == pytest.approx(100.1)
    assert source.dropped == 0


def test_live_passes_over_what_went_by_and_counts_it(script):
    clock = Clock()
    source = SimulatedSource(script, realtime=True, clock=clock, sleep=clock.sleep)
    source.newest(1.0)
    clock.now_s += 0.35
    frame = source.newest(1.0)
    assert frame.id == 3
    assert source.dropped == 2
    clock.now_s += 10
    with pytest.raises(SourceEnded):
        source.newest(1.0)
    assert source.dropped == 3


def test_the_present_is_the_clock_when_live_and_else_script_time(script):
    clock = Clock()
    live = SimulatedSource(script, realtime=True, clock=clock, sleep=clock.sleep)
    live.newest(1.0)
    clock.now_s += 0.07
    assert live.now_s() == clock.now_s
    unpaced = SimulatedSource(script, clock=clock)
    for _ in range(2):
        unpaced.newest(1.0)
    assert unpaced.now_s() == pytest.approx(0.1)


def test_closed_twice_is_over(script):
    source = SimulatedSource(script)
    source.close()
    source.close()
    with pytest.raises(SourceEnded):
        source.newest(1.0)


def test_a_missing_script(tmp_path):
    with pytest.raises(InputError, match="cannot read the script"):
        SimulatedSource(tmp_path / "none.yaml")
