"""A video file, every frame in order, at its recorded time.

Frames are decoded to BGR and reduced to grey. FFmpeg through OpenCV can hand out the bare luma plane, but
then nothing tells whether it is of full or limited range, 10-bit and RGB videos come out as garbage, and it
saves no more than 0.1 ms a frame at 640x360 (see docs/sources.md).
"""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path

import cv2

from dms.config import SourceConfig
from dms.errors import InputError
from dms.records import Luma
from dms.sources.luma import to_luma
from dms.sources.opencv import hush_opencv
from dms.sources.recorded import RecordedSource, Shot, Shots

log = logging.getLogger(__name__)

_TEXT_CODEC = cv2.VideoWriter.fourcc(*"ansi")
_FPS_LIMIT = 1000.0
_SPARE_FRAMES = 3
_SPARE_SHARE = 0.02


class ReplaySource(RecordedSource):
    """Plays the video file `config.uri`; rotation noted in the file is applied.

    Raises:
        InputError: missing, unreadable, no video, or without a single frame.
    """

    def __init__(self, config: SourceConfig) -> None:
        path = Path(config.uri)
        self._capture = _open(path, config.realtime)
        noted = float(self._capture.get(cv2.CAP_PROP_FPS))
        # Raw streams carry no rate: 0, or their time base.
        fps = noted if 0 < noted <= _FPS_LIMIT else config.fps
        super().__init__(_shots(self._capture, path, 1 / fps), fps=fps, realtime=config.realtime)

    def close(self) -> None:
        """Close the file."""
        super().close()
        self._capture.release()


def _open(path: Path, paced: bool) -> cv2.VideoCapture:
    """The file, standing on its first frame.

    Played at its pace it is decoded by one thread, which takes less processor time; else by FFmpeg's many,
    which decode ahead while a frame is judged.
    """
    try:
        path.open("rb").close()
    except OSError as e:
        raise InputError(f"cannot read {path}: {e.strerror}") from e
    hush_opencv()
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1] if paced else [])
    # FFmpeg would paint a text file as terminal art and call it a video.
    if not capture.isOpened() or int(capture.get(cv2.CAP_PROP_FOURCC)) == _TEXT_CODEC:
        raise InputError(
            f"{path} is no video, or is cut off before its index: "
            "check that a player opens it, and copy or record it again"
        )
    if not capture.grab():
        capture.release()
        raise InputError(f"{path} holds no frame that can be decoded: record or convert it again")
    return capture


def _shots(capture: cv2.VideoCapture, path: Path, period_s: float) -> Shots:
    captured_s = _position_s(capture)
    count = 1
    yield Shot(captured_s, partial(_retrieve, capture))
    while capture.grab():
        position_s = _position_s(capture)
        # Files without time stamps, and broken ones, repeat or go back: the nominal rate must do.
        captured_s = position_s if position_s > captured_s else captured_s + period_s
        count += 1
        yield Shot(captured_s, partial(_retrieve, capture))
    _warn_if_cut(capture, path, count, captured_s)


def _position_s(capture: cv2.VideoCapture) -> float:
    return float(capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000


def _retrieve(capture: cv2.VideoCapture) -> Luma | None:
    decoded, image = capture.retrieve()
    return to_luma(image) if decoded else None


def _warn_if_cut(capture: cv2.VideoCapture, path: Path, count: int, captured_s: float) -> None:
    """The count in the header is an estimate for some containers: only a clear lack means a broken file."""
    announced = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    if announced - count > max(_SPARE_FRAMES, _SPARE_SHARE * announced):
        log.warning(
            "%s breaks off at second %.2f: %d of %d frames could be decoded",
            path,
            captured_s,
            count,
            announced,
        )
