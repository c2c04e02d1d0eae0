"""Measures of time, taken from timestamps only.

One rule holds for all of them: what was not seen is not counted. An interval counts when both its ends were
seen and it is short enough to trust (`Tick.joined`); everything else is unknown time.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from dms.assess.signals import NOTHING, UNKNOWN
from dms.records import Signal

ROUNDING_S = 1e-6
"""Two times meant to be equal may differ this much by floating point."""


@dataclass(frozen=True, slots=True)
class Tick:
    """The present moment and the interval since the one before it.

    `joined` is False where the interval is too long, or runs backwards, to say what happened within.
    """

    now_s: float
    last_s: float
    elapsed_s: float
    joined: bool


class Hysteresis:
    """Yes above one limit, no below a lower one, unchanged in between."""

    def __init__(self, on_above: float, off_below: float) -> None:
        """Take the two limits, `on_above >= off_below`."""
        self._on_above = on_above
        self._off_below = off_below
        self.on = False

    def update(self, value: float) -> bool:
        """Take a finite value, return the decision."""
        self.on = value > self._on_above if not self.on else value >= self._off_below
        return self.on


FILTER_MEMORY = 3.0
"""After three time constants 5 % of a value is left."""


class LowPass:
    """First-order low-pass filter that knows how much time has passed.

    After an unseen stretch of more than `FILTER_MEMORY` time constants it starts anew.
    """

    def __init__(self, time_constant_s: float) -> None:
        """Take the time constant in seconds."""
        self._time_constant_s = time_constant_s
        self._value: float | None = None
        self._unseen_s = 0.0

    def skip(self, elapsed_s: float) -> None:
        """Note that `elapsed_s` passed without a value."""
        self._unseen_s += elapsed_s
        if self._unseen_s > FILTER_MEMORY * self._time_constant_s:
            self._value = None

    def update(self, elapsed_s: float, value: float) -> float:
        """Take a finite value, seen `elapsed_s` after the last one; return the filtered one."""
        self._unseen_s = 0.0
        if self._value is None:
            self._value = value
        self._value += (1 - math.exp(-elapsed_s / self._time_constant_s)) * (value - self._value)
        return self._value


class Timer:
    """How long a condition has lasted, in seconds of seen time.

    A contrary stretch of up to `bridge_s` does not end it. Unknown time freezes it; a stretch of it above
    `forget_after_s` empties it. Its signal is unknown once more than `unknown_after_s` went unseen; seen time
    pays that back, so that a condition seen on every other frame only does not pass for a known one.
    """

    def __init__(self, bridge_s: float, unknown_after_s: float, forget_after_s: float) -> None:
        """Take the three limits in seconds."""
        self.bridge_s = bridge_s
        self._unknown_after_s = unknown_after_s
        self._forget_after_s = forget_after_s
        self._was: bool | None = None
        self._contrary_since_s: float | None = None
        self._unseen_s = 0.0  # unknown time inside the present episode
        self._stretch_s = math.inf  # length of the present unknown stretch; never seen = for ever
        self._doubt_s = math.inf  # unseen time not yet paid back
        self.seconds = 0.0
        self.onset_s: float | None = None
        self.ended_s: float | None = None
        """Length of the episode whose end the last update found, None if it found none."""

    @property
    def known(self) -> bool:
        """Whether the condition was seen recently enough to speak of it."""
        return self._doubt_s <= self._unknown_after_s + ROUNDING_S

    def signal(self) -> Signal:
        """Seconds and onset, or unknown."""
        if self.onset_s is None:
            return NOTHING if self.known else UNKNOWN
        return Signal(self.seconds if self.known else None, self.onset_s)

    def update(self, tick: Tick, state: bool | None, since_s: float | None = None) -> None:
        """Take the condition as it is now; `since_s` sets back the onset where it was confirmed late."""
        if state is not None and self._was is not None and tick.joined:
            if self._doubt_s > 0.0:
                self._doubt_s = max(0.0, min(self._doubt_s, self._unknown_after_s) - tick.elapsed_s)
        else:
            self._note_unseen(tick.elapsed_s)
        self._was = state
        self.ended_s = None
        if state is None:
            return
        self._stretch_s = 0.0
        if not state and self.onset_s is None:
            return
        begin_s = tick.now_s if since_s is None else since_s
        self._end(begin_s, state)
        if state:
            self._run(tick.now_s, begin_s)

    def reset(self) -> None:
        """End the present episode."""
        self.onset_s = self._contrary_since_s = None
        self.seconds = self._unseen_s = 0.0

    def _note_unseen(self, elapsed_s: float) -> None:
        self._doubt_s += elapsed_s
        self._unseen_s += elapsed_s
        self._stretch_s += elapsed_s
        if self._stretch_s > self._forget_after_s + ROUNDING_S:
            self.reset()

    def _end(self, begin_s: float, state: bool) -> None:
        """End the episode if the contrary has lasted too long."""
        if self.onset_s is None:
            return
        if not state and self._contrary_since_s is None:
            self._contrary_since_s = begin_s
        if self._contrary_since_s is None:
            return
        contrary_s = begin_s - self._contrary_since_s
        if contrary_s > self.bridge_s + ROUNDING_S or (not state and self.bridge_s == 0):
            ended_s = self._contrary_since_s - self.onset_s - self._unseen_s
            self.reset()
            self.ended_s = ended_s

    def _run(self, now_s: float, begin_s: float) -> None:
        self._contrary_since_s = None
        if self.onset_s is None:
            self.onset_s = begin_s
            self._unseen_s = 0.0
        self.seconds = now_s - self.onset_s - self._unseen_s


class TimeWindow:
    """Seconds of yes within the last `window_s`, kept as a running sum."""

    def __init__(self, window_s: float) -> None:
        """Take the length of the window."""
        self._window_s = window_s
        self._stretches: deque[list[float]] = deque()
        self.seconds = 0.0

    @property
    def onset_s(self) -> float | None:
        """Beginning of the oldest yes in the window."""
        return self._stretches[0][0] if self._stretches else None

    def add(self, start_s: float, end_s: float) -> None:
        """Count the stretch from `start_s` to `end_s`; stretches come in order and do not overlap."""
        if end_s <= start_s:
            return
        if self._stretches and self._stretches[-1][1] == start_s:
            self._stretches[-1][1] = end_s
        else:
            self._stretches.append([start_s, end_s])
        self.seconds += end_s - start_s

    def expire(self, now_s: float) -> None:
        """Let go of what lies before the window."""
        edge_s = now_s - self._window_s
        stretches = self._stretches
        while stretches and stretches[0][1] <= edge_s:
            start_s, end_s = stretches.popleft()
            self.seconds -= end_s - start_s
        if stretches and stretches[0][0] < edge_s:
            self.seconds -= edge_s - stretches[0][0]
            stretches[0][0] = edge_s
        if not stretches:
            self.seconds = 0.0

    def clear(self) -> None:
        """Start from zero."""
        self._stretches.clear()
        self.seconds = 0.0


class EventWindow:
    """Count and sum of what happened within the last `window_s`."""

    def __init__(self, window_s: float) -> None:
        """Take the length of the window."""
        self._window_s = window_s
        self._events: deque[tuple[float, float]] = deque()
        self.total = 0.0

    def __len__(self) -> int:
        """Events in the window."""
        return len(self._events)

    def add(self, now_s: float, value: float = 1.0) -> None:
        """Note one event of a size."""
        self._events.append((now_s, value))
        self.total += value

    def expire(self, now_s: float) -> None:
        """Let go of what lies before the window."""
        while self._events and self._events[0][0] <= now_s - self._window_s:
            self.total -= self._events.popleft()[1]
