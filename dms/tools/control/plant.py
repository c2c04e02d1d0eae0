"""A small computer in a hot car, by its heat and its clock: what the controller is tried on.

Two masses in a row: the die, which the sensor sees, and the housing, which air cools and the sun heats. The
clock goes down at the trip point, step by step as Linux does it, and all that is computed then takes longer.
At the critical point the device switches off. Pure and deterministic: no clock is read, chance is passed in.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from dms.records import DeviceReading

ZONE = "cpu-thermal"
COOLING_DEVICE = "cpufreq-cpu0"
CLOCK_POWER = 2.4
"""Heat of computing grows with the clock to this power: between 1 (voltage fixed) and 3 (voltage follows).
Assumed."""
LEAK_FROM_C = 50.0
"""Where `Device.idle_w` holds; leakage adds to it above."""
GOVERN_S, CLOCK_STEP = 0.5, 0.05
"""How often the clock may move, and by how much, in shares of the full clock. Assumed."""
FAN_HYSTERESIS_C = 5.0


@dataclass(frozen=True, slots=True)
class Device:
    """A computer in its housing.

    `slower` is how many times longer a stage takes than on the machine its costs were measured on. `loop_w`
    is what the judging loop adds while it is busy, `task_w` what every other busy process adds, both at full
    clock. `slowest` is the lowest clock, as a share of the full one. `fan_w_per_k` is what the fan adds to
    the housing's way to the air; 0: there is none. `source` tells what of all this is known.
    """

    name: str
    title: str
    source: str
    slower: float
    cores: int
    idle_w: float
    loop_w: float
    task_w: float
    leak_per_k: float
    die_j_per_k: float
    case_j_per_k: float
    die_w_per_k: float
    case_w_per_k: float
    fan_w_per_k: float
    fan_from_c: float
    trip_c: float
    hysteresis_c: float
    critical_c: float
    slowest: float

    def heat_w(self, die_c: float, loop: float, tasks: float, clock: float = 1.0) -> float:
        """Heat of the die; `loop`: share of time the loop is busy; `tasks`: cores busy with other work."""
        still = self.idle_w * (1 + self.leak_per_k * (die_c - LEAK_FROM_C))
        return float(still + (loop * self.loop_w + tasks * self.task_w) * clock**CLOCK_POWER)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Air at the housing, what the sun puts into it, and whether the fan can turn."""

    air_c: float
    sun_w: float = 0.0
    fan_works: bool = True


class Plant:
    """The state of one device. `clock` is 1 at full speed; `down` tells that it has switched itself off."""

    def __init__(self, device: Device, start_c: float) -> None:
        """Everything at `start_c`."""
        self._device = device
        self._case_c = start_c
        self._fan = False
        self._govern_in_s = 0.0
        self.die_c = start_c
        self.clock = 1.0
        self.down = False

    def step(self, seconds: float, around: Surroundings, loop: float, tasks: float) -> None:
        """Go on for a moment that is short against the die's own pace (`die_j_per_k / die_w_per_k`)."""
        device = self._device
        heat_w = 0.0 if self.down else device.heat_w(self.die_c, loop, tasks, self.clock)
        to_case_w = device.die_w_per_k * (self.die_c - self._case_c)
        to_air_w = self._to_air(around) * (self._case_c - around.air_c)
        self.die_c += seconds * (heat_w - to_case_w) / device.die_j_per_k
        self._case_c += seconds * (to_case_w + around.sun_w - to_air_w) / device.case_j_per_k
        self.down = self.down or self.die_c >= device.critical_c
        self._govern(seconds)

    def _to_air(self, around: Surroundings) -> float:
        threshold_c = self._device.fan_from_c - (FAN_HYSTERESIS_C if self._fan else 0.0)
        self._fan = around.fan_works and self.die_c >= threshold_c
        return self._device.case_w_per_k + (self._device.fan_w_per_k if self._fan else 0.0)

    def _govern(self, seconds: float) -> None:
        """Clocks go down while it is too hot, and up again once it is cooler by the trip's hysteresis."""
        self._govern_in_s -= seconds
        if self._govern_in_s > 0:
            return
        self._govern_in_s = GOVERN_S
        if self.die_c >= self._device.trip_c:
            self.clock = max(self._device.slowest, self.clock - CLOCK_STEP)
        elif self.die_c < self._device.trip_c - self._device.hysteresis_c:
            self.clock = min(1.0, self.clock + CLOCK_STEP)


@dataclass(frozen=True, slots=True)
class SensorFaults:
    """How the thermal sensor falls short of the truth. Assumed; a Raspberry Pi's steps are half a degree."""

    lag_s: float = 1.0
    sigma_c: float = 0.3
    step_c: float = 0.5


class Thermometer:
    """Reads a plant as sysfs would tell it: late, noisy, in steps, and at times not at all."""

    def __init__(self, device: Device, start_c: float, chance: random.Random) -> None:
        """`chance` draws the noise."""
        self._device = device
        self._faults = SensorFaults()
        self._chance = chance
        self._seen_c = start_c

    def follow(self, seconds: float, plant: Plant) -> None:
        """Let time go by."""
        self._seen_c += (plant.die_c - self._seen_c) * min(1.0, seconds / self._faults.lag_s)

    def read(self, now_s: float, plant: Plant, cpu_load: float, *, lost: bool) -> DeviceReading:
        """What the device tells now; with the sensor `lost`, temperature and throttling are unknown."""
        noisy_c = self._seen_c + self._chance.gauss(0.0, self._faults.sigma_c)
        shown_c = round(noisy_c / self._faults.step_c) * self._faults.step_c
        throttled = (COOLING_DEVICE,) if plant.clock < 1 else ()
        return DeviceReading(
            read_s=now_s,
            temperatures_c={ZONE: None if lost else shown_c},
            trip_c=self._device.trip_c,
            throttled_by=None if lost else throttled,
            cpu_load=cpu_load,
        )
