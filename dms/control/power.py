"""What the board draws, what its processor used, and whether its supply keeps up."""

from __future__ import annotations

from pathlib import Path

from dms.control.sysfs import chips, count, devices, scaled, text

BOARD_RAILS = ("VDD_IN", "VIN", "POM_5V_IN", "5V_IN")
"""Labels of the rail that feeds the whole board. The AGX boards measure no such rail."""
INA3221_IIO = "sys/bus/i2c/drivers/ina3221x/*/iio*device*"
"""The power monitor under JetPack 4, before it became a hwmon chip."""
UNCONNECTED = "NC"
OVER_CURRENT_EVENTS = ("oc1_event_cnt", "oc2_event_cnt")
"""Under-voltage and average over-current on the Orin (Jetson Linux guide); the Xavier NX swaps the two.

The third, momentary over-current, climbs all the time in MAXN_SUPER and is no fault.
"""


class Rails:
    """The power rails that are measured now; `read` measures them again and again."""

    def __init__(self, root: Path) -> None:
        self._products: dict[str, tuple[Path, Path]] = {}
        self._powers: dict[str, Path] = {}
        for chip in chips(root, "ina3221"):
            for channel in (1, 2, 3):
                label = text(chip / f"in{channel}_label")
                if label and label != UNCONNECTED:
                    self._products[label] = chip / f"in{channel}_input", chip / f"curr{channel}_input"
        for chip in devices(root, INA3221_IIO):
            for channel in (0, 1, 2):
                if label := text(chip / f"rail_name_{channel}"):
                    self._powers[label] = chip / f"in_power{channel}_input"

    def read(self) -> dict[str, float | None]:
        """Watts by rail."""
        rails = {label: scaled(path, 1e-3) for label, path in self._powers.items()}
        for label, (millivolts, milliamperes) in self._products.items():
            volts, amperes = scaled(millivolts, 1e-3), scaled(milliamperes, 1e-3)
            rails[label] = None if volts is None or amperes is None else volts * amperes
        return rails


def board_w(rails: dict[str, float | None]) -> float | None:
    """Watts of the whole board among its rails; None where no rail feeds all of it."""
    return next((rails[name] for name in BOARD_RAILS if name in rails), None)


class Supply:
    """Counts what must not be: over-currents and under-voltages, since the start of the device.

    A Raspberry Pi only tells whether its voltage is too low now; how often that began is counted here, so
    one object has to live as long as the count. `look` finds the files.
    """

    def __init__(self) -> None:
        self._counters: list[Path] = []
        self._alarms: list[Path] = []
        self._is_low = False
        self._begun = 0

    def look(self, root: Path) -> None:
        """Find what counts and what warns, anew."""
        jetson, pi = chips(root, "soctherm_oc"), chips(root, "rpi_volt")
        self._counters = [chip / name for chip in jetson for name in OVER_CURRENT_EVENTS]
        self._alarms = [chip / "in0_lcrit_alarm" for chip in pi]

    def read(self) -> int | None:
        """Events; None where there is nothing that counts, or one of several cannot be read."""
        events = [count(path) for path in self._counters]
        alarms = [count(path) for path in self._alarms]
        known = [value for value in (*events, *alarms) if value is not None]
        if not known or len(known) < len(events) + len(alarms):
            return None
        is_low = any(alarms)
        self._begun += is_low and not self._is_low
        self._is_low = is_low
        return sum(known[: len(events)]) + self._begun


class ProcessorEnergy:
    """Joules that a PC's processors used since the first look (RAPL): not what the board draws."""

    def __init__(self) -> None:
        self._last_uj: dict[Path, int] = {}
        self._used_uj = 0

    def read(self, root: Path) -> float | None:
        """Joules since the first call; None where a package cannot be read (mostly, but by root)."""
        zones = devices(root, "sys/class/powercap/intel-rapl:*")
        counts = {zone: count(zone / "energy_uj") for zone in zones if _is_package(zone)}
        for zone, now_uj in counts.items():
            if now_uj is None:
                return None
            self._used_uj += _passed_uj(zone, self._last_uj.get(zone, now_uj), now_uj)
            self._last_uj[zone] = now_uj
        return self._used_uj * 1e-6 if counts else None


def _is_package(zone: Path) -> bool:
    return (text(zone / "name") or "").startswith("package-")


def _passed_uj(zone: Path, before_uj: int, now_uj: int) -> int:
    """Microjoules between two counts; the counter begins again at 0 when it is full."""
    if now_uj >= before_uj:
        return now_uj - before_uj
    full_uj = count(zone / "max_energy_range_uj")
    return 0 if full_uj is None else now_uj - before_uj + full_uj
