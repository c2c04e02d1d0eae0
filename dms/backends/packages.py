"""Loading the package of an optional runtime: one that is missing and one that is broken are two troubles."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from dms.errors import EngineUnavailable


def load(module: str, title: str, install: str) -> ModuleType:
    """Import the module of the runtime called `title`; `install` is what one does to get it.

    Raises:
        EngineUnavailable: it is not installed, or is and cannot be loaded; the text says which.
    """
    try:
        return import_module(module)
    except ImportError as e:
        absent = isinstance(e, ModuleNotFoundError) and f"{module}.".startswith(f"{e.name}.")
        trouble = "is not installed" if absent else f"is installed, but cannot be loaded ({e})"
        raise EngineUnavailable(f"{title} {trouble}; {install}, or choose the backend `ort`") from e
