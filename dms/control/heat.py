"""The hottest zone of the device, filtered, and how near it is to where the clocks fall. Pure.

A zone that can no longer be read counts as it was read last: unknown is never cool. What no processor can be
is None before it comes here (`sysfs.celsius`).
"""

from __future__ import annotations

import math

from dms.records import DeviceReading

TAU_S = 5.0
"""Time constant of the filter over the hottest zone: openpilot's `hardwared`."""
AHEAD_S = 8.0
"""How far ahead a rise is carried: what the filter lags behind (`TAU_S`), and three seconds more."""


class Heat:
    """The hottest zone; degrees Celsius. `trip_c` is where the clocks fall, assumed until it is read."""

    def __init__(self, assumed_trip_c: float) -> None:
        self.trip_c = assumed_trip_c
        self.trip_read = False
        self.now_c: float | None = None
        """The filtered temperature; None before the first."""
        self._rise_c_s = 0.0
        self._read_s = 0.0
        self._zones_c: dict[str, float] = {}
        self._lost: set[str] = set()

    @property
    def ahead_c(self) -> float | None:
        """The temperature in `AHEAD_S` if it goes on rising so; a fall is not carried on."""
        return None if self.now_c is None else self.now_c + AHEAD_S * max(0.0, self._rise_c_s)

    @property
    def lost_zone(self) -> str | None:
        """The hottest zone, where it is one that can no longer be read."""
        hottest = max(self._zones_c, key=self._zones_c.__getitem__, default=None)
        return hottest if hottest in self._lost else None

    def update(self, reading: DeviceReading) -> bool:
        """Take a new reading; return whether it told any temperature."""
        if reading.trip_c is not None:
            self.trip_c, self.trip_read = reading.trip_c, True
        read = {name: celsius for name, celsius in reading.temperatures_c.items() if celsius is not None}
        if read:
            self._zones_c.update(read)
            self._lost = self._zones_c.keys() - read.keys()
            self._filter(max(self._zones_c.values()), reading.read_s)
        return bool(read)

    def _filter(self, hottest_c: float, read_s: float) -> None:
        passed_s, self._read_s = read_s - self._read_s, read_s
        if self.now_c is None:
            self.now_c = hottest_c
        elif passed_s > 0:  # else the clock was set back, and time begins anew here
            weight = 1.0 - math.exp(-passed_s / TAU_S)
            step_c = weight * (hottest_c - self.now_c)
            self.now_c += step_c
            self._rise_c_s += weight * (step_c / passed_s - self._rise_c_s)
