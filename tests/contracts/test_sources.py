"""What every source promises, whatever is behind it."""

import itertools

import cv2
import numpy as np
import pytest

from dms.config import SourceConfig
from dms.errors import SourceEnded, SourceError, SourceLost
from dms.sources import open_source
from tests.media import MjpegServer, picture, write_video
from tests.rtsp import RtspServer

RECORDED_FRAMES = 12
TIMEOUT_S = 10.0


@pytest.fixture
def video(tmp_path):
    write_video(tmp_path / "clip.mp4", (picture(5 * i) for i in range(RECORDED_FRAMES)))
    yield from opened(uri=str(tmp_path / "clip.mp4"))


@pytest.fixture
def folder(tmp_path):
    for i in range(RECORDED_FRAMES):
        cv2.imwrite(str(tmp_path / f"{1000 + 40 * i}ms.png"), picture(5 * i))
    yield from opened(uri=str(tmp_path))


@pytest.fixture
def simulated(tmp_path):
    script = tmp_path / "script.yaml"
    script.write_text(f"size: [128, 72]\nfps: 20.0\nduration_s: {RECORDED_FRAMES / 20}\n")
    yield from opened(uri=f"sim:{script}")


@pytest.fixture(params=[MjpegServer, RtspServer], ids=["http", "rtsp"])
def server(request):
    server = request.param()
    yield server
    server.close()


@pytest.fixture
def http():
    yield from streamed(MjpegServer())


@pytest.fixture
def rtsp():
    yield from streamed(RtspServer())


def streamed(server):
    yield from opened(uri=server.url, lost_after_s=1.0, reopen_every_s=0.05)
    server.close()


def opened(**config):
    source = open_source(SourceConfig(**{"realtime": False, **config}))
    yield source
    source.close()


@pytest.fixture(params=["video", "folder", "simulated"])
def recording(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["video", "folder", "simulated", "http", "rtsp"])
def source(request):
    return request.getfixturevalue(request.param)


def test_frames_are_luma_in_order_of_their_times(source):
    frames = [source.newest(TIMEOUT_S) for _ in range(8)]
    for frame in frames:
        assert frame.image.dtype == np.uint8
        assert frame.image.ndim == 2
        assert frame.image.flags.c_contiguous
    assert 1 <= source.fps <= 1000
    for earlier, later in itertools.pairwise(frames):
        assert later.captured_s > earlier.captured_s
        assert later.id > earlier.id
        assert not np.shares_memory(earlier.image, later.image)


def test_the_present_is_on_the_clock_of_the_frames(source):
    presents = []
    for _ in range(3):
        frame = source.newest(TIMEOUT_S)
        presents.append(source.now_s())
        assert 0 <= presents[-1] - frame.captured_s < TIMEOUT_S
    assert presents == sorted(presents)


def test_the_present_of_an_unpaced_recording_is_its_last_frame(recording):
    assert recording.now_s() == 0
    for _ in range(3):
        assert recording.newest(TIMEOUT_S).captured_s == recording.now_s()


def test_closing_twice_is_fine_and_then_there_are_no_frames(source):
    source.newest(TIMEOUT_S)
    source.close()
    source.close()
    with pytest.raises(SourceError):
        source.newest(0.1)


def test_closing_before_the_first_frame_is_fine(source):
    source.close()
    with pytest.raises(SourceError):
        source.newest(0.1)


def test_a_recording_hands_out_every_frame_then_ends(recording):
    assert not recording.live
    for _ in range(RECORDED_FRAMES):
        recording.newest(TIMEOUT_S)
    for _ in range(2):
        with pytest.raises(SourceEnded):
            recording.newest(TIMEOUT_S)
    assert recording.dropped == 0


def test_a_live_source_tells_its_death_and_comes_back(server):
    stream = open_source(SourceConfig(uri=server.url, lost_after_s=1.0, reopen_every_s=0.05))
    assert stream.live
    last = stream.newest(TIMEOUT_S)
    server.close()
    with pytest.raises(SourceLost, match=r"127\.0\.0\.1"):
        exhaust(stream)
    again = type(server)(server.port)
    try:
        back = next_frame(stream)
    finally:
        again.close()
        stream.close()
    assert back.captured_s > last.captured_s
    assert back.id > last.id


def exhaust(source):
    """Take frames until an error ends it."""
    while True:
        source.newest(TIMEOUT_S)


def next_frame(source):
    """The next frame of a source that is expected to come back, however many losses it tells before."""
    for _ in range(20):
        try:
            return source.newest(TIMEOUT_S)
        except SourceLost:
            continue
    raise AssertionError("the source did not come back")
