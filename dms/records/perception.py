"""What one frame shows: pictures, faces, eyes, and what the engines say of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dms.records.context import NOTHING_KNOWN, Context

Luma = NDArray[np.uint8]
Points = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One captured picture: luma only, uint8, shape (height, width)."""

    id: int
    captured_s: float
    image: Luma


@dataclass(frozen=True, slots=True)
class Box:
    """An axis-aligned box in pixels of the frame."""

    x1: float
    y1: float
    x2: float
    y2: float

    @property
    def width(self) -> float:
        """Width in pixels."""
        return self.x2 - self.x1

    @property
    def height(self) -> float:
        """Height in pixels."""
        return self.y2 - self.y1

    @property
    def center(self) -> tuple[float, float]:
        """Centre (x, y) in pixels."""
        return (self.x1 + self.x2) / 2, (self.y1 + self.y2) / 2

    def iou(self, other: Box) -> float:
        """Intersection over union with another box, 0 to 1."""
        width = min(self.x2, other.x2) - max(self.x1, other.x1)
        height = min(self.y2, other.y2) - max(self.y1, other.y1)
        if width <= 0 or height <= 0:
            return 0.0
        shared = width * height
        return shared / (self.width * self.height + other.width * other.height - shared)


@dataclass(frozen=True, slots=True)
class ImageQuality:
    """What the whole picture is like, before any face: the evidence for a blocked, blind or moved camera.

    `contrast` is the standard deviation of the luma, 0 to 255; `brightness` its mean, 0 to 255;
    `saturated` the share of pixels at the upper end, 0 to 1; `sharpness` the strength of fine detail, in the
    measure of `stages.quality`; `change` the mean absolute difference to the frame before, in grey levels,
    exactly 0 only for the same picture again; `view` how alike the still parts of the picture are to those
    learned since the start, -1 to 1. None where it was not measured.
    """

    contrast: float
    brightness: float | None = None
    saturated: float | None = None
    sharpness: float | None = None
    change: float | None = None
    view: float | None = None


@dataclass(frozen=True, slots=True)
class Face:
    """Where the driver's face is. `tracked` tells a box followed by landmarks from a fresh detection.

    `rival` is the area of the largest other face within three of its widths over that of this one, 0 where
    there is none, None where the detector did not look on this frame.
    """

    captured_s: float
    box: Box
    score: float
    tracked: bool
    rival: float | None = None


@dataclass(frozen=True, slots=True)
class Eye:
    """One eye: lid opening of this crop (0 closed, 1 wide open), its one-sigma error, and visibility."""

    openness: float
    openness_sigma: float
    visibility: float


@dataclass(frozen=True, slots=True)
class Direction:
    """A gaze or head direction in degrees (see the module's conventions) with its one-sigma error."""

    yaw_deg: float
    pitch_deg: float
    sigma_deg: float
    roll_deg: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Eyes:
    """What the `eyes` engine says of one face.

    `landmarks` has shape (60, 2), pixels of the frame, order of `landmarks.NAMES`; `landmark_sigma` shape
    (60,), pixels. `gaze` is meaningless while the eyes are closed or hidden: ask `visibility` first.
    `glasses` is the probability that the driver wears any, None where it was not measured.
    """

    captured_s: float
    landmarks: Points
    landmark_sigma: Points
    right: Eye
    left: Eye
    gaze: Direction
    head: Direction
    presence: float
    glasses: float | None = None


@dataclass(frozen=True, slots=True)
class Fatigue:
    """What the `fatigue` engine says: probabilities."""

    captured_s: float
    closed_right: float
    closed_left: float
    yawn: float
    mouth_covered: float
    squint: float


@dataclass(frozen=True, slots=True)
class Distraction:
    """What the `distraction` engine says: probabilities over its classes, summing to 1."""

    captured_s: float
    phone_at_ear: float
    phone_in_hand: float
    eating_drinking: float
    smoking: float
    hand_on_face: float
    none: float


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything perceived up to one frame, without its pixels: the only input of the judgement.

    `frame_id` is -1 for a moment without a frame. A field is None where nothing was found. A field whose
    `captured_s` is older than the observation's was measured on an earlier frame because its stage was not
    due; whoever uses it checks its age. `faults` maps a stage that failed on this frame to what went wrong:
    what it would have seen is unknown, which is not the same as nothing found. `context` is what was known
    beside the picture, `age_s` how old the frame was when its judgement began, `level` the controller's.
    """

    captured_s: float
    frame_id: int
    quality: ImageQuality | None = None
    face: Face | None = None
    eyes: Eyes | None = None
    fatigue: Fatigue | None = None
    distraction: Distraction | None = None
    faults: Mapping[str, str] = field(default_factory=dict)
    context: Context = NOTHING_KNOWN
    age_s: float = 0.0
    level: int = 0


@dataclass(frozen=True, slots=True)
class FrameState:
    """The frame on its way through the stages.

    `seen` grows stage by stage and starts with results of sub-rate stages carried over; `previous` is what
    was seen on the frame before; `due` names the stages that run on this frame.
    """

    frame: Frame
    seen: Observation
    previous: Observation | None = None
    due: frozenset[str] = frozenset()
