"""What the device says for and against a level: heat, throttling, over-current, power. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dms.config import ControlConfig
from dms.control.heat import AHEAD_S, Heat
from dms.control.levels import TOP
from dms.control.pace import Lasting
from dms.control.silence import OVER_CURRENT, POWER, TEMPERATURE, THROTTLING, Silence
from dms.records import DeviceReading

ENTER_BELOW_TRIP_C = (19.0, 12.0, 6.0, 2.0)
"""How far below the trip point levels 1 to 4 begin: 80, 87, 93 and 97 degrees on a Jetson Orin, which runs
near 65 under load and slows down at 99. Overlapping bands after openpilot's; not tuned on a device yet."""
LEAVE_LOWER_C = 6.0
"""A level may end this far below where it begins: more than sensors waver by."""
STALE_S = 5.0
"""What is not renewed for this long, or for three periods, is unknown. A silent sensor is told of then."""
LASTS_S = 1.0
"""Power or latency must be too high for this long: one peak is no load."""
POWER_BACK = 0.9
"""Share of the power limit below which a level may end."""


@dataclass(frozen=True, slots=True)
class Push:
    """Why the level should rise. An `urgent` one is not held back by the limit on changes."""

    cause: str
    detail: str
    urgent: bool = True


class Device:
    """What pushes the level up, and whether it may fall, by the device's own sensors."""

    def __init__(self, config: ControlConfig) -> None:
        self.heat = Heat(config.assumed_trip_c)
        self.reading: DeviceReading | None = None
        """The newest reading; None where there is none, or it is too old."""
        self._power_limit_w = config.power_limit_w
        self._stale_s = max(STALE_S, 3 * config.every_s)
        self._silence = Silence(self._stale_s)
        self._read_s = math.nan
        self._warm_told = False
        self._unread, self._over_power = Lasting(), Lasting()
        self._over_power_s = -math.inf
        self._over_current: int | None = None
        self._new_events = 0

    @property
    def _bare(self) -> bool:
        """Whether this machine is read and has never shown a heat sensor: a virtual one."""
        return self.reading is not None and not self.reading.temperatures_c and self.heat.now_c is None

    @property
    def lost(self) -> str | None:
        """The code of a sensor that told something once and holds the level now, for it tells nothing."""
        return self._silence.lost

    def update(self, now_s: float, reading: DeviceReading | None) -> None:
        """Take the newest reading, which may be the last one again."""
        fresh = reading is not None and math.isfinite(reading.read_s) and reading.read_s != self._read_s
        if fresh and reading is not None:
            self._take(reading)
        if self._unread.update(now_s, not fresh) >= self._stale_s:
            self.reading, self._warm_told = None, False
        self._silence.update(now_s, self._told())
        self._over_power_s = self._over_power.update(now_s, self._power_above(1.0))

    def push(self, level: int) -> Push | None:
        """Why the level should rise from `level`; None: no reason."""
        if self.reading is not None and self.reading.throttled_by:
            return Push("throttled", f"clocks are held down by {', '.join(self.reading.throttled_by)}")
        if self._new_events:
            return Push("over_current", f"{self._new_events} new over-current events at the supply")
        if self._warm_told and self._is_above(ENTER_BELOW_TRIP_C[level] if level < TOP else 0.0):
            return Push("temperature", self.told_heat())
        if self._over_power_s >= LASTS_S:
            return Push("power", f"the board takes more than the limit of {self._power_limit_w:g} W")
        return None

    def lets_fall(self, level: int) -> bool:
        """Whether the level may fall from `level`, above 0. What is not known any more speaks against it."""
        throttled = self.reading is not None and bool(self.reading.throttled_by)
        if self._silence.holds or throttled or self._new_events or self._power_above(POWER_BACK):
            return False
        return not self._is_above(ENTER_BELOW_TRIP_C[level - 1] + LEAVE_LOWER_C)

    def acted(self) -> None:
        """What happened once has had its answer: a step up, or there is none left."""
        self._new_events = 0

    def is_at_trip(self) -> bool:
        """Whether the clocks fall at the temperature there is."""
        return self.heat.now_c is not None and self.heat.now_c >= self.heat.trip_c

    def troubles(self, level: int) -> dict[str, str]:
        """What is not known and should be: by a stable code, a sentence with the cure."""
        troubles = self._silence.troubles()
        if level and TEMPERATURE not in troubles and (zone := self.heat.lost_zone) is not None:
            troubles[TEMPERATURE] = (
                f"the hottest zone, {zone}, can no longer be read and counts as it was last; look at "
                "/sys/class/thermal"
            )
        return troubles

    def told_heat(self) -> str:
        """The temperature and the trip point as a sentence."""
        trip = f"{self.heat.trip_c:.0f} C{'' if self.heat.trip_read else ' (assumed)'}"
        if self.heat.now_c is None:
            return f"no temperature is known; clocks are taken to fall at {trip}"
        ahead_c = self.heat.ahead_c or self.heat.now_c
        rising = f", {ahead_c:.1f} in {AHEAD_S:.0f} s" if ahead_c >= self.heat.now_c + 0.5 else ""
        return f"hottest zone {self.heat.now_c:.1f} C{rising}; clocks fall at {trip}"

    def _take(self, reading: DeviceReading) -> None:
        self.reading, self._read_s = reading, reading.read_s
        self._warm_told = self.heat.update(reading)
        if reading.over_current is not None:
            if self._over_current is not None:  # a counter that fell has begun anew
                self._new_events += max(0, reading.over_current - self._over_current)
            self._over_current = reading.over_current

    def _told(self) -> dict[str, bool]:
        """Of the sensors that count here, whether they tell anything now."""
        reading = self.reading or DeviceReading(self._read_s)
        told = {
            THROTTLING: reading.throttled_by is not None,
            OVER_CURRENT: reading.over_current is not None,
        }
        if not self._bare:
            told[TEMPERATURE] = self._warm_told
        if self._power_limit_w is not None:
            told[POWER] = reading.board_w is not None
        return told

    def _is_above(self, below_trip_c: float) -> bool:
        ahead_c = self.heat.ahead_c
        return ahead_c is not None and ahead_c >= self.heat.trip_c - below_trip_c

    def _power_above(self, share: float) -> bool:
        watts = self.reading.board_w if self.reading else None
        return watts is not None and self._power_limit_w is not None and watts > share * self._power_limit_w
