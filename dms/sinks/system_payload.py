"""What is told of the system, as plain JSON values: pure, versioned, without a clock or an identity.

Every document names its `schema`. Numbers are rounded; NaN and infinity become null, which reads as unknown.
`epoch_offset_s` is what must be added to the source's clock to get Unix time; None where nobody knows
(recordings), and then every `ts` is null.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from dms import __version__
from dms.control.levels import LEVELS
from dms.records import Control, DeviceReading, Health, HealthState, Vitals
from dms.sinks.values import Document, ms, number, utc

ENDED, ENDED_DETAIL = "ended", "The run ended."

_UNREAD = DeviceReading(math.nan)
_CHEAPEST_FROM = next(level.number for level in LEVELS if level.cheapest)


@dataclass(frozen=True, slots=True)
class Origin:
    """What the messages come from: the version of the software and of each engine, with its precision.

    `cheapest` names the engines that run in the place of those of the same name at levels that ask for it.
    """

    software: str = f"dms {__version__}"
    engines: Mapping[str, str] = field(default_factory=dict)
    cheapest: Mapping[str, str] = field(default_factory=dict)

    def in_force(self, level: int) -> dict[str, str]:
        """The engines that run at a level of the controller."""
        return {**self.engines, **self.cheapest} if LEVELS[level].cheapest else dict(self.engines)

    @property
    def all_forms(self) -> dict[str, str]:
        """Each engine, and where there are two forms which one runs at which level."""
        return {
            name: f"{engine}; from level {_CHEAPEST_FROM} on {self.cheapest[name]}"
            if name in self.cheapest
            else engine
            for name, engine in self.engines.items()
        }


def status(online: bool, reason: str, ts: str | None, origin: Origin) -> Document:
    """`dms.status/1`: whether the system is there. `ts` is None in a last will, written beforehand."""
    return {
        "schema": "dms.status/1",
        "ts": ts,
        "status": "online" if online else "offline",
        "reason": reason,
        "software": origin.software,
        "engines": origin.all_forms,
    }


def run(origin: Origin, epoch_offset_s: float | None, begun_s: float) -> Document:
    """`dms.run/1`: the first line of a record: what made those that follow."""
    return {
        "schema": "dms.run/1",
        "ts": utc(begun_s, epoch_offset_s),
        "software": origin.software,
        "engines": dict(origin.engines),
        "cheapest": dict(origin.cheapest),
    }


def control(decided: Control, epoch_offset_s: float | None) -> Document:
    """`dms.control/1`: at which level of the ladder the system works, and why."""
    return {
        "schema": "dms.control/1",
        "ts": utc(decided.captured_s, epoch_offset_s),
        "captured_s": number(decided.captured_s, 4),
        "level": decided.level,
        "title": LEVELS[decided.level].title,
        "previous": decided.previous,
        "cause": decided.cause,
        "detail": decided.detail,
        "held": decided.held,
    }


def control_ended(last: Control, ended_s: float, epoch_offset_s: float | None) -> Document:
    """`dms.control/1` of a system that ended then: it works at no level any more."""
    ended = replace(
        last, captured_s=ended_s, previous=last.level, cause=ENDED, detail=ENDED_DETAIL, held=False
    )
    return {**control(ended, epoch_offset_s), "level": None, "title": None}


def metrics(vitals: Vitals, undelivered: Mapping[str, int], epoch_offset_s: float | None) -> Document:
    """`dms.metrics/1`: how the process fares. `undelivered` counts what the sink itself holds or lost."""
    return {
        "schema": "dms.metrics/1",
        "ts": utc(vitals.captured_s, epoch_offset_s),
        "captured_s": number(vitals.captured_s, 4),
        "frames": vitals.frames,
        "dropped": vitals.dropped,
        "fps": number(vitals.fps, 1),
        "latency_ms": {"p50": ms(vitals.latency_p50_s), "p95": ms(vitals.latency_p95_s)},
        "stages_ms": {
            name: {"p50": ms(p50_s), "p95": ms(vitals.stage_p95_s.get(name))}
            for name, p50_s in vitals.stage_p50_s.items()
        },
        "rss_mb": number(vitals.rss_bytes / 1e6, 1),
        "undelivered": dict(undelivered),
        "drops": dict(vitals.drops),
        "waited_ms": {"p95": ms(vitals.waited_p95_s)},
        "cpu_share": number(vitals.cpu_share),
        "level": vitals.level,
        "device": _device(vitals.device or _UNREAD),
        "sinks": {
            sink: {name: number(value, 4) for name, value in figures.items()}
            for sink, figures in vitals.sinks.items()
        },
    }


def health(health: Health, epoch_offset_s: float | None) -> Document:
    """`dms.health/1`: the state of the system and every cause of it."""
    return {
        "schema": "dms.health/1",
        "ts": utc(health.captured_s, epoch_offset_s),
        "captured_s": number(health.captured_s, 4),
        "state": health.state.value,
        "causes": [{"cause": cause, "detail": detail} for cause, detail in health.causes.items()],
    }


def health_ended(ended_s: float, epoch_offset_s: float | None) -> Document:
    """`dms.health/1` of a system that ended then: it is in no state any more."""
    ended = Health(ended_s, HealthState.OK, {ENDED: ENDED_DETAIL})
    return {**health(ended, epoch_offset_s), "state": None}


def _device(reading: DeviceReading) -> Document:
    """What was read of the device; what was not is null, and `temperatures_c` empty."""
    return {
        "temperatures_c": {zone: number(c, 1) for zone, c in reading.temperatures_c.items()},
        "hottest_c": number(reading.hottest_c, 1),
        "trip_c": number(reading.trip_c, 1),
        "throttled_by": None if reading.throttled_by is None else list(reading.throttled_by),
        "over_current": reading.over_current,
        "board_w": number(reading.board_w, 2),
        "cpu_load": number(reading.cpu_load),
        "gpu_load": number(reading.gpu_load),
        "pressure": number(reading.pressure),
    }
