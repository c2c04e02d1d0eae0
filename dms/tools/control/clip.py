"""A stretch of a recording held in memory, and played again and again as a camera of any rate would."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import takewhile

from dms.config import Config, EnginesConfig
from dms.engines.contract import CONTRACTS
from dms.errors import InputError, SourceEnded, SourceLost
from dms.records import Frame, Luma
from dms.sources import FrameSource, open_source


def with_precision(config: Config, precision: str) -> Config:
    """The configuration with all four engines at one precision."""
    engines = config.engines.model_dump()
    for net in CONTRACTS:
        engines[net]["precision"] = precision
    return config.model_copy(update={"engines": EnginesConfig.model_validate(engines)})


def at_rate(config: Config, fps: float) -> Config:
    """The configuration with another rate of the camera."""
    return config.model_copy(update={"source": config.source.model_copy(update={"fps": fps})})


def stretch(config: Config, seconds: float) -> list[Frame]:
    """The frames of a recording's first seconds, decoded.

    Raises:
        InputError: there are none.
    """
    with closing(open_source(config.source.model_copy(update={"realtime": False}))) as source:
        frames = list(takewhile(lambda frame: frame.captured_s < seconds, _all(source)))
    if not frames:
        raise InputError(f"{config.source.uri} has no frame in its first {seconds:g} s: give a recording")
    return frames


def _all(source: FrameSource) -> Iterator[Frame]:
    try:
        while True:
            yield source.newest(timeout_s=1.0)
    except SourceEnded:
        return


class ClipCamera:
    """A live `FrameSource` of `fps` frames a second whose pictures are those of a clip, round and round.

    Frames are captured by the clock, whether or not anybody takes them; only the newest is handed out.
    Decoding costs nothing here: what is measured is the judgement.
    """

    live = True

    def __init__(self, images: Sequence[Luma], fps: float) -> None:
        """Start now."""
        self.fps = fps
        self.dropped = 0
        self.captured = 0
        self._images = images
        self._started_s = time.monotonic()

    def newest(self, timeout_s: float) -> Frame:
        """The newest frame not yet handed out.

        Raises:
            SourceLost: the next comes after `timeout_s`.
        """
        due = int((time.monotonic() - self._started_s) * self.fps)
        if due < self.captured:
            wait_s = self._at_s(self.captured) - time.monotonic()
            time.sleep(max(0.0, min(wait_s, timeout_s)))
            if wait_s > timeout_s:
                raise SourceLost(f"the next frame comes in {wait_s:.2f} s")
            due = self.captured
        self.dropped += due - self.captured
        self.captured = due + 1
        return Frame(due, self._at_s(due), self._images[due % len(self._images)])

    def now_s(self) -> float:
        """The machine's monotonic clock."""
        return time.monotonic()

    def close(self) -> None:
        """Nothing to release."""

    def _at_s(self, number: int) -> float:
        return self._started_s + number / self.fps
