"""The sensors of a soak: files that it writes, and their readings on driving time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from dms.records import DeviceReading
from dms.tools.soak.clock import DrivingClock

COOL_C, TRIP_C = 50.0, 99.0
"""Of the sensors that are written: those of a Jetson Orin at rest."""
BEHIND_S = 2.0
"""Driving time goes on without a new reading for no longer: less than what the controller calls unknown."""
PATIENCE_S = 1.0
"""Wall time that a reading is waited for; then the thread that reads may be late, and is to be found out."""


class SensorTree:
    """The kernel's files of a device with two zones, a trip point and one brake, below a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        zones = root / "sys/class/thermal"
        self._zones = [zones / "thermal_zone0", zones / "thermal_zone1"]
        self._brake = zones / "cooling_device0"
        for zone, name in zip(self._zones, ("cpu-thermal", "tj-thermal"), strict=True):
            _write(zone / "type", name)
            _write(zone / "trip_point_0_type", "passive")
            _write(zone / "trip_point_0_temp", f"{1000 * TRIP_C:.0f}")
            _write(zone / "cdev0/type", "cpufreq-cpu0")
            _write(zone / "cdev0_trip_point", "0")
        _write(self._brake / "type", "cpufreq-cpu0")
        self.brake(0)
        self.heat(COOL_C)

    def heat(self, celsius: float) -> None:
        """Both zones read so from now on."""
        for zone in self._zones:
            _write(zone / "temp", f"{1000 * celsius:.0f}")

    def lose(self) -> None:
        """The zones can no longer be read."""
        for zone in self._zones:
            (zone / "temp").unlink(missing_ok=True)

    def brake(self, state: int) -> None:
        """How far the clocks are held down; 0 = not at all."""
        _write(self._brake / "cur_state", str(state))


class InStep:
    """Brings the readings, made on the machine's clock by a thread, onto driving time.

    Each is stamped with when it was first asked for, because the controller filters by those stamps; and
    driving time does not run away from the thread.
    """

    def __init__(self, newest: Callable[[], DeviceReading | None], clock: DrivingClock) -> None:
        self._newest = newest
        self._clock = clock
        self._read_s = -1.0
        self._last: DeviceReading | None = None
        self._fresh_s = clock()

    def __call__(self) -> DeviceReading | None:
        """The newest reading; waited for where the last one is old on driving time."""
        reading = self._newest()
        if self._is_old(reading) and self._clock() - self._fresh_s > BEHIND_S:
            reading = self._awaited()
        if reading is not None and not self._is_old(reading):
            self._read_s, self._fresh_s = reading.read_s, self._clock()
            self._last = replace(reading, read_s=self._fresh_s)
        return self._last

    def _awaited(self) -> DeviceReading | None:
        with self._clock.paused():
            give_up_s = time.monotonic() + PATIENCE_S
            while self._is_old(reading := self._newest()) and time.monotonic() < give_up_s:
                time.sleep(1e-3)
        return reading

    def _is_old(self, reading: DeviceReading | None) -> bool:
        return reading is None or reading.read_s == self._read_s


def _write(path: Path, text: str) -> None:
    """Whole or not at all: a reader must not find a file that was just emptied."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(f"{text}\n")
    partial.replace(path)
