"""What the device tells of itself: temperatures, power, clocks, load, power mode, throttling; by sysfs.

Nothing here raises. What cannot be read is None, never 0: a zone that is switched off is not cold.
The names are those of JetPack 6 and 7 on the Orin; a PC has some of them.
"""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Iterator
from pathlib import Path

COLDEST_C = -100.0
"""Below it no zone is: a zone whose unit is switched off reads -256."""
BOARD_RAILS = ("VDD_IN", "VIN")
"""INA3221 labels of the rail that feeds the whole board. The AGX Orin measures no such rail."""
GPU_NODES = ("ga10b", "gv11b", "gb10b", "gpu")
"""Names of the GPU in the device tree, Orin first."""
GPU_LOADS = (
    "sys/devices/platform/gpu.0/load",
    "sys/devices/platform/17000000.ga10b/load",
    "sys/devices/platform/bus@0/17000000.gpu/load",
)
"""Where older and newer kernels keep the GPU's load, if not beside its clock."""
PROCESSOR_CHIPS = ("coretemp", "k10temp")
NVPMODEL = "usr/sbin/nvpmodel"
NVPMODEL_TIMEOUT_S = 5.0
"""A guess: no board that is busy with its start was timed."""


class Sensors:
    """The readings of the machine whose file system begins at `root`; tools are waited for `patience_s`."""

    def __init__(self, root: Path = Path("/"), patience_s: float = NVPMODEL_TIMEOUT_S) -> None:
        self._root = root
        self._patience_s = patience_s

    def temperatures_c(self) -> dict[str, float | None]:
        """Celsius by zone: thermal zones, and on a PC the processor's own sensor."""
        found = {
            _text(zone / "type") or zone.name: _celsius(zone / "temp")
            for zone in self._all("sys/class/thermal/thermal_zone*")
        }
        for chip in self._chips(*PROCESSOR_CHIPS):
            for path in sorted(chip.glob("temp*_input")):
                label = _text(path.with_name(path.name.replace("_input", "_label")))
                found[label or f"{chip.name} {path.name}"] = _celsius(path)
        return found

    def hottest_c(self) -> float | None:
        """The hottest zone that can be read; Celsius."""
        return max((c for c in self.temperatures_c().values() if c is not None), default=None)

    def rails_w(self) -> dict[str, float | None]:
        """Watts by power rail, of the INA3221 chips."""
        found: dict[str, float | None] = {}
        for chip in self._chips("ina3221"):
            for channel in (1, 2, 3):
                label = _text(chip / f"in{channel}_label")
                if label and label != "NC":  # nothing is connected
                    volts = _scaled(chip / f"in{channel}_input", 1e-3)
                    amperes = _scaled(chip / f"curr{channel}_input", 1e-3)
                    found[label] = None if volts is None or amperes is None else volts * amperes
        return found

    def board_w(self) -> float | None:
        """Watts that the whole board takes; None where no rail feeds all of it, as on the AGX Orin."""
        rails = self.rails_w()
        return next((rails[name] for name in BOARD_RAILS if name in rails), None)

    def cpu_clocks_mhz(self) -> dict[str, float | None]:
        """Megahertz by processor core."""
        cores = self._all("sys/devices/system/cpu/cpu[0-9]*/cpufreq")
        return {core.parent.name: _scaled(core / "scaling_cur_freq", 1e-3) for core in cores}

    def gpu_clock_mhz(self) -> float | None:
        """Megahertz of the GPU."""
        return next((_scaled(gpu / "cur_freq", 1e-6) for gpu in self._gpus()), None)

    def gpu_load(self) -> float | None:
        """How busy the GPU is, 0 to 1."""
        beside = [gpu / "device" / "load" for gpu in self._gpus()]
        loads = (_scaled(path, 1e-3) for path in (*beside, *(self._root / path for path in GPU_LOADS)))
        return next((load for load in loads if load is not None), None)

    def throttled_by(self) -> tuple[str, ...] | None:
        """The cooling devices that hold clocks down now; None where there is none that can be read."""
        states = {
            name: _number(device / "cur_state")
            for device in self._all("sys/class/thermal/cooling_device*")
            if _holds_clocks(name := _text(device / "type") or "")
        }
        known = {name: state for name, state in states.items() if state is not None}
        return tuple(name for name, state in known.items() if state > 0) if known else None

    def power_mode(self) -> str | None:
        """The nvpmodel mode, for instance `MAXN_SUPER`; starts a process, so ask once.

        None where it is no Jetson, and on one (`l4t` is known) where the mode cannot be read. A tool that is
        too slow is asked a second time.
        """
        answer = self._nvpmodel()
        if answer is None:
            answer = self._nvpmodel() or ""
        for line in answer.splitlines():
            name, _, mode = line.partition(":")
            if name.strip() == "NV Power Mode" and mode.strip():
                return mode.strip()
        return None

    def model(self) -> str | None:
        """The board's name by its device tree."""
        return _text(self._root / "proc/device-tree/model")

    def l4t(self) -> str | None:
        """The release of Jetson Linux, for instance `36.4.3`."""
        words = (_text(self._root / "etc/nv_tegra_release") or "").replace(",", " ").split()
        major = next((word[1:] for word in words if word[:1] == "R" and word[1:].isdecimal()), None)
        revision = words[words.index("REVISION:") + 1 :] if "REVISION:" in words else []
        return f"{major}.{revision[0]}" if major and revision else None

    def _nvpmodel(self) -> str | None:
        """What the tool answers, empty where it fails; None where it is too slow."""
        command = [str(self._root / NVPMODEL), "-q"]
        try:
            answer = subprocess.run(command, capture_output=True, timeout=self._patience_s, check=True)
        except subprocess.TimeoutExpired:
            return None
        except (OSError, subprocess.SubprocessError):
            return ""
        return answer.stdout.decode(errors="replace")

    def _all(self, pattern: str) -> Iterator[Path]:
        return iter(sorted(self._root.glob(pattern)))

    def _chips(self, *names: str) -> Iterator[Path]:
        return (chip for chip in self._all("sys/class/hwmon/hwmon*") if _text(chip / "name") in names)

    def _gpus(self) -> Iterator[Path]:
        nodes = self._all("sys/class/devfreq/*")
        return (node for node in nodes if _text(node / "device/of_node/name") in GPU_NODES)


def processor(root: Path = Path("/")) -> str:
    """The processor's name, as Linux tells it; where it does not, its kind, such as `aarch64`."""
    lines = (_text(root / "proc/cpuinfo") or "").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _holds_clocks(device: str) -> bool:
    """Whether a cooling device slows something down; `hot-surface-alert` only warns of the housing."""
    return device.startswith(("cpufreq-", "devfreq-")) or device.endswith("-throttle-alert")


def _text(path: Path) -> str | None:
    """The content without blanks (device trees end it with a NUL); None where unreadable or empty."""
    try:
        return path.read_bytes().decode(errors="replace").strip("\0 \t\n") or None
    except OSError:
        return None


def _number(path: Path) -> int | None:
    try:
        return int(_text(path) or "")
    except ValueError:
        return None


def _scaled(path: Path, factor: float) -> float | None:
    number = _number(path)
    return None if number is None else number * factor


def _celsius(path: Path) -> float | None:
    celsius = _scaled(path, 1e-3)
    return celsius if celsius is not None and celsius > COLDEST_C else None
