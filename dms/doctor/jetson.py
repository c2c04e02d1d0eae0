"""The device: which board, may its GPU be used, is it hot, slowed down, in its fastest mode.

Away from a Jetson only heat, what slows the clocks, the supply and the waiting for processors are looked at.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator

from dms.control.sensors import Sensors
from dms.doctor.check import Check, ok, warn
from dms.doctor.machine import Machine

OLDEST_L4T = 36
"""JetPack 6; JetPack 5 (L4T 35) has Python 3.8 and TensorRT 8."""
JETPACKS = {36: "JetPack 6", 38: "JetPack 7", 39: "JetPack 7"}
"""By the first number of the release."""
GPU_NODES = (
    "dev/nvmap",
    "dev/nvgpu/igpu0/ctrl",
    "dev/nvhost-ctrl-gpu",
    "dev/nvidiactl",
    "dev/nvidia0",
    "dev/dri/renderD128",
)
"""What CUDA opens, of the integrated driver (nvgpu) or the common one; not every release has all of them."""
LIMIT_C = 99.0
"""Taken where nothing tells from where the clocks go down; measured on Orin NX and Nano."""
HEADROOM_C = 14.0
"""Public robot projects on the Orin raise the alarm at 85 °C, so far below that limit."""
_MODE = re.compile(r"<\s*POWER_MODEL\s+ID=(\d+)\s+NAME=(\S+)\s*>")


def checks(machine: Machine) -> Iterator[Check]:
    """All checks of this module."""
    sensors = Sensors(machine.root)
    yield board(sensors)
    here = is_jetson(sensors)
    if here:
        yield gpu_nodes(machine)
    yield temperature(sensors)
    yield from throttling(sensors)
    yield from over_current(sensors)
    yield from pressure(sensors)
    if here:
        yield power_mode(sensors, machine)
        yield clocks(machine)


def is_jetson(sensors: Sensors) -> bool:
    """Whether Jetson Linux runs here."""
    return sensors.l4t() is not None


def board(sensors: Sensors) -> Check:
    """Which board and release this is."""
    model, l4t = sensors.model(), sensors.l4t()
    if l4t is None:
        return ok("board", f"{model or platform.machine()}, not a Jetson: what only concerns one is left out")
    major = int(l4t.split(".")[0])
    detail = f"{model or 'a Jetson'}, Jetson Linux {l4t}, {JETPACKS.get(major, 'JetPack unknown')}"
    if major >= OLDEST_L4T:
        return ok("board", detail)
    return warn("board", f"{detail}: too old", "flash JetPack 6 or 7: docs/jetson.md")


def gpu_nodes(machine: Machine) -> Check:
    """May this user open the GPU."""
    there = [machine.root / node for node in GPU_NODES if (machine.root / node).exists()]
    if not there:
        cure = "look for the driver: lsmod | grep -E 'nvgpu|nvidia'; sudo dmesg | grep -i gpu; or flash again"
        return warn("gpu", "no device of the GPU under /dev", cure)
    closed = [str(node) for node in there if not os.access(node, os.R_OK | os.W_OK)]
    if closed:
        cure = 'sudo usermod -aG video,render "$USER", then log in again'
        return warn("gpu", f"no permission for {', '.join(closed)}", cure)
    return ok("gpu", ", ".join(map(str, there)))


def temperature(sensors: Sensors) -> Check:
    """The hottest zone, against where the clocks go down."""
    zones = {name: c for name, c in sensors.temperatures_c().items() if c is not None}
    if not zones:
        if is_jetson(sensors):
            return warn("temperature", "no thermal zone can be read", "ls -l /sys/class/thermal/*/temp")
        return ok("temperature", "no sensor can be read, as on a virtual machine")
    hottest = max(zones, key=lambda name: zones[name])
    trip_c = sensors.trip_c()
    limit_c = LIMIT_C if trip_c is None else trip_c
    told = f"taken to go down at {limit_c:.0f} °C" if trip_c is None else f"go down at {limit_c:.0f} °C"
    detail = f"{zones[hottest]:.0f} °C at {hottest}, the hottest of {len(zones)}; clocks {told}"
    if zones[hottest] < limit_c - HEADROOM_C:
        return ok("temperature", detail)
    return warn("temperature", detail, "check fan, heat sink and air flow; a lower power mode heats less")


def throttling(sensors: Sensors) -> Iterator[Check]:
    """What holds the clocks down at this moment, where that can be known."""
    slowed = sensors.throttled_by()
    if slowed:
        cure = "check fan, heat sink and air flow, and what else runs: top"
        yield warn("throttling", f"clocks are held down by {', '.join(slowed)}", cure)
    elif slowed is not None:
        yield ok("throttling", "nothing holds the clocks down")


def over_current(sensors: Sensors) -> Iterator[Check]:
    """Has the supply kept up, where something counts."""
    events = sensors.over_current()
    if events:
        cure = "use a stronger supply and a shorter cable, or a lower power mode; some happen at the start"
        yield warn("supply", f"{events} over-currents or under-voltages counted", cure)
    elif events is not None:
        yield ok("supply", "no over-current or under-voltage counted")


def pressure(sensors: Sensors) -> Iterator[Check]:
    """How long work waits for a processor, where the kernel tells."""
    share = sensors.pressure()
    if share is not None:
        yield ok("pressure", f"some task waited for a processor in {share:.0%} of the last 10 s")


def power_mode(sensors: Sensors, machine: Machine) -> Check:
    """Is it the fastest mode: MAXN or MAXN_SUPER. A number says nothing: on an Orin Nano 2 is above 3."""
    mode = sensors.power_mode()
    if mode is None:
        return warn("power mode", "nvpmodel does not tell", "sudo nvpmodel -q")
    known = {name: number for number, name in _MODE.findall(machine.read("etc/nvpmodel.conf"))}
    fastest = max((name for name in known if name.startswith("MAXN")), key=len, default=None)
    if fastest is None or mode == fastest:
        return ok("power mode", mode)
    cure = f"if supply and cooling bear it: sudo nvpmodel -m {known[fastest]}; then build and gate anew"
    return warn("power mode", f"{mode}; the fastest is {fastest}", cure)


def clocks(machine: Machine) -> Check:
    """Between what the clocks of processor and GPU may move."""
    cpu = _range_mhz(machine, "sys/devices/system/cpu/cpu*/cpufreq", "scaling_{}_freq", 1e-3)
    gpu = _range_mhz(machine, "sys/class/devfreq/*gpu*", "{}_freq", 1e-6)
    told = [f"{name} {r}" for name, r in (("processor", cpu), ("GPU", gpu)) if r]
    if not told:
        return warn("clocks", "cannot be read", "ls /sys/devices/system/cpu/cpu0/cpufreq")
    return ok("clocks", ", ".join(told) + " (sudo jetson_clocks pins them at the top until the next start)")


def _range_mhz(machine: Machine, folders: str, name: str, factor: float) -> str:
    values = [
        value * factor
        for folder in machine.root.glob(folders)
        for end in ("min", "max")
        if (value := machine.number(f"{folder.relative_to(machine.root)}/{name.format(end)}")) is not None
    ]
    if not values:
        return ""
    low, high = min(values), max(values)
    return f"{high:.0f} MHz, pinned" if low == high else f"{low:.0f} to {high:.0f} MHz"
