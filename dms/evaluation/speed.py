"""How long one image takes, on every runtime and of every artefact, side by side (`engines.timing`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np

from dms.backends import BACKENDS, Backend, emulated, installed, open_backend
from dms.engines.manifest import Manifest, is_foreign, load_manifest
from dms.engines.timing import TURNS, quartiles_ms, times_ms
from dms.errors import EngineError, EngineUnavailable
from dms.evaluation.metrics import Array

Key = tuple[str, str]
"""Runtime and precision."""


def runtimes() -> tuple[str, ...]:
    """The runtimes of this machine worth timing: installed, and no emulator of other hardware."""
    return tuple(name for name in BACKENDS if installed(name) and not emulated(name))


def speed_ms(
    net: str, folder: Path, precisions: Iterable[str], backends: Iterable[str], turns: int = TURNS
) -> dict[Key, float]:
    """Milliseconds of one image on one thread by (runtime, precision), but for what a runtime cannot load."""
    blocks = blocks_ms(net, folder, precisions, backends, turns)
    return {key: float(np.median(each)) for key, each in blocks.items()}


def blocks_ms(
    net: str, folder: Path, precisions: Iterable[str], backends: Iterable[str], turns: int = TURNS
) -> dict[Key, Array]:
    """The lower quartile in milliseconds of every turn (turns,) by (runtime, precision)."""
    note = load_manifest(folder)
    wanted = [(r, p) for r in backends for p in precisions if p in note.readable(r)]
    with ExitStack() as stack:
        running = {key: stack.enter_context(closing(b)) for key, b in _opened(wanted, note)}
        return {key: quartiles_ms(times) for key, times in times_ms(net, running, turns).items()}


def _opened(wanted: Iterable[Key], note: Manifest) -> Iterator[tuple[Key, Backend]]:
    for runtime, precision in wanted:
        path = note.verified_path(precision)
        try:
            backend = open_backend(runtime, path)
        except EngineUnavailable:
            continue  # its hardware is not here
        except EngineError:
            if not is_foreign(precision, runtime):
                raise
            continue  # made for another runtime: it has no speed to tell here
        yield (runtime, precision), backend
