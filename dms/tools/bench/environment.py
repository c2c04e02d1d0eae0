"""Where a benchmark ran: processor or board, system, versions, power mode, clocks, temperatures."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable
from datetime import datetime, timezone
from importlib.metadata import packages_distributions, version

from dms import __version__
from dms.backends import BACKENDS
from dms.control.sensors import Sensors, processor
from dms.tools.bench.records import Environment


def environment(
    runtimes: Iterable[str], sensors: Sensors, temperatures_before_c: dict[str, float | None]
) -> Environment:
    """Look round, after measuring; `temperatures_before_c` were read before it."""
    return Environment(
        date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        processor=processor(),
        cores=len(os.sched_getaffinity(0)),
        board=sensors.model(),
        l4t=sensors.l4t(),
        kernel=".".join(re.findall(r"\d+", platform.release())[:2]),  # the rest names a build
        versions=_versions(runtimes),
        power_mode=sensors.power_mode(),
        cpu_clocks_mhz=sensors.cpu_clocks_mhz(),
        gpu_clock_mhz=sensors.gpu_clock_mhz(),
        temperatures_before_c=temperatures_before_c,
        temperatures_after_c=sensors.temperatures_c(),
        throttled_by=sensors.throttled_by(),
    )


def _versions(runtimes: Iterable[str]) -> dict[str, str]:
    """Of dms, Python and the packages behind the runtimes; a package without metadata is left out."""
    known = packages_distributions()
    modules = [module for runtime in runtimes for module in BACKENDS[runtime].packages]
    names = sorted({name for module in ("numpy", "cv2", *modules) for name in known.get(module, ())})
    return {
        "dms": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in names},
    }
