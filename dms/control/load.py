"""How busy processors and GPU are, how fast they run, and how long work waits for them."""

from __future__ import annotations

import re
from pathlib import Path

from dms.control.sysfs import devices, scaled, text, within

GPU_NODES = ("ga10b", "gv11b", "gb10b", "gpu")
"""Names of the GPU in the device tree, Orin first."""
GPU_LOADS = (
    "sys/devices/platform/gpu.0/load",
    "sys/devices/platform/17000000.ga10b/load",
    "sys/devices/platform/bus@0/17000000.gpu/load",
    "sys/devices/gpu.0/load",
    "sys/devices/17000000.gv11b/load",
    "sys/devices/57000000.gpu/load",
)
"""Where kernels keep the GPU's load, if not beside its clock; the last three are JetPack 4 and 5."""
PRESSURE = re.compile(r"^some avg10=(\d+\.\d+)", re.MULTILINE)
IDLE, WAITING = 3, 4
"""Columns of the first line of /proc/stat in which a processor did nothing."""
OWN_COLUMNS = 8
"""What follows, time of guests, is already in the columns before."""


class Gpu:
    """The GPU that is there now."""

    def __init__(self, root: Path) -> None:
        nodes = devices(root, "sys/class/devfreq/*")
        self._nodes = [node for node in nodes if text(node / "device/of_node/name") in GPU_NODES]
        self._loads = [*(node / "device/load" for node in self._nodes), *within(root, *GPU_LOADS)]

    def clock_mhz(self) -> float | None:
        """Megahertz."""
        return next((scaled(node / "cur_freq", 1e-6) for node in self._nodes), None)

    def load(self) -> float | None:
        """How busy it is, 0 to 1."""
        loads = (scaled(path, 1e-3) for path in self._loads)
        return next((load for load in loads if load is not None and 0 <= load <= 1), None)


class CpuLoad:
    """Which share of their time the processors were busy between two looks."""

    def __init__(self) -> None:
        self._last: tuple[int, int] | None = None

    def read(self, root: Path) -> float | None:
        """0 to 1, of all cores, since the last call; None at the first and when no time has passed."""
        last, self._last = self._last, _ticks(root)
        if last is None or self._last is None:
            return None
        busy, all_ = (now - before for now, before in zip(self._last, last, strict=True))
        return min(max(busy / all_, 0.0), 1.0) if all_ > 0 else None


def pressure(root: Path) -> float | None:
    """Share of the last ten seconds in which some task waited for a processor, 0 to 1 (PSI)."""
    told = PRESSURE.search(text(root / "proc/pressure/cpu") or "")
    return float(told[1]) / 100 if told else None


def cpu_clocks_mhz(root: Path) -> dict[str, float | None]:
    """Megahertz by processor core."""
    cores = within(root, "sys/devices/system/cpu/cpu[0-9]*/cpufreq")
    return {core.parent.name: scaled(core / "scaling_cur_freq", 1e-3) for core in cores}


def _ticks(root: Path) -> tuple[int, int] | None:
    """Ticks that all processors together were busy, and that passed."""
    words = (text(root / "proc/stat") or "").partition("\n")[0].split()
    if words[:1] != ["cpu"] or not all(word.isdecimal() for word in words[1:]) or len(words) <= WAITING + 1:
        return None
    ticks = [int(word) for word in words[1:]][:OWN_COLUMNS]
    return sum(ticks) - ticks[IDLE] - ticks[WAITING], sum(ticks)
