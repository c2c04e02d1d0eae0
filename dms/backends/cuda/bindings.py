"""Where the CUDA bindings for Python come from (extras `jetson6` and `jetson7`)."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from dms.errors import EngineUnavailable

INSTALL = "pip install 'dms[jetson6]' (JetPack 6, CUDA 12) or 'dms[jetson7]' (JetPack 7 and newer, CUDA 13)"
ELSE = "or choose another backend"


def bindings(module: str) -> Any:
    """A module of `cuda.bindings`: `runtime`, `driver` or `nvrtc`.

    Raises:
        EngineUnavailable: they are not installed.
    """
    try:
        return import_module(f"cuda.bindings.{module}")
    except ImportError as e:
        raise EngineUnavailable(f"the CUDA bindings for Python are not installed; {INSTALL}") from e
