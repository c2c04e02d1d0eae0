"""How long it took from the capture of a frame until the broker had what was concluded from it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

import numpy as np

from dms.sinks.outbox import Packet

AgeOf = Callable[[float], float | None]
"""Takes a `captured_s` of the source; tells how many seconds ago that was, None where nobody knows."""
WINDOW_S = 60.0
"""What was confirmed longer ago than this no longer speaks for the way to the broker."""
MAX_KEPT = 2000
"""A minute of states at their highest rate, 30 Hz."""


class AckTimes:
    """Percentiles over the last minute, apart for events and states. Noted on one thread, read on another."""

    def __init__(self, age_of: AgeOf, clock: Callable[[], float] = time.monotonic) -> None:
        self._age_of = age_of
        self._clock = clock
        self._kept: dict[bool, deque[tuple[float, float]]] = {
            retain: deque(maxlen=MAX_KEPT) for retain in (False, True)
        }

    def note(self, packet: Packet) -> None:
        """The broker has confirmed a packet just now."""
        if packet.captured_s is None:
            return
        age_s = self._age_of(packet.captured_s)
        if age_s is not None and age_s >= 0:
            self._kept[packet.retain].append((self._clock(), age_s))

    def figures(self) -> dict[str, float]:
        """Percentiles by name, seconds; none where nothing was confirmed lately, which is unknown."""
        told: dict[str, float] = {}
        since_s = self._clock() - WINDOW_S
        for retain, kept in self._kept.items():
            ages_s = [age_s for noted_s, age_s in tuple(kept) if noted_s >= since_s]
            if ages_s:
                kind = "state" if retain else "event"
                p50_s, p95_s = np.percentile(ages_s, (50, 95))
                told |= {f"{kind}_ack_p50_s": float(p50_s), f"{kind}_ack_p95_s": float(p95_s)}
        return told
