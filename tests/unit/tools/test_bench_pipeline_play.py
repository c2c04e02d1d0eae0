"""Frames played from memory, and what they are timed with."""

import math
import time
from contextlib import contextmanager

import numpy as np
import pytest

from dms.backends import TensorSpec
from dms.errors import EngineError, EngineUnavailable, InputError
from dms.tools.bench_pipeline.clip import Clip, Player, check_recording, decode
from dms.tools.bench_pipeline.play import Block, Meter, Parts, Stopwatch
from dms.tools.bench_pipeline.stream import watch_stream
from dms.tools.bench_pipeline.worker import Worker


@pytest.fixture
def clip(tmp_path):
    """Ten frames of 4x8, each of one grey, at 100 a second, with a gap after the fifth."""
    path = tmp_path / "clip.luma"
    path.write_bytes(b"".join(bytes([10 * k]) * 32 for k in range(10)))
    times_s = tuple(0.01 * k + (0.05 if k > 4 else 0.0) for k in range(10))
    return Clip(path, 4, 8, 100.0, times_s, cut=False, decode_ms=0.1, decode_cpu_ms=0.1)


@pytest.fixture
def player(clip):
    player = Player(clip, (8, 4))
    yield player
    player.close()


def test_a_clip_plays_round_and_round_and_time_only_goes_on(player):
    greys, times_s = [], []
    for _ in range(25):
        times_s.append(player.skip())
        frame = player.frame()
        assert frame.captured_s == times_s[-1]
        greys.append(int(frame.image[0, 0]))
    assert greys == [10 * (k % 10) for k in range(25)]
    steps_s = np.diff(times_s)
    assert steps_s[4] == pytest.approx(0.06)  # the gap of the recording
    assert np.delete(steps_s, [4, 14]) == pytest.approx(0.01)  # and the seams: one period


def test_seeking_changes_the_frame_and_not_the_clock(player):
    before_s = player.skip()
    player.seek(7)
    assert player.skip() == pytest.approx(before_s + 0.01)
    assert player.frame().image[0, 0] == 70
    player.seek(0)
    assert player.skip() == pytest.approx(before_s + 0.02)


def test_frames_are_fitted_to_the_size_asked_for(clip):
    player = Player(clip, (16, 16))
    player.seek(5)
    player.skip()
    image = player.frame().image
    player.let_go()
    player.close()
    assert image.shape == (16, 16)
    assert image[8, 8] == 50
    assert image[0, 0] == 0  # padded above


def test_every_frame_is_judged_and_what_ran_is_noted(player):
    def judge(frame):
        return Parts({"eyes": 0.002}, {"eyes": 0.001 if frame.id % 2 else math.nan})

    taken = Stopwatch(player, lambda frame: frame, judge).play(Block(2, 6, paced=False))
    assert len(taken.judged_s) == 6
    assert taken.lost == 0
    assert np.isnan(taken.engine_s["eyes"]).sum() == 3
    assert taken.video_s == pytest.approx(0.06 + 0.05)


def test_paced_frames_that_pass_meanwhile_are_lost(player):
    def judge(frame):
        time.sleep(0.025)
        return Parts()

    taken = Stopwatch(player, lambda frame: frame, judge).play(Block(0, 5, paced=True))
    assert 0 < taken.lost < 5
    assert len(taken.judged_s) + taken.lost == 5
    assert taken.wall_s >= 0.05


def test_preparing_a_frame_is_no_part_of_its_times(player):
    def prepare(frame):
        end_s = time.process_time() + 0.02
        while time.process_time() < end_s:
            pass
        return frame

    taken = Stopwatch(player, prepare, lambda frame: Parts()).play(Block(0, 5, paced=False))
    assert taken.wall_s > 0.1
    assert np.median(taken.judged_s) < 0.01
    assert taken.cpu_s < 0.1


class Engine:
    def __init__(self):
        self.inputs = {"image": TensorSpec("image", (1,), "uint8")}
        self.outputs = {"out": TensorSpec("out", (1,), "float32")}

    def infer(self, feeds):
        return {"out": feeds["image"]}

    def close(self):
        pass


def test_a_meter_adds_up_the_runs_since_it_was_asked():
    meter = Meter(Engine())
    assert math.isnan(meter.take())
    assert meter.infer({"image": 1}) == {"out": 1}
    first_s = meter.take()
    assert first_s > 0
    assert math.isnan(meter.take())
    assert list(meter.outputs) == ["out"]


def test_only_a_clip_can_be_played_again_and_again(tmp_path):
    check_recording("demo")
    for uri in ("0", "sim:demo", str(tmp_path)):
        with pytest.raises(InputError, match="give a video file or `demo`"):
            check_recording(uri)
    with pytest.raises(InputError, match="no such file"):
        check_recording(str(tmp_path / "none.mp4"))


def test_no_more_of_a_clip_is_decoded_than_asked_for(tmp_path):
    clip = decode("demo", tmp_path / "clip.luma", 2.0, lambda word: None)
    assert len(clip.captured_s) == 60
    assert clip.cut
    assert clip.path.stat().st_size == 60 * clip.width * clip.height
    with pytest.raises(InputError, match="at least 30"):
        decode("demo", tmp_path / "clip.luma", 0.5, lambda word: None)


class Adder:
    def __init__(self, start):
        self._sum = start

    def add(self, number):
        self._sum += number
        return self._sum

    def fail(self):
        raise EngineUnavailable("no such hardware here")

    def leave(self):
        raise SystemExit(3)


@contextmanager
def open_adder(start):
    yield Adder(start)


def test_a_worker_keeps_what_it_has_between_two_calls():
    worker = Worker("adder", open_adder, 10, limit_s=60)
    assert worker.ask("add", 5) == 15
    assert worker.ask("add", 5) == 20
    with pytest.raises(EngineUnavailable, match="no such hardware here"):
        worker.ask("fail")
    worker.close()


def test_a_worker_that_ends_by_itself_is_told():
    worker = Worker("adder", open_adder, 10, limit_s=60)
    with pytest.raises(EngineError, match="adder: the process ended by itself"):
        worker.ask("leave")
    worker.close()


class NoSensors:
    """A device that tells nothing."""

    def __getattr__(self, name):
        return dict if name == "cpu_clocks_mhz" else lambda: None


def test_a_process_that_ends_before_its_first_frame_is_told_with_its_last_words():
    words = "import sys; sys.exit('no camera here')"
    with pytest.raises(EngineError, match="no camera here"):
        watch_stream(["python3", "-c", words], 1.0, NoSensors())


def test_a_process_is_watched_from_its_first_frame_on():
    script = (
        "import os, socket, time\n"
        "told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
        "told.connect(os.environ['NOTIFY_SOCKET'])\n"
        "told.send(b'STATUS=0:00:01.0  level 0 (all of it)')\n"
        "told.send(b'READY=1')\n"
        "told.send(b'STATUS=0:00:02.0  level 2 (less); hot: 90 degrees')\n"
        "told.send(b'STATUS=0:00:03.0  level 1 (more)')\n"
        "while True:\n"
        "    time.sleep(0.02); told.send(b'WATCHDOG=1')\n"
    )
    stream = watch_stream(["python3", "-c", script], 1.0, NoSensors())
    assert 5 < stream.fps <= 51
    assert 0 < stream.start_s < 60
    assert 0 < stream.rss_mb <= stream.peak_mb < 100
    assert stream.threads == 1
    assert stream.level == 2
    assert stream.device.board_w is None
