"""How long one image takes, on every runtime and of every artefact, side by side.

Other work on the machine slows some runs and not others. So all files of a net take turns in short blocks,
a block tells its lower quartile, and a ratio is taken between blocks of the same turn; how far the turns
disagree is told as its range.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import numpy as np

from dms.backends import BACKENDS, Backend, installed, open_backend
from dms.engines.contract import CONTRACTS
from dms.engines.manifest import Manifest, is_foreign, load_manifest
from dms.errors import EngineError
from dms.evaluation.metrics import Array

TURNS, BLOCK, WARM_UP = 9, 30, 3
"""Turns of all files, timed runs of a file in each, and runs before them that are not counted."""
QUARTILE = 25
Key = tuple[str, str]
"""Runtime and precision."""


def runtimes() -> tuple[str, ...]:
    """The runtimes of this machine that can be timed: those whose package is installed."""
    return tuple(name for name in BACKENDS if installed(name))


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
    contract, note = CONTRACTS[net], load_manifest(folder)
    image = np.random.default_rng(0).integers(0, 255, (1, 1, contract.height, contract.width), dtype=np.uint8)
    wanted = [(r, p) for r in backends for p in precisions if p in note.readable(r)]
    with ExitStack() as stack:
        running = {key: stack.enter_context(closing(b)) for key, b in _opened(wanted, note)}
        spent: dict[Key, list[float]] = {key: [] for key in running}
        for _ in range(turns):
            for key, backend in running.items():
                spent[key].append(_block_ms(backend, image))
    return {key: np.array(each) for key, each in spent.items()}


def _block_ms(backend: Backend, image: Any) -> float:
    times = []
    for _ in range(WARM_UP + BLOCK):
        started = time.perf_counter()
        backend.infer({"image": image})
        times.append(time.perf_counter() - started)
    return float(np.percentile(times[WARM_UP:], QUARTILE) * 1e3)


def _opened(wanted: Iterable[Key], note: Manifest) -> Iterator[tuple[Key, Backend]]:
    for runtime, precision in wanted:
        path = note.verified_path(precision)
        try:
            backend = open_backend(runtime, path)
        except EngineError:
            if not is_foreign(precision, runtime):
                raise
            continue  # made for another runtime: it has no speed to tell here
        yield (runtime, precision), backend
