"""How a stage looks at a part of the frame: the part is cut out and handed to the stage's engine."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np

from dms.backends import Arrays, Backend
from dms.backends.checked import check_numbers
from dms.backends.cuda.chain import FrameChain
from dms.backends.cuda.crops import Cut
from dms.backends.device import DeviceEngine
from dms.engines.contract import CONTRACTS
from dms.engines.opening import Opened
from dms.errors import EngineError
from dms.records import FrameState
from dms.resources import cache_folder
from dms.stages.cuts import as_cut
from dms.stages.tensors import Crop, Letterbox, cut, eyes_crop, landmark_box, letterbox

log = logging.getLogger(__name__)

FOLLOWERS = frozenset({"fatigue", "distraction"})
"""The nets that look where the landmarks of `eyes` lie."""
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


class DeviceView:
    """Asks one net of a chain on the GPU, and lets the nets that are due run along with it.

    With `face` runs `eyes` where the track leads, when there is one; with `eyes` run those that look where
    its landmarks are. What they say is there when they are asked: the same as if each had run by itself.
    """

    def __init__(self, net: str, chain: FrameChain) -> None:
        self._net = net
        self._chain = chain

    def look(self, state: FrameState, place: Place) -> Arrays:
        """See `View.look`."""
        places = {self._net: place}
        previous = state.previous.eyes if state.previous else None
        if self._net == "face" and previous is not None and "eyes" in self._chain.nets:
            places["eyes"] = eyes_crop(landmark_box(previous.landmarks))
        followers = FOLLOWERS & state.due & self._chain.nets if "eyes" in places else frozenset()
        cuts = {net: as_cut(place, CONTRACTS[net].width) for net, place in places.items()}
        try:
            results = self._ask(state, cuts, followers)
        except EngineError:
            if len(cuts) == 1 and not followers:
                raise
            # Whoever ran along may be at fault; that must not blind this one.
            results = self._ask(state, {self._net: cuts[self._net]})
        check_numbers(self._net, results)
        return results

    def _ask(self, state: FrameState, cuts: Mapping[str, Cut], followers: Collection[str] = ()) -> Arrays:
        return self._chain.look(self._net, state.frame.id, state.frame.image, cuts, followers)


@contextmanager
def open_views(
    engines: Mapping[str, Opened], cache: Path | None = None, shape: tuple[int, int] | None = None
) -> Iterator[dict[str, View]]:
    """The way to each engine's input: engines that compute on a GPU are chained there, the others cut for.

    Args:
        engines: by the net's name.
        cache: the folder for compiled kernels; None means the user's own.
        shape: height and width of the frames to come, so that the first need not wait; None where unknown.
    """
    views: dict[str, View] = {name: CutView(name, engine.backend) for name, engine in engines.items()}
    on_device = {name: engine.device for name, engine in engines.items() if engine.device is not None}
    with ExitStack() as stack:
        if on_device:
            try:
                chain = stack.enter_context(closing(_prepared(on_device, cache or cache_folder(), shape)))
                views.update({name: DeviceView(name, chain) for name in on_device})
            except EngineError as error:
                log.warning("frames are cut by the processor, not by the GPU: %s", error)
        yield views


def _prepared(engines: Mapping[str, DeviceEngine], cache: Path, shape: tuple[int, int] | None) -> FrameChain:
    with ExitStack() as stack:
        chain = stack.enter_context(closing(FrameChain(engines, cache)))
        if shape is not None:
            chain.prepare(shape)
        stack.pop_all()
    return chain
