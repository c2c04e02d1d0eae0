"""A clock, a source and a sink that do as they are told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dms.errors import SourceEnded
from dms.records import Frame, Message


class ManualClock:
    """A clock that stands still until it is moved; call it for its time in seconds."""

    def __init__(self, now_s: float = 0.0) -> None:
        """Start at a time."""
        self._now_s = now_s

    def __call__(self) -> float:
        """Present time in seconds."""
        return self._now_s

    def advance(self, seconds: float) -> None:
        """Move on."""
        self._now_s += seconds


class ScriptedSource:
    """A `FrameSource` that hands out given frames in order, raises given errors, then ends."""

    fps = 30.0

    def __init__(self, script: Iterable[Frame | Exception], *, live: bool = False) -> None:
        """Take frames, and errors to raise in their place."""
        self._script = iter(script)
        self.live = live
        self.dropped = 0
        self.closed = False
        self._last_s = 0.0

    def newest(self, timeout_s: float) -> Frame:
        """Return the next frame at once.

        Raises:
            SourceEnded: the script is over.
        """
        step = next(self._script, None)
        if step is None:
            raise SourceEnded("the script is over")
        if isinstance(step, Exception):
            raise step
        self._last_s = step.captured_s
        return step

    def now_s(self) -> float:
        """`captured_s` of the last frame; 0 before the first."""
        return self._last_s

    def close(self) -> None:
        """Note that the source was closed."""
        self.closed = True


class MemorySink:
    """A `Sink` that keeps what it is told."""

    name = "memory"

    def __init__(self) -> None:
        """Start empty."""
        self.messages: list[Message] = []
        self.closed = False

    def publish(self, message: Message) -> None:
        """Keep one message."""
        self.messages.append(message)

    def fault(self) -> str | None:
        """Never at fault."""
        return None

    def figures(self) -> Mapping[str, float]:
        """Nothing to tell."""
        return {}

    def close(self) -> None:
        """Note that the sink was closed."""
        self.closed = True
