"""The clip of a benchmark: decoded once into a file, which every process that is measured maps."""

from __future__ import annotations

import mmap
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from dms.config import SourceConfig
from dms.errors import InputError, SourceEnded
from dms.records import Frame, Luma
from dms.sources import FrameSource, form_of, open_source
from dms.stages.tensors import letterbox
from dms.tools.bench.apart import Told
from dms.tools.bench.frame import Size

MOST_BYTES = 1 << 30
MEMORY_SHARE = 4
"""The decoded clip takes at most that many bytes, and at most this part of the free memory."""
LEAST_FRAMES = 30


@dataclass(frozen=True)
class Clip:
    """Grey frames in the file `path`, one after the other; `captured_s` is when each was recorded.

    `cut` tells that the recording is longer. `decode_ms` is the median to get one frame from the recording,
    `decode_cpu_ms` what that takes of processor time on average, all threads.
    """

    path: Path
    height: int
    width: int
    fps: float
    captured_s: tuple[float, ...]
    cut: bool
    decode_ms: float
    decode_cpu_ms: float

    @property
    def seconds(self) -> float:
        """How long it plays."""
        return len(self.captured_s) / self.fps


def check_recording(uri: str) -> None:
    """Make sure that `uri` names a clip: `demo`, or a video file.

    Raises:
        InputError: it is missing, or something else.
    """
    if uri != "demo" and form_of(uri) != "file":
        raise InputError(
            f"source {uri!r}: --pipeline plays the same frames again and again; give a video file or `demo` "
            "(a folder or a camera is none; `dms simulate` makes a clip of a script)"
        )


def decode(uri: str, into: Path, most_s: float, told: Told) -> Clip:
    """Decode the clip `uri` into the file `into`; `told` is not used.

    Args:
        uri: a video file, or `demo`.
        into: the file to write.
        most_s: no more seconds of it than that.
        told: hears nothing.

    Raises:
        InputError: it cannot be read, is too short, or the disk is full.
    """
    source = open_source(SourceConfig(uri=uri, realtime=False))
    most_bytes = min(MOST_BYTES, psutil.virtual_memory().available // MEMORY_SHARE)
    spent_s, begun_cpu_s = list[float](), time.process_time()
    captured_s, written, shape, cut = list[float](), 0, (0, 0), False
    try:
        with into.open("wb") as file:
            for frame in _timed(source, spent_s):
                shape = frame.image.shape
                cut = written + frame.image.nbytes > most_bytes or len(captured_s) >= most_s * source.fps
                if cut:
                    break
                written += file.write(frame.image.data)
                captured_s.append(frame.captured_s)
    except OSError as error:
        raise InputError(
            f"cannot keep the decoded clip in {into}: {error.strerror}; free some space"
        ) from error
    finally:
        source.close()
    if len(captured_s) < LEAST_FRAMES:
        raise InputError(f"{uri} has {len(captured_s)} frames; give a clip with at least {LEAST_FRAMES}")
    cpu_ms = 1e3 * (time.process_time() - begun_cpu_s) / len(spent_s)
    decode_ms = 1e3 * float(np.median(spent_s))
    return Clip(into, *shape, source.fps, tuple(captured_s), cut, round(decode_ms, 3), round(cpu_ms, 3))


def _timed(source: FrameSource, spent_s: list[float]) -> Iterator[Frame]:
    while True:
        begun_s = time.perf_counter()
        try:
            frame = source.newest(timeout_s=1.0)
        except SourceEnded:
            return
        spent_s.append(time.perf_counter() - begun_s)
        yield frame


class Player:
    """Plays a clip over and over at one frame size; time only ever goes on.

    Frames are letterboxed into one buffer, which is overwritten by the next one: as fresh in the processor's
    caches as one that a decoder has just written.
    """

    def __init__(self, clip: Clip, size: Size) -> None:
        self._clip = clip
        self._times_s = np.array(clip.captured_s)
        self._file = clip.path.open("rb")
        self._map = mmap.mmap(self._file.fileno(), 0, prot=mmap.PROT_READ)
        self._frames: NDArray[np.uint8] = np.frombuffer(self._map, np.uint8).reshape(
            -1, clip.height, clip.width
        )
        self._buffer: Luma = np.zeros(size[::-1], np.uint8)
        self._count = 0
        self._at = -1
        self._now_s = 0.0

    @property
    def period_s(self) -> float:
        """Seconds between two frames at the clip's rate."""
        return 1 / self._clip.fps

    def seek(self, index: int) -> None:
        """Go on with the frame of this index; in time it follows the one before."""
        self._at = index % len(self._times_s) - 1

    def skip(self) -> float:
        """Go on to the next frame without looking at it; the time at which it was recorded, seconds."""
        following = (self._at + 1) % len(self._times_s)
        step_s = self._times_s[following] - self._times_s[self._at] if following and self._at >= 0 else 0.0
        self._at = following
        self._count += 1
        self._now_s += float(step_s) if step_s > 0 else self.period_s
        return self._now_s

    def frame(self) -> Frame:
        """The frame that `skip` went to."""
        letterbox(self._frames[self._at], self._buffer)
        return Frame(self._count, self._now_s, self._buffer)

    def let_go(self) -> None:
        """Give the clip's pages back, so that they do not count as memory of this process."""
        self._map.madvise(mmap.MADV_DONTNEED)

    def close(self) -> None:
        """Close the file."""
        del self._frames
        self._map.close()
        self._file.close()
