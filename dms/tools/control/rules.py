"""The rules compared in simulation: the controller that ships, a fixed setting, and the naive one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from dms.control.governor import Governor
from dms.control.levels import LEVELS, Level
from dms.control.policy import Load, Policy
from dms.records import DeviceReading

NAIVE_ABOVE, NAIVE_EVERY_S = 0.7, 0.5
INT8 = replace(LEVELS[0], title="the cheapest engines", cheapest=True)
"""All that the naive rule knows beside level 0."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change, and why. `cheapest` tells the naive rule's two settings apart: both are level 0."""

    at_s: float
    level: int
    previous: int
    cause: str
    detail: str


class Rule(Protocol):
    """Looks at the device now and then, and may change the level."""

    level: Level
    changes: list[Change]

    def look(self, now_s: float, reading: DeviceReading, loop_load: float) -> None:
        """Decide; `loop_load` is the share of the time since the last look in which the loop was busy."""
        ...


class Fixed:
    """One level whatever comes."""

    def __init__(self, level: Level) -> None:
        """`level` is in force from the start."""
        self.level = level
        self.changes: list[Change] = []

    def look(self, now_s: float, reading: DeviceReading, loop_load: float) -> None:
        """Nothing to decide."""


class Naive:
    """INT8 while the loop's core or the whole processor is loaded above 70 %, else the best engines."""

    def __init__(self, use: Callable[[Level], None]) -> None:
        """`use` puts a level into force."""
        self.level = LEVELS[0]
        self.changes: list[Change] = []
        self._use = use
        self._loads: list[float] = []
        self._next_s = 0.0

    def look(self, now_s: float, reading: DeviceReading, loop_load: float) -> None:
        """Decide by the mean load since the last decision."""
        self._loads.append(max(loop_load, reading.cpu_load or 0.0))
        if now_s < self._next_s:
            return
        self._next_s = now_s + NAIVE_EVERY_S
        load, self._loads = sum(self._loads) / len(self._loads), []
        wanted = INT8 if load > NAIVE_ABOVE else LEVELS[0]
        if wanted is not self.level:
            self.changes.append(
                Change(now_s, int(wanted.cheapest), int(self.level.cheapest), "load", f"{load:.2f}")
            )
            self.level = wanted
            self._use(wanted)


class Controlled:
    """The controller that ships, with its own governor and policy."""

    def __init__(
        self, policy: Policy, load: Callable[[float], Load], use: Callable[[Level], None], every_s: float
    ) -> None:
        """`load` sums up the last seconds before a moment; `use` puts a level into force."""
        self.level = LEVELS[0]
        self.changes: list[Change] = []
        self._use = use
        self._load = load
        self._reading: DeviceReading | None = None
        self._governor = Governor(policy, lambda: self._reading, self._change, every_s)

    def look(self, now_s: float, reading: DeviceReading, loop_load: float) -> None:
        """Let the governor look, and note what it decided."""
        self._reading = reading
        decided = self._governor.tick(now_s, lambda: self._load(now_s))
        if decided is not None and decided.level != decided.previous:
            self.changes.append(Change(now_s, decided.level, decided.previous, decided.cause, decided.detail))

    def _change(self, level: Level) -> None:
        self.level = level
        self._use(level)
