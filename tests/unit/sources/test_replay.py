import itertools
import logging

import cv2
import numpy as np
import pytest

from dms.config import SourceConfig
from dms.errors import InputError, SourceEnded
from dms.sources.replay import ReplaySource
from tests.media import picture, retime, turn, write_video

FPS = 25.0


def play(path, **config):
    source = ReplaySource(SourceConfig(**{"uri": str(path), "realtime": False, **config}))
    frames = []
    try:
        for _ in itertools.count():
            frames.append(source.newest(10.0))
    except SourceEnded:
        return frames
    finally:
        source.close()


def pictures(count, width=64, height=48):
    return (picture(5 * (i % 20), width, height) for i in range(count))


def noise(count, width=160, height=120):
    random = np.random.default_rng(1)
    return (random.integers(0, 256, (height, width, 3), np.uint8) for _ in range(count))


def test_every_frame_at_its_time(tmp_path):
    frames = play(write_video(tmp_path / "clip.mp4", pictures(20), FPS))
    assert [frame.id for frame in frames] == list(range(20))
    assert [frame.captured_s for frame in frames] == pytest.approx([i / FPS for i in range(20)], abs=1e-3)


@pytest.mark.parametrize("fourcc", ["FFV1", "MJPG", "mp4v"])
def test_luma_is_that_of_the_picture(tmp_path, fourcc):
    path = write_video(tmp_path / "clip.avi", pictures(3), FPS, fourcc)
    expected = cv2.cvtColor(picture(0), cv2.COLOR_BGR2GRAY)
    difference = np.abs(play(path)[0].image.astype(int) - expected)
    assert difference.mean() < 3


@pytest.mark.parametrize("realtime", [True, False])
def test_frames_are_the_same_at_any_pace(tmp_path, realtime):
    path = write_video(tmp_path / "clip.mp4", pictures(8), FPS)
    for one, other in zip(play(path), play(path, realtime=realtime), strict=True):
        assert (one.id, one.captured_s) == (other.id, other.captured_s)
        assert (one.image == other.image).all()


def test_the_rate_is_that_of_the_file(tmp_path):
    path = write_video(tmp_path / "clip.mp4", pictures(3), 12.5)
    assert ReplaySource(SourceConfig(uri=str(path))).fps == pytest.approx(12.5)


def test_a_variable_rate_is_respected(tmp_path):
    path = write_video(tmp_path / "clip.mp4", pictures(6), FPS)
    retime(path, [1, 1, 3, 1, 10, 1])
    expected = [t / FPS for t in (0, 1, 2, 5, 6, 16)]
    assert [frame.captured_s for frame in play(path)] == pytest.approx(expected, abs=1e-3)


def test_a_stream_without_times_runs_at_its_rate(tmp_path):
    jpegs = (cv2.imencode(".jpg", image)[1].tobytes() for image in pictures(5))
    path = tmp_path / "raw.mjpeg"
    path.write_bytes(b"".join(jpegs))
    times = [frame.captured_s for frame in play(path)]
    assert len(times) == 5
    assert np.diff(times) == pytest.approx([1 / FPS] * 4, abs=1e-3)


def test_noted_rotation_is_applied(tmp_path):
    upright = picture(0, 64, 48)
    path = write_video(tmp_path / "clip.mp4", [upright] * 3, FPS)
    turn(path)
    image = play(path)[0].image
    expected = cv2.cvtColor(cv2.rotate(upright, cv2.ROTATE_90_CLOCKWISE), cv2.COLOR_BGR2GRAY)
    assert image.shape == (64, 48)
    assert image.flags.c_contiguous
    assert np.abs(image.astype(int) - expected).mean() < 3


@pytest.mark.parametrize(("width", "height"), [(16, 16), (90, 160), (7680, 4320), (322, 18)])
def test_any_size_plays(tmp_path, width, height):
    path = write_video(tmp_path / "clip.avi", pictures(2, width, height), FPS, "MJPG")
    assert [frame.image.shape for frame in play(path)] == [(height, width)] * 2


def test_real_time_drops_what_a_slow_consumer_misses(tmp_path):
    # Faster than anyone can take it: at a thousand frames a second and hardly any time to a frame.
    path = write_video(tmp_path / "clip.avi", noise(40, 640, 480), 1000.0, "MJPG")
    source = ReplaySource(SourceConfig(uri=str(path), realtime=True))
    taken = []
    with pytest.raises(SourceEnded):
        look_long_at_each(source, taken)
    source.close()
    assert source.dropped > 0
    assert len(taken) + source.dropped == 40


def look_long_at_each(source, taken):
    while True:
        taken.append(source.newest(10.0))
        cv2.GaussianBlur(taken[-1].image, (51, 51), 20)


def cut(path, share):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def test_a_file_cut_off_plays_what_is_there_and_warns(tmp_path, caplog):
    path = cut(write_video(tmp_path / "clip.avi", noise(50), FPS, "MJPG"), 0.5)
    with caplog.at_level(logging.WARNING):
        frames = play(path)
    assert 15 < len(frames) < 35
    assert "breaks off at second" in caplog.text
    assert f"second {frames[-1].captured_s:.2f}" in caplog.text


def test_a_whole_file_warns_of_nothing(tmp_path, caplog):
    play(write_video(tmp_path / "clip.mp4", pictures(30), FPS))
    assert not caplog.records


def missing(tmp_path):
    return tmp_path / "nowhere.mp4"


def text_named_mp4(tmp_path):
    path = tmp_path / "text.mp4"
    path.write_text("this is no video\n" * 200)
    return path


def text(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("this is no video\n" * 200)
    return path


def empty(tmp_path):
    path = tmp_path / "empty.mp4"
    path.touch()
    return path


def without_index(tmp_path):
    return cut(write_video(tmp_path / "clip.mp4", pictures(20), FPS), 0.5)


def without_frames(tmp_path):
    """An AVI that ends where its first frame would begin."""
    path = write_video(tmp_path / "clip.avi", noise(5), FPS, "MJPG")
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"movi") + 4])
    return path


@pytest.mark.parametrize("make", [missing, text_named_mp4, text, empty, without_index, without_frames])
def test_what_cannot_be_played_says_which_file(tmp_path, make, capfd):
    path = make(tmp_path)
    with pytest.raises(InputError, match=path.name):
        ReplaySource(SourceConfig(uri=str(path)))
    assert capfd.readouterr().err == ""
