"""What waits for the broker: bounded, in order, the newest first where only the newest counts."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Packet:
    """One message for the broker. Retained ones replace each other, the others all count."""

    topic: str
    payload: str
    retain: bool


@dataclass(slots=True)
class _Lane:
    waiting: deque[Packet]
    taken_s: float | None = None
    """Since when, on the monotonic clock, a packet has been under way; None when none is."""
    last: Packet | None = None


@dataclass(slots=True)
class Outbox:
    """Lanes of packets; thread-safe; never waits except in `wait_empty`.

    A lane has at most one packet under way to the broker. So nothing overtakes within a lane, not even what
    is sent again after a lost connection, and a stale value can never replace a newer one.

    Args:
        limit: events kept; when one more comes the oldest is dropped and counted.
    """

    limit: int
    dropped: int = 0
    _lanes: dict[str, _Lane] = field(default_factory=dict)
    _lane_of_mid: dict[int, _Lane] = field(default_factory=dict)
    _early: set[int] = field(default_factory=set)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def put_newest(self, packet: Packet) -> None:
        """Queue a packet that replaces the one still waiting for its topic."""
        with self._changed:
            lane = self._lanes.setdefault(packet.topic, _Lane(deque(maxlen=1)))
            lane.waiting.append(packet)
            lane.last = packet

    def put_event(self, packet: Packet) -> bool:
        """Queue a packet that must arrive, in order; False when the oldest had to go for it."""
        with self._changed:
            lane = self._lanes.setdefault("", _Lane(deque(maxlen=self.limit)))
            full = len(lane.waiting) == self.limit
            lane.waiting.append(packet)
            self.dropped += full
            return not full

    def take(self) -> Packet | None:
        """The next packet of a free lane, which is busy until `confirm`; None when there is nothing to do."""
        with self._changed:
            for lane in self._lanes.values():
                if lane.waiting and lane.taken_s is None:
                    lane.taken_s = time.monotonic()
                    return lane.waiting.popleft()
        return None

    def sent(self, packet: Packet, mid: int) -> None:
        """Note under which message id a taken packet went out."""
        with self._changed:
            lane = self._lanes[packet.topic if packet.topic in self._lanes else ""]
            if mid in self._early:
                self._early.discard(mid)
                self._free(lane)
            else:
                self._lane_of_mid[mid] = lane

    def confirm(self, mid: int) -> None:
        """The broker has the message. It may say so before `sent` was told, on another thread."""
        with self._changed:
            lane = self._lane_of_mid.pop(mid, None)
            if lane is None:
                self._early.add(mid)
            else:
                self._free(lane)

    def renew(self) -> None:
        """Queue the last retained packet of every idle topic again: a broker that restarted forgot them."""
        with self._changed:
            for lane in self._lanes.values():
                if lane.last and lane.last.retain and not lane.waiting and lane.taken_s is None:
                    lane.waiting.append(lane.last)

    def events_waiting(self) -> int:
        """Events not confirmed by the broker yet."""
        with self._changed:
            lane = self._lanes.get("")
            return len(lane.waiting) + (lane.taken_s is not None) if lane else 0

    def unconfirmed_s(self) -> float:
        """For how many seconds the broker has owed the oldest confirmation; 0 when it owes none."""
        with self._changed:
            taken = [lane.taken_s for lane in self._lanes.values() if lane.taken_s is not None]
        return time.monotonic() - min(taken) if taken else 0.0

    def wait_empty(self, timeout_s: float) -> bool:
        """Wait until the broker has everything; False when it has not in time."""
        with self._changed:
            return self._changed.wait_for(self._is_empty, timeout_s)

    def _is_empty(self) -> bool:
        return not any(lane.waiting or lane.taken_s is not None for lane in self._lanes.values())

    def _free(self, lane: _Lane) -> None:
        lane.taken_s = None
        self._changed.notify_all()
