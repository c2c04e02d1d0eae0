"""A camera that plays a recording for ever, and can be disturbed."""

from __future__ import annotations

from collections.abc import Callable

from dms.config import SourceConfig
from dms.errors import SourceEnded, SourceLost
from dms.records import Frame, Luma
from dms.sources import FrameSource, open_source
from dms.tools.soak.clock import DrivingClock


class Laps:
    """A live `FrameSource` on driving time: one recording again and again, opened anew for each lap.

    Like a camera it hands out the newest frame and drops those it is too late for. What is wrong with it is
    set from outside: `silent` (no frame comes), `thinned` (whether this frame is left out), `picture` and
    `stamp` (what becomes of pixels and times).

    Args:
        config: the recording.
        length_s: of one lap.
        clock: driving time.
        at_frame: called before each frame with the present.
    """

    live = True

    def __init__(
        self,
        config: SourceConfig,
        length_s: float,
        clock: DrivingClock,
        at_frame: Callable[[float], None],
    ) -> None:
        self._config = config.model_copy(update={"realtime": False})
        self._length_s = length_s
        self._clock = clock
        self._at_frame = at_frame
        self._recording: FrameSource = open_source(self._config)
        self._ahead: Frame | None = None
        self._next_id = 0
        self.fps = self._recording.fps
        self.dropped = 0
        self.laps = 0
        """Laps that are over."""
        self.begun_s = clock()
        """When the first lap began."""
        self.silent = False
        self.thinned: Callable[[], bool] = lambda: False
        self.picture: Callable[[Luma], Luma] = lambda image: image
        self.stamp: Callable[[float], float] = lambda captured_s: captured_s

    def newest(self, timeout_s: float) -> Frame:
        """The next frame that is in time.

        Raises:
            SourceLost: none came in `timeout_s`.
        """
        give_up_s = self._clock() + timeout_s
        while True:
            self._at_frame(self._clock())
            frame = self._ahead or self._decoded()
            if frame.captured_s > give_up_s:
                self._ahead = frame
                self._clock.pass_until(give_up_s)
                raise SourceLost(f"no frame for {timeout_s:g} s: the soak keeps them back")
            self._ahead = None
            self._clock.pass_until(frame.captured_s)
            if self.silent or self.thinned():
                continue
            if self._clock() - frame.captured_s > 1 / self.fps:
                self.dropped += 1
                continue
            return Frame(frame.id, self.stamp(frame.captured_s), self.picture(frame.image))

    def now_s(self) -> float:
        """Driving time."""
        return self._clock()

    def lap_s(self, now_s: float) -> float:
        """The second of the recording that is shown at a moment."""
        return (now_s - self.begun_s) % self._length_s

    def close(self) -> None:
        """Close the recording."""
        self._recording.close()

    def _decoded(self) -> Frame:
        """The next frame of the recording; a camera's own thread would make it meanwhile."""
        with self._clock.paused():
            try:
                shot = self._recording.newest(1.0)
            except SourceEnded:
                self._recording.close()
                self.laps += 1
                self._recording = open_source(self._config)
                shot = self._recording.newest(1.0)
        frame_id, self._next_id = self._next_id, self._next_id + 1
        return Frame(frame_id, self.begun_s + self.laps * self._length_s + shot.captured_s, shot.image)
