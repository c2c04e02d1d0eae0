"""Which TensorRT is here, whether it is one we know, and a logger that remembers what it said.

Two libraries have the same Python interface: `tensorrt` (Jetson, servers, desktop) and `tensorrt_rtx` (RTX
GPUs of the desktop). What one of them lacks is asked of the module by name, never of its version: the numbers
behind the names differ from version to version.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from dms.errors import EngineUnavailable

log = logging.getLogger(__name__)

FULL, RTX = "tensorrt", "tensorrt_rtx"
KNOWN = {FULL: ((10, 3), (12, 0)), RTX: ((1, 0), (2, 0))}
"""First version that will do, and the first of the next generation, which nobody has seen."""
INSTALL_RTX = "pip install tensorrt_rtx, whose builder needs no GPU"
INSTALL = (
    "on a Jetson apt install python3-libnvinfer and make the environment with --system-site-packages; "
    "elsewhere pip install tensorrt, or tensorrt_rtx for a desktop RTX GPU; or choose another backend"
)
KEPT_LINES = 8


@dataclass(frozen=True)
class TensorRt:
    """A TensorRT library that was imported: `flavour` is its package, `module` what it offers."""

    module: Any
    flavour: str
    version: str

    @property
    def is_rtx(self) -> bool:
        """Whether it finishes kernels on the GPU at the first run, and builds without one."""
        return self.flavour == RTX

    def __str__(self) -> str:
        """For a reader."""
        return f"{'TensorRT-RTX' if self.is_rtx else 'TensorRT'} {self.version}"


def load_tensorrt(flavours: Sequence[str] = (FULL, RTX)) -> TensorRt:
    """Import the first of `flavours` that is here and known.

    Raises:
        EngineUnavailable: none is; the text tells why of each.
    """
    refused = []
    for flavour in flavours:
        try:
            module = import_module(flavour)
        except (ImportError, OSError) as error:  # OSError: the package is here, its libraries are not
            refused.append(f"{flavour}: {error}")
            continue
        version = str(module.__version__)
        if _known(flavour, version):
            return TensorRt(module, flavour, version)
        first, last = (".".join(map(str, v)) for v in KNOWN[flavour])
        refused.append(f"{flavour} is version {version}, needed is {first} or newer, below {last}")
    cure = INSTALL_RTX if tuple(flavours) == (RTX,) else INSTALL
    raise EngineUnavailable(f"no TensorRT that can be used ({'; '.join(refused)}); {cure}")


def _known(flavour: str, version: str) -> bool:
    first, last = KNOWN[flavour]
    numbers = tuple(int(n) for n in version.split(".")[:2] if n.isdigit())
    return first <= numbers < last


def new_logger(api: TensorRt) -> Any:
    """A logger for TensorRT. `errors` and `warnings` hold the last of each, `last()` tells them as text."""
    severity = api.module.ILogger.Severity

    class KeepingLogger(api.module.ILogger):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            api.module.ILogger.__init__(self)
            self.errors: deque[str] = deque(maxlen=KEPT_LINES)
            self.warnings: deque[str] = deque(maxlen=KEPT_LINES)

        def log(self, level: Any, text: str) -> None:
            if level in (severity.INTERNAL_ERROR, severity.ERROR):
                self.errors.append(text)
            elif level == severity.WARNING:
                self.warnings.append(text)
            log.debug("TensorRT: %s", text)

        def last(self) -> str:
            lines = self.errors or self.warnings
            return "; ".join(" ".join(line.split()) for line in lines) or "its log is empty"

    return KeepingLogger()


def created(api: TensorRt, kind: Callable[[Any], Any], logger: Any) -> Any:
    """A `Builder` or `Runtime`, sound.

    Where TensorRT cannot work with the driver it logs that and hands out an object all the same; to touch
    that one ends the process (seen with 11.4).

    Raises:
        EngineUnavailable: it could not be created.
    """
    logger.errors.clear()
    try:
        made = kind(logger)
    except (RuntimeError, TypeError) as error:  # TypeError: how older bindings say that there is none
        raise EngineUnavailable(f"{api} cannot start: {error}; {logger.last()}") from error
    if logger.errors:
        raise EngineUnavailable(
            f"{api} cannot start here: {logger.last()}; it needs an NVIDIA GPU and a driver that is new "
            "enough, or choose another backend"
        )
    return made
