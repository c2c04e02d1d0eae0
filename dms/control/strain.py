"""What the load says for and against a level: latency, lost frames, waiting tasks. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dms.config import ControlConfig
from dms.control.device import LASTS_S, Push
from dms.control.pace import Lasting
from dms.records import DeviceReading

DROPS_ABOVE = 0.05
"""Share of frames lost to slowness above which the level rises: three of two seconds at 30 fps."""
DROPS_BACK = 0.01
"""Share of lost frames above which it does not fall."""
PRESSURE_BACK = 0.5
"""Share of time in which tasks waited for a processor (PSI) above which it does not fall. A guess."""
LOAD_BACK = 0.9
"""Load of processor or GPU above which it does not fall. A guess."""


@dataclass(frozen=True, slots=True)
class Load:
    """How the loop fared of late: 95th percentile of latency, share of frames lost to slowness.

    None is unknown: nothing was judged. What the level itself passes over is no loss.
    """

    latency_p95_s: float | None
    drop_ratio: float | None


class Strain:
    """What pushes the level up, and whether it may fall, by what the loop and the machine have to do."""

    def __init__(self, config: ControlConfig, budget_s: float, costs: Sequence[float]) -> None:
        self._late_s = config.late_above * budget_s
        self._in_time_s = config.in_time_below * budget_s
        # What is only expected may come halfway to being late: a wrong guess costs one relapse, while too
        # much care would keep a device at a level for good.
        self._expected_s = (self._in_time_s + self._late_s) / 2
        self._costs = costs
        self._latency, self._drops = Lasting(), Lasting()
        self._late_for_s = self._dropping_for_s = -math.inf
        self._load = Load(None, None)
        self._busy = False

    def update(self, now_s: float, load: Load, reading: DeviceReading | None) -> None:
        """Take the newest figures of loop and machine."""
        self._load = Load(_known(load.latency_p95_s), _known(load.drop_ratio))
        late = self._load.latency_p95_s is not None and self._load.latency_p95_s > self._late_s
        dropping = self._load.drop_ratio is not None and self._load.drop_ratio > DROPS_ABOVE
        self._late_for_s = self._latency.update(now_s, late)
        self._dropping_for_s = self._drops.update(now_s, dropping)
        self._busy = reading is not None and _is_busy(reading)

    def push(self) -> Push | None:
        """Why the level should rise; None: no reason."""
        if self._late_for_s >= LASTS_S and self._load.latency_p95_s is not None:
            took_ms, limit_ms = 1e3 * self._load.latency_p95_s, 1e3 * self._late_s
            return Push("latency", f"judgements take {took_ms:.1f} ms (p95), more than {limit_ms:.1f}", False)
        if self._dropping_for_s >= LASTS_S and self._load.drop_ratio is not None:
            return Push(
                "drops",
                f"{100 * self._load.drop_ratio:.0f} % of the frames are lost: the loop is not free in time",
                False,
            )
        return None

    def lets_fall(self, level: int) -> bool:
        """Whether this level is in time and the one below would be, by what it costs. Unknown is neither."""
        if self._load.latency_p95_s is None or (self._load.drop_ratio or 0.0) > DROPS_BACK or self._busy:
            return False
        dearer = max(1.0, self._costs[level - 1] / self._costs[level])
        p95_s = self._load.latency_p95_s
        return p95_s < self._in_time_s and p95_s * dearer < self._expected_s

    def restart(self) -> None:
        """The level changed: what was measured before tells nothing of the new one."""
        self._latency, self._drops = Lasting(), Lasting()


def _known(value: float | None) -> float | None:
    return value if value is not None and value >= 0 else None


def _is_busy(reading: DeviceReading) -> bool:
    """Whether others wait for the machine; what it does not tell is left to the latencies."""
    loads = (load for load in (reading.cpu_load, reading.gpu_load) if load is not None)
    return max(loads, default=0.0) > LOAD_BACK or (reading.pressure or 0.0) > PRESSURE_BACK
