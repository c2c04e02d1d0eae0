"""Lets the policy decide every so often, between two frames, and brings its decisions into force."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Protocol

from dms.control.levels import LEVELS, Level
from dms.control.policy import Decision, Load
from dms.records import DeviceReading


class Decides(Protocol):
    """What is asked of a policy: see `policy.Policy`, or one that several cameras share."""

    @property
    def level(self) -> int:
        """The level in force."""
        ...

    def update(self, now_s: float, reading: DeviceReading | None, load: Load) -> Decision:
        """Decide anew."""
        ...

    def troubles(self) -> Mapping[str, str]:
        """What a person must know of."""
        ...


class Governor:
    """Called by the loop at every frame boundary; it starts no thread and waits for nothing.

    Args:
        policy: decides.
        read: the newest reading of the device; must return at once.
        change: brings a level into force; called on the caller's thread.
        every_s: seconds between two decisions.
    """

    def __init__(
        self,
        policy: Decides,
        read: Callable[[], DeviceReading | None],
        change: Callable[[Level], None],
        every_s: float,
    ) -> None:
        self._policy = policy
        self._read = read
        self._change = change
        self._every_s = every_s
        self._ticked_s = -math.inf
        self._reading: DeviceReading | None = None
        self._told: Decision | None = None

    @property
    def level(self) -> int:
        """The level in force."""
        return self._policy.level

    @property
    def reading(self) -> DeviceReading | None:
        """What the last decision was made by."""
        return self._reading

    def tick(self, now_s: float, load: Callable[[], Load]) -> Decision | None:
        """Decide, if it is time; `load` is asked only then.

        Returns:
            What is new: the first decision, a change of level, the begin or end of a hold; else None.
        """
        # A clock that ran back must not stop the decisions until it has caught up.
        if 0 <= now_s - self._ticked_s < self._every_s:
            return None
        self._ticked_s = now_s
        self._reading = self._read()
        decision = self._policy.update(now_s, self._reading, load())
        if decision.level != decision.previous:
            self._change(LEVELS[decision.level])
        return decision if self._is_news(decision) else None

    def troubles(self) -> Mapping[str, str]:
        """What a person must know of: by a stable code, a sentence with the cure."""
        return self._policy.troubles()

    def _is_news(self, decision: Decision) -> bool:
        told, self._told = self._told, decision
        return told is None or (told.level, told.cause, told.held) != (
            decision.level,
            decision.cause,
            decision.held,
        )
