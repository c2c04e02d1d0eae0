"""One policy for all cameras of a device: it hears of the worst off; each camera follows at its own frame."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace

from dms.control.policy import Decision, Load, Policy
from dms.records import DeviceReading

FORGET_AFTER = 6
"""Intervals after which what a camera told of its load counts no more: it ended, or it hangs."""


class SharedPolicy:
    """Wraps the policy of the device, for callers in several threads.

    Args:
        policy: of the device; nobody else may use it.
        budget_s: the one that `policy` was given; latencies of cameras with another are put in proportion.
        every_s: seconds between two decisions.
    """

    def __init__(self, policy: Policy, budget_s: float, every_s: float) -> None:
        self._policy = policy
        self._budget_s = budget_s
        self._every_s = every_s
        self._lock = threading.Lock()
        self._loads: dict[str, tuple[float, Load]] = {}
        self._decided_s = -math.inf
        self._last: Decision | None = None

    def of(self, camera: str, budget_s: float) -> CameraPolicy:
        """The policy as one camera sees it, whose frames may take `budget_s`."""
        return CameraPolicy(self, camera, self._budget_s / budget_s)

    def update(self, camera: str, now_s: float, reading: DeviceReading | None, load: Load) -> Decision:
        """Note the load of a camera, and decide anew if it is time."""
        with self._lock:
            self._loads[camera] = now_s, load
            # A thread may come to the lock after one that asked later: that is no clock set back.
            if self._last is None or now_s - self._decided_s >= self._every_s:
                self._decided_s = now_s
                self._last = self._policy.update(now_s, reading, worst(self._fresh(now_s)))
            return self._last

    def troubles(self) -> Mapping[str, str]:
        """See `Policy.troubles`."""
        with self._lock:
            return self._policy.troubles()

    def _fresh(self, now_s: float) -> list[Load]:
        oldest_s = now_s - FORGET_AFTER * self._every_s
        return [load for told_s, load in self._loads.values() if told_s >= oldest_s]


class CameraPolicy:
    """What the governor of one camera asks: the shared decision, and from which level this camera comes."""

    def __init__(self, shared: SharedPolicy, camera: str, scale: float) -> None:
        self._shared = shared
        self._camera = camera
        self._scale = scale
        self._level = 0

    @property
    def level(self) -> int:
        """The level in force for this camera."""
        return self._level

    def update(self, now_s: float, reading: DeviceReading | None, load: Load) -> Decision:
        """Decide anew; see `Policy.update`. `previous` is the level this camera comes from."""
        if load.latency_p95_s is not None:
            load = replace(load, latency_p95_s=load.latency_p95_s * self._scale)
        decision = self._shared.update(self._camera, now_s, reading, load)
        previous, self._level = self._level, decision.level
        return replace(decision, previous=previous)

    def troubles(self) -> Mapping[str, str]:
        """See `Policy.troubles`."""
        return self._shared.troubles()


def worst(loads: Iterable[Load]) -> Load:
    """The highest latency and the highest drop ratio that are known."""
    known = list(loads)
    return Load(
        max((load.latency_p95_s for load in known if load.latency_p95_s is not None), default=None),
        max((load.drop_ratio for load in known if load.drop_ratio is not None), default=None),
    )
