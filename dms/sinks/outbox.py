"""What waits for the broker: bounded, in order, the newest first where only the newest counts."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Packet:
    """One message for the broker. Retained ones replace each other, the others all count.

    `captured_s` is when what it tells of was captured, on the clock of the source; None where its way to the
    broker is not to be timed. `queued_s`, on the monotonic clock, is since when the broker has lacked it or
    the one it replaced.
    """

    topic: str
    payload: str
    retain: bool
    captured_s: float | None = None
    queued_s: float = field(default_factory=time.monotonic, compare=False)


@dataclass(slots=True)
class _Lane:
    waiting: deque[Packet]
    taken: Packet | None = None
    """The packet under way to the broker."""
    taken_s: float = 0.0
    """Since when it has been, on the monotonic clock."""
    last: Packet | None = None


@dataclass(slots=True)
class Outbox:
    """Lanes of packets; thread-safe; never waits except in `wait_empty`.

    A lane has at most one packet under way to the broker. So nothing overtakes within a lane, not even what
    is sent again after a lost connection, and a stale value can never replace a newer one.

    Args:
        limit: events kept; when one more comes the oldest is dropped and counted.
        arrived: told of each packet the broker has taken, with the lock held: it must return at once.
    """

    limit: int
    arrived: Callable[[Packet], None] = lambda packet: None
    dropped: int = 0
    _lanes: dict[str, _Lane] = field(default_factory=dict)
    _lane_of_mid: dict[int, _Lane] = field(default_factory=dict)
    _early: dict[int, bool] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def put_newest(self, packet: Packet) -> None:
        """Queue a packet that replaces the one still waiting for its topic."""
        with self._changed:
            lane = self._lanes.setdefault(packet.topic, _Lane(deque(maxlen=1)))
            if lane.waiting:
                packet = replace(packet, queued_s=lane.waiting[0].queued_s)
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
                if lane.waiting and lane.taken is None:
                    lane.taken, lane.taken_s = lane.waiting.popleft(), time.monotonic()
                    return lane.taken
        return None

    def sent(self, packet: Packet, mid: int) -> None:
        """Note under which message id a taken packet went out."""
        with self._changed:
            lane = self._lanes[packet.topic if packet.topic in self._lanes else ""]
            if mid in self._early:
                self._free(lane, accepted=self._early.pop(mid))
            else:
                self._lane_of_mid[mid] = lane

    def confirm(self, mid: int, *, accepted: bool = True) -> None:
        """The broker has answered. It may do so before `sent` was told, on another thread."""
        with self._changed:
            lane = self._lane_of_mid.pop(mid, None)
            if lane is None:
                self._early[mid] = accepted
            else:
                self._free(lane, accepted=accepted)

    def renew(self) -> None:
        """Queue the last retained packet of every idle topic again: a broker that restarted forgot them."""
        with self._changed:
            for lane in self._lanes.values():
                if lane.last and lane.last.retain and not lane.waiting and lane.taken is None:
                    lane.waiting.append(replace(lane.last, captured_s=None, queued_s=time.monotonic()))

    def events_waiting(self) -> int:
        """Events not confirmed by the broker yet."""
        with self._changed:
            lane = self._lanes.get("")
            return len(lane.waiting) + (lane.taken is not None) if lane else 0

    def unconfirmed_s(self) -> float:
        """For how many seconds the broker has owed the oldest confirmation; 0 when it owes none."""
        with self._changed:
            taken = [lane.taken_s for lane in self._lanes.values() if lane.taken]
        return time.monotonic() - min(taken) if taken else 0.0

    def oldest_s(self) -> float:
        """For how many seconds the broker has lacked the oldest of all that waits; 0 when nothing does."""
        with self._changed:
            lacked = [
                lane.taken or lane.waiting[0] for lane in self._lanes.values() if lane.taken or lane.waiting
            ]
        return time.monotonic() - min(packet.queued_s for packet in lacked) if lacked else 0.0

    def wait_empty(self, timeout_s: float) -> bool:
        """Wait until the broker has everything; False when it has not in time."""
        with self._changed:
            return self._changed.wait_for(self._is_empty, timeout_s)

    def _is_empty(self) -> bool:
        return not any(lane.waiting or lane.taken for lane in self._lanes.values())

    def _free(self, lane: _Lane, *, accepted: bool) -> None:
        if accepted and lane.taken:
            self.arrived(lane.taken)
        lane.taken = None
        self._changed.notify_all()
