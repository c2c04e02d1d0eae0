"""What the stages see of the demonstration clip through given views."""

from dataclasses import replace

import cv2
import numpy as np

from dms.config import TrackingConfig
from dms.errors import EngineError
from dms.records import Frame, FrameState, Observation
from dms.resources import demo_clip
from dms.stages import with_fault
from dms.stages.distraction import DistractionStage
from dms.stages.eyes import EyesStage
from dms.stages.face import FaceStage
from dms.stages.fatigue import FatigueStage

FOUR = frozenset({"face", "fatigue", "distraction"})
TRACKED = frozenset({"fatigue"})


def frames(count, step=5):
    capture = cv2.VideoCapture(str(demo_clip()))
    pictures = [capture.read()[1] for _ in range(count * step)][::step]
    return [Frame(i, i / 6, cv2.cvtColor(p, cv2.COLOR_BGR2GRAY)) for i, p in enumerate(pictures)]


def stages(views):
    config = TrackingConfig()
    return (
        FaceStage(views["face"], config),
        EyesStage(views["eyes"], config),
        FatigueStage(views["fatigue"]),
        DistractionStage(views["distraction"]),
    )


def seen_on(views, pictures):
    """What the stages see, frame by frame; every third frame all four nets are due, else one follower."""
    seen, previous, run = [], None, stages(views)
    for frame in pictures:
        due = FOUR if previous is None or previous.eyes is None or frame.id % 3 == 0 else TRACKED
        state = FrameState(frame, Observation(frame.captured_s, frame.id), previous, due)
        for stage in run:
            try:
                state = stage.run(state)
            except EngineError as error:  # as the pipeline does
                state = replace(state, seen=with_fault(state.seen, stage.name, error))
        previous = state.seen
        seen.append(state.seen)
    return seen


LIMITS = {"landmarks_px": 0.2, "yaw_deg": 0.5, "probability": 0.02}
"""How far apart two ways may be that cut by the same arithmetic. The track passes rounding on from frame to
frame, bounded: measured over 60 frames 0.07 pixels, 0.17 degrees and 0.004."""


def apart(found, expected):
    """The largest differences; both must see the same things, on most frames a face."""
    assert sum(seen.eyes is not None for seen in expected) > len(expected) // 2, "the clip shows a face"
    worst = dict.fromkeys(LIMITS, 0.0)
    for one, other in zip(found, expected, strict=True):
        assert not one.faults
        assert not other.faults
        for part in ("face", "eyes", "fatigue", "distraction"):
            assert (getattr(one, part) is None) == (getattr(other, part) is None), part
        if other.eyes is not None:
            raise_to(worst, "landmarks_px", np.abs(one.eyes.landmarks - other.eyes.landmarks).max())
            raise_to(worst, "yaw_deg", abs(one.eyes.gaze.yaw_deg - other.eyes.gaze.yaw_deg))
        for part in ("fatigue", "distraction"):
            if getattr(other, part) is not None:
                pair = values(getattr(one, part)), values(getattr(other, part))
                raise_to(worst, "probability", np.abs(np.subtract(*pair)).max())
    return worst


def raise_to(worst, name, value):
    worst[name] = max(worst[name], float(value))


def values(record):
    return [getattr(record, name) for name in record.__dataclass_fields__]
