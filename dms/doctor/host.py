"""Is this machine fit: Python, packages, runtimes, processor, memory, clock, service manager."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from dms.doctor.check import Check, Grade

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
OPTIONAL_RUNTIMES = ("tensorrt", "cuda", "openvino", "ai_edge_litert", "onnxruntime_qnn", "gi")
HOT_C = 85.0
"""Where public robot projects on the Orin raise the alarm, 14 °C short of its own limit of 99 °C."""
LITTLE_MEMORY_BYTES = 300 << 20
SLOW_CLOCK_S = 0.001
FIRST_PLAUSIBLE_YEAR = 2024


def python() -> Check:
    """The interpreter's version."""
    detail = f"{platform.python_version()} on {platform.machine()}"
    if sys.version_info >= OLDEST_PYTHON:
        return Check("python", Grade.OK, detail)
    return Check("python", Grade.FAIL, detail, "install Python 3.10 or newer")


def packages() -> Iterator[Check]:
    """Each core package: does it import, and which version is it."""
    for package, module in CORE_PACKAGES.items():
        try:
            import_module(module)
        except ImportError as e:
            cure = f"pip install --force-reinstall '{package}'"
            yield Check(package, Grade.FAIL, f"cannot be imported: {e}", cure)
        else:
            yield Check(package, Grade.OK, _version(package))


def providers() -> Check:
    """What ONNX Runtime can run on."""
    try:
        import onnxruntime
    except ImportError as e:
        return Check("onnxruntime providers", Grade.FAIL, str(e), "pip install onnxruntime")
    names = onnxruntime.get_available_providers()
    grade = Grade.OK if "CPUExecutionProvider" in names else Grade.FAIL
    cure = "" if grade is Grade.OK else "install the onnxruntime package with the CPU provider"
    return Check("onnxruntime providers", grade, ", ".join(names), cure)


def runtimes() -> Check:
    """The optional runtimes: good to know, never needed."""
    found = [name for name in OPTIONAL_RUNTIMES if find_spec(name)]
    detail = f"installed: {', '.join(found) or 'none'} (of {', '.join(OPTIONAL_RUNTIMES)})"
    return Check("optional runtimes", Grade.OK, detail)


def processor() -> Check:
    """How many processors this process may use."""
    count = len(os.sched_getaffinity(0))
    detail = f"{count} usable, load {os.getloadavg()[0]:.1f}"
    if count >= 2:
        return Check("processors", Grade.OK, detail)
    return Check("processors", Grade.WARN, detail, "one is tight: the capture thread needs a second one")


def memory() -> Check:
    """How much memory is free for use."""
    try:
        import psutil
    except ImportError as e:
        return Check("memory", Grade.WARN, f"unknown: {e}", "pip install psutil")
    available = psutil.virtual_memory().available
    detail = f"{available / 1e6:.0f} MB available"
    if available >= LITTLE_MEMORY_BYTES:
        return Check("memory", Grade.OK, detail)
    return Check("memory", Grade.WARN, detail, "end other programs: about 300 MB are wanted")


def temperature(sysfs: Path = Path("/sys")) -> Check:
    """The hottest thermal zone that can be read."""
    hottest_c = max(_zones_c(sysfs), default=None)
    if hottest_c is None:
        cure = "fine on a virtual machine; on a device look for a disabled thermal driver"
        return Check("temperature", Grade.WARN, "no thermal zone can be read", cure)
    if hottest_c < HOT_C:
        return Check("temperature", Grade.OK, f"{hottest_c:.0f} °C at the hottest zone")
    cure = "let the device cool down, check fan and heat sink"
    return Check("temperature", Grade.WARN, f"{hottest_c:.0f} °C at the hottest zone", cure)


def clock(now: Callable[[], float] = time.time) -> Check:
    """Is the monotonic clock fine enough, and does the wall clock tell a believable date."""
    info = time.get_clock_info("monotonic")
    if not info.monotonic or info.resolution > SLOW_CLOCK_S:
        detail = f"the monotonic clock ticks every {info.resolution:g} s"
        return Check("clock", Grade.FAIL, detail, "use a kernel with high resolution timers")
    date = datetime.fromtimestamp(now(), timezone.utc)
    if date.year < FIRST_PLAUSIBLE_YEAR:
        cure = "set it (NTP or a clock chip): times in messages will be wrong, judgement will not"
        return Check("clock", Grade.WARN, f"the wall clock says {date:%Y-%m-%d}", cure)
    return Check("clock", Grade.OK, f"monotonic, resolution {info.resolution:g} s")


def service_manager(run: Path = Path("/run/systemd/system")) -> Check:
    """Whether systemd runs this machine."""
    if run.is_dir():
        return Check("systemd", Grade.OK, "running")
    cure = "only needed for systemd/dms.service; elsewhere let your own supervisor restart `dms run`"
    return Check("systemd", Grade.WARN, "not running here", cure)


def checks() -> Sequence[Check]:
    """All checks of this module."""
    return (
        python(),
        *packages(),
        providers(),
        runtimes(),
        processor(),
        memory(),
        temperature(),
        clock(),
        service_manager(),
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # OpenCV built by the system's packager has no metadata
        return "present, version unknown"


def _zones_c(sysfs: Path) -> Iterator[float]:
    for path in sorted(sysfs.glob("class/thermal/thermal_zone*/temp")):
        # A zone whose unit is switched off fails on reading, or reads -256.
        with suppress(OSError, ValueError):
            celsius = int(path.read_text()) / 1000
            if celsius > -100:
                yield celsius
