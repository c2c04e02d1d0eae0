"""The runtimes: which are installed, and are those the configuration names among them."""

from __future__ import annotations

from collections.abc import Iterator

from dms.backends import BACKENDS, installed
from dms.config import EnginesConfig
from dms.doctor.check import Check, fail, ok, warn
from dms.engines.contract import CONTRACTS
from dms.errors import EngineError

SYSTEM_TENSORRT = (
    "on a Jetson: sudo apt install python3-libnvinfer, in an environment made with --system-site-packages"
)

CUDA_BINDINGS = "pip install 'dms[jetson6]' on JetPack 6, 'dms[jetson7]' on JetPack 7"


def checks(config: EnginesConfig, jetson: bool) -> Iterator[Check]:
    """All checks of this module."""
    here = [runtime.title for name, runtime in BACKENDS.items() if installed(name)]
    yield ok("installed", ", ".join(here) or "none")
    names = dict.fromkeys(getattr(config, net).backend for net in CONTRACTS)
    for name in names:
        yield wanted(name, config)
    if jetson or "trt" in names:
        yield cuda()


def wanted(name: str, config: EnginesConfig) -> Check:
    """Is a runtime that engines are to run on installed."""
    runtime = BACKENDS[name]
    nets = ", ".join(net for net in CONTRACTS if getattr(config, net).backend == name)
    if installed(name):
        return ok(f"runtime {name}", f"{runtime.title}, for {nets}")
    cure = f"pip install 'dms[{runtime.extra}]'" if runtime.extra else f"pip install {runtime.packages[0]}"
    if name == "trt":
        cure = f"{SYSTEM_TENSORRT}\non a PC with an RTX GPU: pip install tensorrt_rtx, and {cure}"
    detail = f"{runtime.title} is not installed, for {nets}"
    if config.fallback and config.fallback != name:
        return warn(f"runtime {name}", f"{detail}; {BACKENDS[config.fallback].title} does it instead", cure)
    return fail(f"runtime {name}", detail, cure)


def cuda() -> Check:
    """The GPU as CUDA sees it: driver against bindings, and how frames will reach it."""
    from dms.backends.cuda.memory import choose
    from dms.backends.cuda.runtime import Device

    try:
        device = Device()
        memory = choose(device)
    except EngineError as error:
        return warn("cuda", str(error), CUDA_BINDINGS)
    took = ", ".join(f"{name} {spent_us:.0f} µs" for name, spent_us in memory.round_trip_us.items())
    return ok("cuda", f"{device.info}; memory {memory.name} (a frame in and results out: {took})")
