"""Live sources: a device or a network stream, read by a thread of its own that keeps the newest frame only.

The thread owns the device: it opens it, stamps each frame as it arrives, and when the device dies, for
whatever cause, it says so once and tries again until it is back. Only closing ends the thread.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Protocol

import cv2

from dms.config import SourceConfig
from dms.errors import InputError, SourceLost
from dms.records import Frame, Luma
from dms.sources import v4l2
from dms.sources.luma import to_luma
from dms.sources.opencv import hush_opencv

log = logging.getLogger(__name__)

_CLOSE_TIMEOUT_S = 3.0


class Reader(Protocol):
    """An opened device or stream, used by one thread."""

    def grab(self) -> bool:
        """Wait for the next frame; False when there will be none."""
        ...

    def luma(self) -> Luma | None:
        """The grabbed frame; None when its data is broken."""
        ...

    def release(self) -> None:
        """Close it."""
        ...


class LiveSource:
    """Hands out the newest frame of what `open_reader` opens, and reopens it when it dies.

    `open_reader` raises `SourceLost` with the cure when there is nothing to open.
    """

    live = True

    def __init__(self, name: str, open_reader: Callable[[], Reader], config: SourceConfig) -> None:
        self.fps = config.fps
        self.dropped = 0
        self._name = name
        self._open_reader = open_reader
        self._lost_after_s = config.lost_after_s
        self._reopen_every_s = config.reopen_every_s
        self._changed = threading.Condition()
        self._newest: Frame | None = None
        self._captured = 0
        self._loss: str | None = None
        self._cause: BaseException | None = None
        self._loss_is_news = False
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._keep_capturing, name=f"capture {name}", daemon=True)
        self._thread.start()

    def newest(self, timeout_s: float) -> Frame:
        """The newest frame that was not handed out yet.

        A loss is told at once, then again each time `timeout_s` passes without a frame.

        Raises:
            SourceLost: no frame in time, the device is gone, or this source is closed; chained from what
                ended the capture.
        """
        with self._changed:
            self._changed.wait_for(self._has_news, timeout_s)
            frame, self._newest = self._newest, None
            if frame is None:
                self._loss_is_news = False
                raise SourceLost(self._why_none(timeout_s)) from self._cause
            return frame

    def now_s(self) -> float:
        """The machine's monotonic clock."""
        return time.monotonic()

    def close(self) -> None:
        """Stop capturing and release the device."""
        with self._changed:
            self._closed.set()
            self._newest = None
            self._changed.notify_all()
        self._thread.join(_CLOSE_TIMEOUT_S)
        if self._thread.is_alive():
            log.warning("%s: still blocked in the driver; left behind", self._name)

    def _has_news(self) -> bool:
        return self._newest is not None or self._loss_is_news or self._closed.is_set()

    def _why_none(self, timeout_s: float) -> str:
        if self._closed.is_set():
            return f"{self._name} is closed"
        if self._loss is not None:
            return self._loss
        state = "sent no frame" if self._captured else "has not sent a first frame yet: nothing came"
        return f"{self._name} {state} for {timeout_s:g} s"

    def _keep_capturing(self) -> None:
        while not self._closed.is_set():
            with ExitStack() as attempt:
                attempt.push(self._keep_loss)
                self._capture()
            self._closed.wait(self._reopen_every_s)

    def _keep_loss(
        self, _kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Keep whatever ended an attempt for `newest` to raise: a dead thread would be a dead camera."""
        if error is None:
            return False
        # The variables of the failed attempt may hold the device, and so keep it busy.
        traceback.clear_frames(trace)
        if isinstance(error, SourceLost):
            self._tell_lost(str(error), error.__cause__)
        else:
            why = f"{self._name} failed: {type(error).__name__}: {error}. Trying to reopen it"
            self._tell_lost(why, error)
        return True

    def _capture(self) -> None:
        reader = self._open_reader()
        log.info("%s: opened, %s", self._name, reader)
        try:
            self._pump(reader)
        except (cv2.error, InputError) as e:
            raise SourceLost(f"{self._name} sends what cannot be read: {e}") from e
        finally:
            reader.release()

    def _pump(self, reader: Reader) -> None:
        last_s = time.monotonic()
        while not self._closed.is_set():
            if not reader.grab():
                raise SourceLost(f"{self._name} stopped sending: is it still connected? Trying to reopen it")
            captured_s = time.monotonic()
            image = reader.luma()
            if image is not None:
                last_s = captured_s
                self._offer(captured_s, image)
            elif captured_s - last_s > self._lost_after_s:
                raise SourceLost(f"{self._name} sends broken frames only: check cable and bandwidth")

    def _offer(self, captured_s: float, image: Luma) -> None:
        with self._changed:
            if self._closed.is_set():
                return
            self.dropped += self._newest is not None
            self._newest = Frame(self._captured, captured_s, image)
            self._captured += 1
            recovered = self._loss is not None
            self._loss, self._cause, self._loss_is_news = None, None, False
            self._changed.notify_all()
        if recovered:
            log.info("%s: frames again", self._name)

    def _tell_lost(self, why: str, cause: BaseException | None) -> None:
        with self._changed:
            if self._closed.is_set():
                return
            changed = self._loss != why
            self._loss_is_news = self._loss_is_news or self._loss is None
            self._loss, self._cause = why, cause
            self._changed.notify_all()
        # Before the first frame `newest` tells whoever starts this; only a cause has more to say.
        if changed and (self._captured or cause):
            log.warning("%s", why, exc_info=cause)


class DeviceSource(LiveSource):
    """A V4L2 camera: `config.uri` is its index or device path."""

    def __init__(self, config: SourceConfig) -> None:
        super().__init__(v4l2.device_path(config.uri), lambda: v4l2.open_device(config), config)


class StreamSource(LiveSource):
    """A network stream (RTSP, HTTP) through FFmpeg; RTSP prefers TCP."""

    def __init__(self, config: SourceConfig) -> None:
        super().__init__(without_password(config.uri), lambda: _open_stream(config), config)


class _StreamReader:
    def __init__(self, capture: cv2.VideoCapture) -> None:
        self._capture = capture

    def __str__(self) -> str:
        width = self._capture.get(cv2.CAP_PROP_FRAME_WIDTH)
        height = self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
        return f"{width:g}x{height:g}"

    def grab(self) -> bool:
        return self._capture.grab()

    def luma(self) -> Luma | None:
        retrieved, image = self._capture.retrieve()
        return to_luma(image) if retrieved else None

    def release(self) -> None:
        self._capture.release()


def _open_stream(config: SourceConfig) -> _StreamReader:
    hush_opencv()
    options = (
        (cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, round(config.open_timeout_s * 1000)),
        (cv2.CAP_PROP_READ_TIMEOUT_MSEC, round(config.lost_after_s * 1000)),
        # FFmpeg's frame threads would each hold one frame back.
        (cv2.CAP_PROP_N_THREADS, 1),
    )
    capture = cv2.VideoCapture(config.uri, cv2.CAP_FFMPEG, [value for option in options for value in option])
    if not capture.isOpened():
        raise SourceLost(
            f"no stream at {without_password(config.uri)}: check the address, the login and that the server "
            "runs (`ffprobe URL` says more)"
        )
    return _StreamReader(capture)


def without_password(url: str) -> str:
    """The address of a stream as it may be told and kept."""
    scheme, _, rest = url.partition("://")
    login, at, host = rest.rpartition("@")
    return f"{scheme}://{login.partition(':')[0]}{':***' if ':' in login else ''}{at}{host}" if at else url
