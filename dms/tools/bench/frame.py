"""What every row of the benchmark looks at: one frame of the shipped clip in which all stages have work."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np

from dms.backends import open_backend
from dms.config import SourceConfig, TrackingConfig
from dms.engines.contract import CONTRACTS
from dms.engines.manifest import load_manifest
from dms.errors import InputError, SourceEnded
from dms.records import Frame, FrameState, Luma, Observation
from dms.resources import demo_clip
from dms.sources import FrameSource, open_source
from dms.stages import Stage
from dms.stages.distraction import DistractionStage
from dms.stages.eyes import EyesStage
from dms.stages.face import FaceStage
from dms.stages.fatigue import FatigueStage
from dms.stages.tensors import letterbox
from dms.stages.views import CutView, View

Size = tuple[int, int]
"""Width and height of a frame in pixels."""
STAGES: Mapping[str, Callable[[View], Stage]] = {
    "face": lambda view: FaceStage(view, TrackingConfig()),
    "eyes": lambda view: EyesStage(view, TrackingConfig()),
    "fatigue": FatigueStage,
    "distraction": DistractionStage,
}
"""Net → the stage that asks it, in the order of the pipeline."""


States = dict[str, FrameState]
"""Net → the frame as it comes to the net's stage."""


def states_before(sizes: Sequence[Size], engines: Path) -> dict[Size, States]:
    """The frame as it comes to each stage, by frame size.

    What the stages before it saw is taken from the FP32 engines in the folder `engines`, so that every
    platform and precision cuts the same crops.

    Raises:
        EngineError: an FP32 file is missing, changed or cannot be read.
        InputError: no frame of the clip holds a face.
    """
    with ExitStack() as stack:
        stages = {}
        for net, make in STAGES.items():
            path = load_manifest(engines / net).verified_path("fp32")
            stages[net] = make(CutView(net, stack.enter_context(closing(open_backend("ort", path)))))
        source = stack.enter_context(closing(open_source(SourceConfig(realtime=False))))
        picture = next(picture for picture in _pictures(source) if _seen(picture, stages) is not None)
        return {size: _states(_fitted(picture, size), stages) for size in sizes}


def _pictures(source: FrameSource) -> Iterator[Luma]:
    while True:
        try:
            yield source.newest(timeout_s=1.0).image
        except SourceEnded as error:
            raise InputError(f"no face was found in {demo_clip()}; install the package again") from error


def _fitted(picture: Luma, size: Size) -> Luma:
    fitted = np.zeros(size[::-1], np.uint8)
    letterbox(picture, fitted)
    return fitted


def _states(picture: Luma, stages: Mapping[str, Stage]) -> States:
    states = _seen(picture, stages)
    if states is None:
        height, width = picture.shape
        raise InputError(f"no face is found in the clip at {width}x{height}; choose a larger --image-size")
    return states


def _seen(picture: Luma, stages: Mapping[str, Stage]) -> States | None:
    """The state before each stage; None when one of them finds nothing."""
    state = FrameState(Frame(0, 0.0, picture), Observation(0.0, 0), due=frozenset(CONTRACTS))
    before = {}
    for net, stage in stages.items():
        before[net] = state
        state = stage.run(state)
        if getattr(state.seen, net) is None:
            return None
    return before
