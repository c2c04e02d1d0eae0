"""How a stage looks at a part of the frame: the part is cut out and handed to the stage's engine."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from dms.backends import Arrays, Backend
from dms.backends.checked import check_numbers
from dms.backends.device import DeviceEngine
from dms.control.costs import level_costs
from dms.engines.contract import CONTRACTS
from dms.engines.opening import Opened
from dms.errors import EngineError
from dms.records import Frame, FrameState, Luma, Observation
from dms.resources import cache_folder
from dms.stages.tensors import Crop, Letterbox, cut, eyes_crop, fitted, landmark_box, letterbox

if TYPE_CHECKING:
    from dms.backends.cuda.chain import FrameChain
    from dms.backends.cuda.crops import Cut

log = logging.getLogger(__name__)

FOLLOWERS = frozenset({"fatigue", "distraction"})
"""The nets that look where the landmarks of `eyes` lie."""
WARM_UP_RUNS = 6
WARM_UP_SHAPE = 360, 640
"""Height and width of the empty frame, where nothing is known of the frames to come."""
CLEARLY_FASTER = 0.9
"""Share of the configured engine's time below which another is taken for cheaper: the quickest of a few runs
wavers. A guess."""
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
        from dms.stages.cuts import as_cut  # the parts of the GPU are loaded where there is one

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


class SwitchedView:
    """Two engines of one net, both ready; asks the configured one, or the cheapest.

    `use` only changes which is asked next. So the one who calls it between two frames loses none, and
    nothing is opened, built or made room for.
    """

    def __init__(self, configured: View, cheapest: View) -> None:
        self._configured = configured
        self._cheapest = cheapest
        self._asked = configured

    def use(self, *, cheapest: bool) -> None:
        """Ask the cheapest engine from now on, or the configured one."""
        self._asked = self._cheapest if cheapest else self._configured

    def look(self, state: FrameState, place: Place) -> Arrays:
        """See `View.look`."""
        return self._asked.look(state, place)


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
    from dms.backends.cuda.chain import FrameChain

    with ExitStack() as stack:
        chain = stack.enter_context(closing(FrameChain(engines, cache)))
        if shape is not None:
            chain.prepare(shape)
        stack.pop_all()
    return chain


@dataclass(frozen=True, slots=True)
class Sight:
    """The ways to all engines, and the seconds that one run takes: as configured, and of cheaper forms.

    `cheapest_s` has those that are switched to, by the names of the nets.
    """

    views: Mapping[str, View]
    configured_s: Mapping[str, float]
    cheapest_s: Mapping[str, float]

    def level_costs(self) -> tuple[float, ...]:
        """What a frame costs at each level on this device, relative to level 0, by the runs of the start."""
        return level_costs(self.configured_s, self.cheapest_s)

    def use(self, *, cheapest: bool) -> None:
        """Ask the cheapest engines from now on, or the configured ones; to be called between two frames."""
        for view in self.views.values():
            if isinstance(view, SwitchedView):
                view.use(cheapest=cheapest)


@contextmanager
def open_sight(
    engines: Mapping[str, Opened],
    cheapest: Mapping[str, Opened],
    cache: Path | None = None,
    shape: tuple[int, int] | None = None,
) -> Iterator[Sight]:
    """Both ways to each engine that has a cheaper form, warmed up.

    A form of `cheapest` that is not clearly faster here, or does not run, is left aside: a step up the ladder
    must never make a frame dearer. On a GPU each way is a chain of its own; an engine without a cheaper form
    runs in both. See `open_views`.
    """
    with ExitStack() as stack:
        views = stack.enter_context(open_views(engines, cache, shape))
        configured_s = warm_up(views, shape)
        cheapest_s: Mapping[str, float] = {}
        if cheapest:
            others = stack.enter_context(open_views({**engines, **cheapest}, cache, shape))
            tried_s = warm_up({name: others[name] for name in cheapest}, shape)
            cheapest_s = {name: run_s for name, run_s in tried_s.items() if _pays(name, run_s, configured_s)}
            views.update({name: SwitchedView(views[name], others[name]) for name in cheapest_s})
        yield Sight(views, configured_s, cheapest_s)


def _pays(name: str, run_s: float, configured_s: Mapping[str, float]) -> bool:
    """Whether a form that takes `run_s` is worth switching to; where the configured one fails, any is."""
    own_s = configured_s.get(name, math.inf)
    if run_s < CLEARLY_FASTER * own_s:
        return True
    log.info(
        "engine %s: the form for levels 2 to 4 takes %.2f ms, the configured one %.2f: all levels keep that",
        name,
        1e3 * run_s,
        1e3 * own_s,
    )
    return False


def warm_up(views: Mapping[str, View], shape: tuple[int, int] | None = None) -> dict[str, float]:
    """Run each engine a few times on an empty frame; returns the seconds of its quickest run, if it ran.

    The quickest, because whatever else the machine does at the start only makes runs longer.
    """
    image = np.zeros(shape or WARM_UP_SHAPE, np.uint8)
    run_s: dict[str, float] = {}
    for name, view in views.items():
        try:
            run_s[name] = min(_timed_look(name, view, image) for _ in range(WARM_UP_RUNS))
        except EngineError as error:
            log.warning("engine %s fails on an empty frame: %s", name, error)
    return run_s


def _timed_look(name: str, view: View, image: Luma) -> float:
    frame = Frame(-1, 0.0, image)
    contract = CONTRACTS[name]
    height, width = image.shape
    whole = fitted(image.shape, contract.height, contract.width)
    place = whole if name == "face" else Crop(width / 2, height / 2, height / 2)
    begun_s = time.perf_counter()
    view.look(FrameState(frame, Observation(0.0, frame.id)), place)
    return time.perf_counter() - begun_s
