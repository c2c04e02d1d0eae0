"""How a stage looks at a part of the frame: the part is cut out and handed to the stage's engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

import numpy as np

from dms.backends import Arrays, Backend
from dms.engines.contract import CONTRACTS
from dms.engines.opening import Opened
from dms.records import FrameState
from dms.stages.tensors import Crop, Letterbox, cut, letterbox

Place = Crop | Letterbox
"""Which part of the frame: a turned square, or all of it."""


class View(Protocol):
    """One engine and the way to its input."""

    def look(self, state: FrameState, place: Place) -> Arrays:
        """What the engine says of a part of the frame; batch of one.

        Raises:
            EngineError: the runtime failed.
        """
        ...


class CutView:
    """Cuts with OpenCV into one buffer and asks a backend."""

    def __init__(self, net: str, backend: Backend) -> None:
        contract = CONTRACTS[net]
        self._backend = backend
        self._input = np.zeros((1, 1, contract.height, contract.width), np.uint8)

    def look(self, state: FrameState, place: Place) -> Arrays:
        """See `View.look`."""
        if isinstance(place, Crop):
            cut(state.frame.image, place, self._input[0, 0])
        else:
            letterbox(state.frame.image, self._input[0, 0])
        return self._backend.infer({"image": self._input})


@contextmanager
def open_views(engines: Mapping[str, Opened]) -> Iterator[dict[str, View]]:
    """The way to each engine's input."""
    yield {name: CutView(name, engine.backend) for name, engine in engines.items()}
