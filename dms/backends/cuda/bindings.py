"""Where the CUDA bindings for Python come from (extras `jetson6` and `jetson7`)."""

from __future__ import annotations

from typing import Any

from dms.backends.packages import load

INSTALL = "pip install 'dms[jetson6]' (JetPack 6, CUDA 12) or 'dms[jetson7]' (JetPack 7 and newer, CUDA 13)"
ELSE = "or choose another backend"


def bindings(module: str) -> Any:
    """A module of `cuda.bindings`: `runtime`, `driver` or `nvrtc`.

    Raises:
        EngineUnavailable: they are not installed.
    """
    return load(f"cuda.bindings.{module}", "CUDA's bindings for Python", INSTALL)
