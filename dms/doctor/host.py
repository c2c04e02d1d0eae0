"""Is this machine fit: Python, packages, processors, memory, clock."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from dms.doctor.check import Check, fail, ok, warn
from dms.doctor.machine import Machine

OLDEST_PYTHON = (3, 10)
CORE_PACKAGES = {
    "numpy": "numpy",
    "opencv-python-headless": "cv2",
    "pyyaml": "yaml",
    "pydantic": "pydantic",
    "paho-mqtt": "paho.mqtt.client",
    "psutil": "psutil",
    "onnxruntime": "onnxruntime",
    "click": "click",
}
LITTLE_MEMORY_BYTES = 300 << 20
SLOW_CLOCK_S = 0.001
FIRST_PLAUSIBLE_YEAR = 2024


def checks(machine: Machine) -> Iterator[Check]:
    """All checks of this module."""
    yield python()
    yield from packages()
    yield processors()
    yield memory()
    yield clock(machine)


def python() -> Check:
    """The interpreter's version."""
    detail = f"{platform.python_version()} on {platform.machine()}"
    if sys.version_info >= OLDEST_PYTHON:
        return ok("python", detail)
    return fail("python", detail, "install Python 3.10 or newer")


def packages() -> Iterator[Check]:
    """The core packages: those that import in one line, each that does not in its own."""
    found = []
    for package, module in CORE_PACKAGES.items():
        try:
            import_module(module)
        except ImportError as e:
            yield fail(package, f"cannot be imported: {e}", f"pip install --force-reinstall '{package}'")
        else:
            found.append(f"{package} {_version(package)}")
    yield ok("packages", ", ".join(found))


def processors() -> Check:
    """How many processors this process may use."""
    count = len(os.sched_getaffinity(0))
    detail = f"{count} usable, load {os.getloadavg()[0]:.1f}"
    if count >= 2:
        return ok("processors", detail)
    return warn("processors", detail, "one is tight: the capture thread needs a second one")


def memory() -> Check:
    """How much memory is free for use."""
    try:
        import psutil
    except ImportError as e:
        return warn("memory", f"unknown: {e}", "pip install psutil")
    available = psutil.virtual_memory().available
    detail = f"{available / 1e6:.0f} MB available"
    if available >= LITTLE_MEMORY_BYTES:
        return ok("memory", detail)
    return warn("memory", detail, "end other programs: about 300 MB are wanted")


def clock(machine: Machine, now: Callable[[], float] = time.time) -> Check:
    """Is the monotonic clock fine enough, and does the wall clock tell a believable, kept date."""
    info = time.get_clock_info("monotonic")
    if not info.monotonic or info.resolution > SLOW_CLOCK_S:
        detail = f"the monotonic clock ticks every {info.resolution:g} s"
        return fail("clock", detail, "use a kernel with high resolution timers")
    date = datetime.fromtimestamp(now(), timezone.utc)
    if date.year < FIRST_PLAUSIBLE_YEAR:
        cure = "set it (NTP or a clock chip): times in messages will be wrong, judgement will not"
        return warn("clock", f"the wall clock says {date:%Y-%m-%d}", cure)
    kept = (machine.ask("timedatectl", "show", "--property=NTPSynchronized", "--value") or "").strip()
    detail = f"monotonic, resolution {info.resolution:g} s; wall clock {date:%Y-%m-%d %H:%M} UTC"
    if kept == "no":
        cure = "sudo timedatectl set-ntp true (only times in messages suffer, judgement does not)"
        return warn("clock", f"{detail}, not synchronised", cure)
    return ok("clock", detail + (", synchronised" if kept == "yes" else ""))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # OpenCV built by the system's packager has no metadata
        return "(version unknown)"
