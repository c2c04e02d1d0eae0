"""How hot the processor side is, from where its clocks are held down, and what holds them now."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from dms.control.sysfs import celsius, chips, count, devices, text, within

PROCESSOR_CHIPS = ("coretemp", "k10temp", "zenpower")
"""Sensors of PC processors. The `cpu_thermal` chip of a Raspberry Pi is its thermal zone once more."""
OTHER_ZONES = re.compile(
    r"bat|charger|chg|pmic|tboard|fan-est|iwlwifi|wlan|wifi|nvme|pch_|int3400|tskn|skin|sen\d", re.IGNORECASE
)
"""Zones that tell nothing of the processor: batteries, radios, housings, and what is no measurement.

`PMIC-Die` of the Jetson Nano always reads 100 °C and `thermal-fan-est` is a mean of others; `INT3400 Thermal`
of a PC always reads 20 °C.
"""
TRIP_C = (40.0, 150.0)
"""A trip point outside is not set: PCs read 0 °C or -32768 °C there."""
BRAKES = ("cpufreq-", "devfreq-", "thermal-cpufreq-", "thermal-devfreq-")
"""How the names of cooling devices begin that lower clocks; with `thermal-` on older kernels."""
TEGRA_BRAKES = ("cpu-balanced", "gpu-balanced", "emergency-balanced", "tegra-heavy", "tegra_heavy")
"""Clock brakes of the Jetson Nano under JetPack 4, by its device tree."""
PC_BRAKES = ("Processor", "intel_powerclamp")
"""Brakes of a PC by software. Its hardware brakes by itself and tells nobody: none at work proves nothing."""
PI_THROTTLED = (
    "sys/devices/platform/soc*/soc*:firmware/get_throttled",
    "sys/devices/platform/soc*:firmware/get_throttled",
)
PI_HOLDS = {0: "under-voltage", 1: "frequency-cap", 2: "throttled", 3: "soft-temperature-limit"}
"""What a Raspberry Pi's firmware does at this moment, by bit (documentation of `vcgencmd get_throttled`)."""
PI_LIMIT_C = 80.0
"""From here a Raspberry Pi's firmware lowers the clocks, by its documentation; no file tells."""
PI_SOFT_LIMIT_C = 60.0
"""The same of the models 3 A+ and 3 B+."""
PI_SOFT_MODEL = re.compile(r"Raspberry Pi 3 Model [AB] Plus")


class Temperatures:
    """The zones and processor chips that are there now; `read` asks them again and again."""

    def __init__(self, root: Path) -> None:
        self._paths: dict[str, Path] = {}
        for zone in _zones(root):
            self._add(text(zone / "type") or zone.name, zone / "temp")
        for chip in chips(root, *PROCESSOR_CHIPS):
            for path in within(chip, "temp*_input"):
                label = text(path.with_name(path.name.replace("_input", "_label")))
                self._add(label or f"{chip.name} {path.name}", path)

    def read(self) -> dict[str, float | None]:
        """Celsius by zone."""
        return {name: celsius(path) for name, path in self._paths.items()}

    def _add(self, name: str, path: Path) -> None:
        # Two sockets both have a Core 0: neither may hide the other.
        self._paths[f"{name} ({path.parent.name})" if name in self._paths else name] = path


class Throttling:
    """The cooling devices: `look` finds them, `read` tells which of them hold clocks down.

    One object has to live as long as the machine is watched: brakes of a PC that once were at work tell by
    their rest that they let go. Else what holds a PC down would be unknown ever after.
    """

    def __init__(self) -> None:
        self._brakes: list[tuple[str, Path]] = []
        self._firmware: list[Path] = []
        self._pc_brakes = False

    def look(self, root: Path) -> None:
        """Find the cooling devices that are there now."""
        found = devices(root, "sys/class/thermal/cooling_device*")
        named = [(text(device / "type") or "", device / "cur_state") for device in found]
        self._brakes = [(name, state) for name, state in named if _holds_clocks(name)]
        self._firmware = devices(root, *PI_THROTTLED)

    def read(self) -> tuple[str, ...] | None:
        """Names of what holds clocks down; None where nothing that would know can be read."""
        states = [(name, count(path)) for name, path in self._brakes]
        bits = [count(path, base=16) for path in self._firmware]
        at_work = [name for name, state in states if state is not None and state > 0]
        self._pc_brakes |= any(name in PC_BRAKES for name in at_work)
        at_work += [name for word in bits if word for bit, name in PI_HOLDS.items() if word >> bit & 1]
        witnesses = [state for name, state in states if self._pc_brakes or name not in PC_BRAKES] + bits
        is_known = any(state is not None for state in witnesses)
        return tuple(at_work) if at_work or is_known else None


def trip_c(root: Path, model: str | None) -> float | None:
    """From where the first clocks are held down; Celsius, None where nothing tells.

    The lowest passive trip point that a device which lowers clocks is bound to, and `crit` of a PC's
    processor (TjMax of `coretemp`, the HTC limit of `k10temp`: from there the hardware brakes). Without
    either, the lowest passive trip point of which nobody knows what is bound to it; on a Raspberry Pi, which
    has none, the limit of its firmware. `model` is the board's name.
    """
    sure, unsure = [], []
    for zone in _zones(root):
        for heat_c, bound in _passive(zone):
            if any(map(_holds_clocks, bound)):
                sure.append(heat_c)
            elif not bound:
                unsure.append(heat_c)
    for chip in chips(root, *PROCESSOR_CHIPS):
        sure += _believed(celsius(path) for path in within(chip, "temp*_crit"))
    if not sure and model and model.startswith("Raspberry Pi"):
        unsure.append(PI_SOFT_LIMIT_C if PI_SOFT_MODEL.match(model) else PI_LIMIT_C)
    return min(sure or unsure, default=None)


def _passive(zone: Path) -> Iterator[tuple[float, set[str]]]:
    """The passive trip points of a zone: Celsius, and the names of the cooling devices bound to each."""
    bound: dict[str, set[str]] = {}
    for path in within(zone, "cdev*_trip_point"):
        device = text(zone / path.name.removesuffix("_trip_point") / "type")
        bound.setdefault(text(path) or "", set()).update({device} if device else ())
    for path in within(zone, "trip_point_*_type"):
        trip = path.name.removeprefix("trip_point_").removesuffix("_type")
        if text(path) == "passive":
            for heat_c in _believed([celsius(zone / f"trip_point_{trip}_temp")]):
                yield heat_c, bound.get(trip, set())


def _believed(heats_c: Iterable[float | None]) -> list[float]:
    return [heat_c for heat_c in heats_c if heat_c is not None and TRIP_C[0] < heat_c < TRIP_C[1]]


def _zones(root: Path) -> list[Path]:
    zones = devices(root, "sys/class/thermal/thermal_zone*")
    return [zone for zone in zones if not OTHER_ZONES.search(text(zone / "type") or "")]


def _holds_clocks(device: str) -> bool:
    """Whether a cooling device lowers clocks; `hot-surface-alert` only warns of the housing."""
    named = device in TEGRA_BRAKES or device in PC_BRAKES
    return named or device.startswith(BRAKES) or device.endswith("-throttle-alert")
