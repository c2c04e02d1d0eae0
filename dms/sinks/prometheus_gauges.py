"""What Prometheus reads off the newest messages of one vehicle: pure, without the client library.

What is unknown has no sample at all: an alert rule can ask for `absent(…)`, and no zero reads as cool.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from dms.records import DeviceReading, DriverState, Health, HealthState, Vitals

STALE_AFTER_S = 2.0
"""A verdict older than this no longer says anything about the driver, as for whoever listens to MQTT."""


@dataclass(frozen=True, slots=True)
class Family:
    """One metric, without the `dms_` before its name: its help, its labels after `vehicle`, its type."""

    help: str
    labels: tuple[str, ...] = ()
    counter: bool = False


FAMILIES = MappingProxyType(
    {
        "frames_per_second": Family("Frames judged a second, over the last window."),
        "frames_dropped_total": Family("Frames never judged.", ("reason",), counter=True),
        "frame_wait_p95_seconds": Family("How old frames were when their judgement began, 95th percentile."),
        "level": Family("Level of the controller's ladder: 0 all that is configured, 4 the least."),
        "level_held": Family("1 while the controller holds its level."),
        "temperature_celsius": Family("Temperature of a zone; no sample while it cannot be read.", ("zone",)),
        "trip_celsius": Family("Temperature from which the device slows its clocks down."),
        "throttles": Family("How many causes hold the device's clocks down now."),
        "over_current_total": Family("Over-current and under-voltage events of the device.", counter=True),
        "board_watts": Family("Power of the whole board."),
        "cpu_load": Family("Load of the processors, 0 to 1."),
        "gpu_load": Family("Load of the GPU, 0 to 1."),
        "pressure": Family(
            "Share of the last ten seconds in which some task waited for a processor, 0 to 1."
        ),
        "driver_state": Family("1 for the verdict on the driver, 0 for the others.", ("state",)),
        "health": Family("1 for the health of the system, 0 for the others.", ("state",)),
        "fault": Family("1 while something is wrong.", ("cause",)),
        "judgement_age_seconds": Family("Time since the last judgement, with a frame or without."),
        "vitals_age_seconds": Family("Time since rates, temperatures and sinks were last looked at."),
    }
)
"""By name. A sink's own figures come on top, as `sink_<figure>` with the label `sink`."""

FIGURE = Family("What a sink tells of itself.", ("sink",))
COUNT = Family("What a sink has lost since the start.", ("sink",), counter=True)

Reading = tuple[str, tuple[str, ...], float | None]
"""The name of a family, the values of its labels, the value; None = unknown."""


@dataclass(slots=True)
class Newest:
    """The newest of each kind of message, and when on the monotonic clock it came."""

    state: DriverState = DriverState.UNKNOWN
    judged_s: float = math.nan
    vitals: Vitals | None = None
    vitals_s: float = math.nan
    level: int | None = None
    held: bool | None = None
    health: Health | None = None

    def readings(self, now_s: float) -> Iterator[Reading]:
        """All there is to read off at `now_s`."""
        yield "level", (), self.level
        yield "level_held", (), self.held
        yield "judgement_age_seconds", (), now_s - self.judged_s
        yield "vitals_age_seconds", (), now_s - self.vitals_s
        fresh = now_s - self.judged_s <= STALE_AFTER_S
        state = self.state if fresh else DriverState.UNKNOWN
        for one in DriverState:
            yield "driver_state", (one.value,), one is state
        if self.health:
            yield from _health(self.health)
        if self.vitals:
            yield from _vitals(self.vitals)


def family(name: str) -> Family:
    """The family of a reading's name."""
    return FAMILIES.get(name) or (COUNT if name.endswith("_total") else FIGURE)


def _health(health: Health) -> Iterator[Reading]:
    for one in HealthState:
        yield "health", (one.value,), one is health.state
    for cause in health.causes:
        yield "fault", (cause,), 1


def _vitals(vitals: Vitals) -> Iterator[Reading]:
    yield "frames_per_second", (), vitals.fps
    yield "frame_wait_p95_seconds", (), vitals.waited_p95_s
    for reason, count in vitals.drops.items():
        yield "frames_dropped_total", (reason,), count
    if vitals.device:
        yield from _device(vitals.device)
    for sink, figures in vitals.sinks.items():
        yield from _figures(sink, figures)


def _device(reading: DeviceReading) -> Iterator[Reading]:
    for zone, celsius in reading.temperatures_c.items():
        yield "temperature_celsius", (zone,), celsius
    yield "trip_celsius", (), reading.trip_c
    yield "throttles", (), None if reading.throttled_by is None else len(reading.throttled_by)
    yield "over_current_total", (), reading.over_current
    yield "board_watts", (), reading.board_w
    yield "cpu_load", (), reading.cpu_load
    yield "gpu_load", (), reading.gpu_load
    yield "pressure", (), reading.pressure


def _figures(sink: str, figures: Mapping[str, float]) -> Iterator[Reading]:
    """In Prometheus' names: `ack_p95_s` becomes `sink_ack_p95_seconds`, `dropped` `sink_dropped_total`."""
    for name, value in figures.items():
        if name.endswith("_s"):
            name = f"{name}econds"
        elif name.endswith("_dropped"):
            name = f"{name}_total"
        yield f"sink_{name}", (sink,), value
