"""How device, controller and process fare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


@dataclass(frozen=True, slots=True)
class DeviceReading:
    """What the device tells of itself at one moment. None, or no entry, is unknown: never cool, never idle.

    `read_s` is on the machine's monotonic clock. `trip_c` is the temperature from which the device slows its
    clocks down, by its own trip points. `throttled_by` names what holds clocks down now. `over_current`
    counts the events that must not be, since the start of the device. `pressure` is the share of the last ten
    seconds in which some task waited for a processor (PSI), 0 to 1; loads are 0 to 1.
    """

    read_s: float
    temperatures_c: Mapping[str, float | None] = field(default_factory=dict)
    trip_c: float | None = None
    throttled_by: tuple[str, ...] | None = None
    over_current: int | None = None
    board_w: float | None = None
    cpu_load: float | None = None
    gpu_load: float | None = None
    pressure: float | None = None

    @property
    def hottest_c(self) -> float | None:
        """The hottest zone that could be read; Celsius."""
        return max((c for c in self.temperatures_c.values() if c is not None), default=None)


@dataclass(frozen=True, slots=True)
class Control:
    """What the controller decided: told at the start and at every change.

    `level` runs from 0, all that is configured, to 4, the least that still judges (`control.levels`).
    `cause` is a stable code, `detail` a sentence for a person. `held` tells that the level stays where it is,
    because it changed too often or because a sensor it must know is lost.
    """

    captured_s: float
    level: int
    previous: int
    cause: str
    detail: str
    held: bool = False


@dataclass(frozen=True, slots=True)
class Vitals:
    """How the process itself fares, over the last window.

    Latencies are seconds to the judgement: from the capture for live sources and for recordings played at
    their pace, from the moment the frame was handed out for the others. `waited_p95_s` is how old frames were
    when their judgement began. These three are None when no frame was judged in the window.

    `drops` counts frames never judged since the start, by reason: `newer` (another came before the loop was
    free), `late` (too old to be judged in time), `level` (the controller asked for fewer), `failed` (the
    pipeline broke on it). `cpu_share` is what this process took of one core. `sinks` holds what each sink
    tells of itself.
    """

    captured_s: float
    frames: int
    drops: Mapping[str, int]
    fps: float
    latency_p50_s: float | None
    latency_p95_s: float | None
    waited_p95_s: float | None
    stage_p50_s: Mapping[str, float]
    stage_p95_s: Mapping[str, float]
    rss_bytes: int
    cpu_share: float
    level: int = 0
    device: DeviceReading | None = None
    sinks: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def dropped(self) -> int:
        """Frames never judged, whatever the reason."""
        return sum(self.drops.values())


class HealthState(str, Enum):
    """Whether the system can do its work."""

    OK = "ok"
    DEGRADED = "degraded"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Health:
    """The system's health after a change. `causes` maps a stable code to a sentence for a person."""

    captured_s: float
    state: HealthState
    causes: Mapping[str, str] = field(default_factory=dict)
