"""The level of the ladder, decided from the device's sensors and the latencies. Pure: time is a parameter.

Device and load each say whether the level in force should rise and whether it may fall. It rises when either
asks for it and falls when both allow it, one step at a time: so the higher of the two wishes holds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dms.config import ControlConfig
from dms.control.device import Device, Push
from dms.control.levels import LEVELS, TOP
from dms.control.pace import Clock, Lasting, Pace
from dms.control.strain import Load, Strain
from dms.records import DeviceReading

__all__ = ["Decision", "Load", "Policy"]

RATE_LIMIT = "rate_limit"


@dataclass(frozen=True, slots=True)
class Decision:
    """The level from now on, why (stable code, sentence), and whether it is held where it is."""

    level: int
    previous: int
    cause: str
    detail: str
    held: bool = False


class Policy:
    """Walks the ladder.

    Args:
        config: what can be set.
        budget_s: time from capture to judgement that a frame may take.
        costs: what each level costs relative to level 0, measured on this device.

    Raises:
        ValueError: `costs` is not one positive number a level.
    """

    def __init__(self, config: ControlConfig, budget_s: float, costs: Sequence[float]) -> None:
        if len(costs) != len(LEVELS) or not all(0 < cost < math.inf for cost in costs):
            raise ValueError(
                f"one positive cost for each of {len(LEVELS)} levels is needed, not {list(costs)}"
            )
        self._device = Device(config)
        self._strain = Strain(config, budget_s, costs)
        self._pace = Pace(config)
        self._clock = Clock(config.every_s)
        self._calm = Lasting()
        self._level = 0
        self._last: Decision | None = None

    @property
    def level(self) -> int:
        """The level in force."""
        return self._level

    def update(self, now_s: float, reading: DeviceReading | None, load: Load) -> Decision:
        """Decide anew.

        Args:
            now_s: seconds on a clock that may jump and run back: only what passes evenly counts.
            reading: the newest there is, which may be the last one again; None where there is none.
            load: how the loop fared of late.
        """
        watched_s = self._clock.update(now_s)
        self._device.update(watched_s, reading)
        self._strain.update(watched_s, load, self._device.reading)
        self._pace.update(watched_s)
        self._last = self._step(watched_s) or self._stay()
        return self._last

    def troubles(self) -> Mapping[str, str]:
        """What a person must know of: by a stable code, a sentence with the cure."""
        troubles = self._device.troubles(self._level)
        if self._level == TOP:
            troubles["reduced"] = (
                f"level {TOP}: {LEVELS[TOP].title}; cool the device or take other work off it"
            )
            if self._device.is_at_trip():
                troubles["overheating"] = (
                    f"{self._device.told_heat()}, and there is no lower level; cool the device: fan, shade, "
                    "a lower power mode"
                )
        if self._pace.held:
            troubles["level_held"] = (
                f"level {self._level} is held after too many changes within a minute; look for what changes "
                "the load so often, or raise control.changes_per_min"
            )
        return troubles

    def _step(self, now_s: float) -> Decision | None:
        push = self._device.push(self._level) or self._strain.push()
        calm_s = self._calm.update(now_s, push is None and self._may_fall())
        if push is not None:
            return self._rise(now_s, push)
        return self._fall(now_s, calm_s) if self._pace.may_fall(calm_s) else None

    def _may_fall(self) -> bool:
        level = self._level
        return level > 0 and self._device.lets_fall(level) and self._strain.lets_fall(level)

    def _rise(self, now_s: float, push: Push) -> Decision | None:
        if self._level == TOP:
            self._device.acted()
            return None
        if not self._pace.may_rise(now_s, urgent=push.urgent):
            return None
        self._pace.rose(now_s)
        self._device.acted()
        return self._moved(self._level + 1, push.cause, push.detail)

    def _fall(self, now_s: float, calm_s: float) -> Decision:
        self._pace.fell(now_s)
        return self._moved(
            self._level - 1, "recovered", f"calm for {calm_s:.0f} s; {self._device.told_heat()}"
        )

    def _moved(self, level: int, cause: str, detail: str) -> Decision:
        previous, self._level = self._level, level
        self._calm = Lasting()
        self._strain.restart()
        return Decision(level, previous, cause, detail)

    def _stay(self) -> Decision:
        last = self._last or Decision(0, 0, "start", self._device.told_heat())
        held_by = self._held_by()
        if held_by is not None and (not last.held or held_by != last.cause):
            return Decision(self._level, self._level, held_by, self._held_told(held_by), held=True)
        if held_by is None and last.held:
            return Decision(self._level, self._level, "released", "the level is free to change again")
        return replace(last, previous=self._level)

    def _held_by(self) -> str | None:
        if self._pace.held:
            return RATE_LIMIT
        return self._device.lost if self._level else None

    def _held_told(self, held_by: str) -> str:
        if held_by == RATE_LIMIT:
            return "too many changes within a minute"
        return self._device.troubles(self._level)[held_by]
