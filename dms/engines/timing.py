"""How long engines take for one image, side by side.

Other work on the machine slows some runs and not others. So all engines take turns in short blocks, a block
tells its lower quartile, and a ratio is taken between blocks of the same turn; how far the turns disagree is
told as its range.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from dms.backends import Arrays, Backend
from dms.engines.contract import CONTRACTS

TURNS, BLOCK, WARM_UP = 9, 30, 3
"""Turns of all engines, timed runs of an engine in each, and runs before them that are not counted."""
QUARTILE = 25
Times = NDArray[np.float64]
Key = TypeVar("Key", bound=Hashable)


def times_ms(net: str, engines: Mapping[Key, Backend], turns: int = TURNS) -> dict[Key, Times]:
    """Milliseconds of every timed run on one image of `net`, (turns, BLOCK) of each engine."""
    feeds = _image(net)
    spent: dict[Key, list[Times]] = {key: [] for key in engines}
    for _ in range(turns):
        for key, backend in engines.items():
            spent[key].append(_block_ms(backend, feeds))
    return {key: np.array(blocks).reshape(turns, BLOCK) for key, blocks in spent.items()}


def quartiles_ms(times: Times) -> Times:
    """What each turn tells (turns,): its lower quartile."""
    found: Times = np.percentile(times, QUARTILE, axis=1)
    return found


def _image(net: str) -> dict[str, NDArray[Any]]:
    shape = (1, 1, CONTRACTS[net].height, CONTRACTS[net].width)
    return {"image": np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)}


def _block_ms(backend: Backend, feeds: Arrays) -> Times:
    times = []
    for _ in range(WARM_UP + BLOCK):
        started = time.perf_counter()
        backend.infer(feeds)
        times.append(time.perf_counter() - started)
    return np.array(times[WARM_UP:]) * 1e3
