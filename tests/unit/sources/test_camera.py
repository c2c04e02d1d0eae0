import logging
import queue
import threading
import time
import weakref

import numpy as np
import pytest

from dms.config import SourceConfig
from dms.errors import SourceLost
from dms.sources.camera import DeviceSource, LiveSource, StreamSource
from tests.media import MjpegServer

TIMEOUT_S = 10.0
FAST = {"lost_after_s": 0.2, "reopen_every_s": 0.01}
DIES = object()


class ScriptedReader:
    """A device whose frames the test puts into a queue; `taken` tells how many were read."""

    def __init__(self):
        self.script = queue.Queue()
        self.taken = threading.Semaphore(0)
        self.released = threading.Event()

    def grab(self):
        self.item = self.script.get(timeout=TIMEOUT_S)
        if isinstance(self.item, Exception):
            raise self.item
        return self.item is not DIES

    def luma(self):
        return self.item

    def release(self):
        self.released.set()

    def send(self, *levels):
        for level in levels:
            self.script.put(None if level is None else np.full((2, 2), level, np.uint8))


@pytest.fixture
def reader():
    return ScriptedReader()


@pytest.fixture
def camera(reader):
    readers = iter([reader])

    def open_reader():
        try:
            return next(readers)
        except StopIteration:
            raise SourceLost("no camera any more") from None

    source = LiveSource("cam", open_reader, SourceConfig(**FAST))
    yield source
    reader.script.put(DIES)
    source.close()
    assert reader.released.is_set()


def test_only_the_newest_frame_is_kept_and_the_others_are_counted(camera, reader):
    reader.send(1, 2, 3)
    frame = camera.newest(TIMEOUT_S)
    while frame.image[0, 0] != 3:
        frame = camera.newest(TIMEOUT_S)
    assert frame.id == 2
    reader.send(4, 5, 6)
    reader.script.put(DIES)
    assert reader.released.wait(TIMEOUT_S)
    dropped = camera.dropped
    assert camera.newest(TIMEOUT_S).image[0, 0] == 6
    assert dropped >= 2


def test_a_frame_is_handed_out_once(camera, reader):
    reader.send(1)
    camera.newest(TIMEOUT_S)
    with pytest.raises(SourceLost, match=r"cam sent no frame for 0\.05 s"):
        camera.newest(0.05)


def test_a_death_is_told_at_once(camera, reader):
    reader.send(1)
    camera.newest(TIMEOUT_S)
    reader.script.put(DIES)
    with pytest.raises(SourceLost):
        camera.newest(TIMEOUT_S)


def test_a_broken_frame_is_passed_over(camera, reader):
    reader.send(None, 7)
    assert camera.newest(TIMEOUT_S).image[0, 0] == 7


def test_broken_frames_only_are_a_loss(camera, reader):
    stop = threading.Event()

    def feed():
        while not stop.wait(0.01) and not reader.released.is_set():
            reader.send(None)

    feeder = threading.Thread(daemon=True, target=feed)
    feeder.start()
    try:
        with pytest.raises(SourceLost, match="broken frames only"):
            camera.newest(TIMEOUT_S)
    finally:
        stop.set()
        feeder.join()


def test_the_capture_thread_has_a_name_and_ends(camera, reader):
    assert "capture cam" in [thread.name for thread in threading.enumerate()]
    reader.script.put(DIES)
    camera.close()
    assert "capture cam" not in [thread.name for thread in threading.enumerate()]


class Device:
    pass


def test_an_unforeseen_error_in_opening_is_a_loss_and_it_is_opened_again(reader, caplog):
    held = []

    def open_reader():
        if held:
            return reader
        device = Device()
        held.append(weakref.ref(device))
        raise OverflowError("can't convert negative int to unsigned")

    camera = LiveSource("cam", open_reader, SourceConfig(lost_after_s=0.2, reopen_every_s=0.05))
    with pytest.raises(SourceLost, match="cam failed: OverflowError: can't convert") as caught:
        camera.newest(TIMEOUT_S)
    assert isinstance(caught.value.__cause__, OverflowError)
    assert held[0]() is None, "the failed attempt still holds its device"
    reader.send(7)
    assert first_after_loss(camera).image[0, 0] == 7
    reader.script.put(DIES)
    camera.close()
    assert "Traceback" in caplog.text


@pytest.mark.parametrize("error", [MemoryError("no room"), ValueError("what is this")])
def test_an_unforeseen_error_in_reading_is_a_loss_and_it_is_opened_again(error):
    first, second = ScriptedReader(), ScriptedReader()
    readers = iter([first, second])
    camera = LiveSource("cam", lambda: next(readers), SourceConfig(**FAST))
    first.send(1)
    camera.newest(TIMEOUT_S)
    first.script.put(error)
    with pytest.raises(SourceLost, match=str(error)) as caught:
        camera.newest(TIMEOUT_S)
    assert caught.value.__cause__ is error
    assert first.released.is_set()
    second.send(2)
    assert first_after_loss(camera).image[0, 0] == 2
    with pytest.raises(SourceLost, match="sent no frame") as caught:
        camera.newest(0.01)
    assert caught.value.__cause__ is None
    second.script.put(DIES)
    camera.close()


def test_the_present_is_the_monotonic_clock(camera):
    before_s = time.monotonic()
    assert before_s <= camera.now_s() <= time.monotonic()


def test_only_a_loss_after_the_first_frame_is_logged(camera, reader, caplog):
    with caplog.at_level(logging.WARNING):
        missing = DeviceSource(SourceConfig(uri="/dev/video97", **FAST))
        with pytest.raises(SourceLost):
            missing.newest(TIMEOUT_S)
        missing.close()
        assert not caplog.records
        reader.send(1)
        camera.newest(TIMEOUT_S)
        reader.script.put(DIES)
        with pytest.raises(SourceLost):
            camera.newest(TIMEOUT_S)
        camera.close()
    assert "cam stopped sending" in caplog.text


def test_closing_wakes_whoever_waits(camera, reader):
    told = queue.Queue()

    def wait():
        try:
            camera.newest(TIMEOUT_S)
        except SourceLost as e:
            told.put(str(e))

    waiter = threading.Thread(daemon=True, target=wait)
    waiter.start()
    reader.script.put(DIES)
    camera.close()
    waiter.join(TIMEOUT_S)
    assert told.get_nowait()


def test_a_missing_camera_is_told_once_at_once_and_then_in_time():
    camera = DeviceSource(SourceConfig(uri="/dev/video97", **FAST))
    with pytest.raises(SourceLost, match="no camera at /dev/video97"):
        camera.newest(TIMEOUT_S)
    with pytest.raises(SourceLost, match="no camera at /dev/video97"):
        camera.newest(0.05)
    camera.close()


def test_a_server_that_is_down_is_told_without_the_password():
    server = MjpegServer()
    server.close()
    url = server.url.replace("http://", "http://driver:secret@")
    stream = StreamSource(SourceConfig(uri=url, **FAST))
    with pytest.raises(SourceLost, match="no stream at") as caught:
        stream.newest(TIMEOUT_S)
    stream.close()
    assert "secret" not in str(caught.value)
    assert "driver" in str(caught.value)


def test_a_server_that_falls_silent_is_lost_and_comes_back():
    server = MjpegServer()
    stream = StreamSource(SourceConfig(uri=server.url, lost_after_s=0.5, reopen_every_s=0.05))
    try:
        stream.newest(TIMEOUT_S)
        server.silent.set()
        with pytest.raises(SourceLost, match="stopped sending"):
            exhaust(stream)
        server.silent.clear()
        assert first_after_loss(stream).image.shape == (48, 64)
    finally:
        stream.close()
        server.close()


def exhaust(stream):
    while True:
        stream.newest(TIMEOUT_S)


def first_after_loss(stream):
    for _ in range(20):
        try:
            return stream.newest(TIMEOUT_S)
        except SourceLost:
            continue
    raise AssertionError("the stream did not come back")
