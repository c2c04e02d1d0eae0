"""Frozen values that travel from capture to alert.

Conventions, valid everywhere inside `dms`:

* Time is seconds on the clock of the source (monotonic for cameras, recorded time for files), stamped at
  capture as `captured_s` and carried along. Frames are never counted to mean time.
* Angles are degrees as seen in the image: yaw + towards the image's right, pitch + up, roll + clockwise.
  Head pose and gaze are relative to the line of sight from the camera to the face.
* Left and right of eyes and mouth are the subject's own: the right eye is on the image's left.
* Probabilities and openness run 0 to 1. `None` means unknown, which is never the same as good.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import NDArray

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


@dataclass(frozen=True, slots=True)
class ImageQuality:
    """What the whole picture is like, before any face: the evidence for a blocked or blind camera.

    `contrast` is the standard deviation of the luma, 0 to 255.
    """

    contrast: float


@dataclass(frozen=True, slots=True)
class Face:
    """Where the driver's face is. `tracked` tells a box followed by landmarks from a fresh detection."""

    captured_s: float
    box: Box
    score: float
    tracked: bool


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
    """

    captured_s: float
    landmarks: Points
    landmark_sigma: Points
    right: Eye
    left: Eye
    gaze: Direction
    head: Direction
    presence: float


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
    what it would have seen is unknown, which is not the same as nothing found.
    """

    captured_s: float
    frame_id: int
    quality: ImageQuality | None = None
    face: Face | None = None
    eyes: Eyes | None = None
    fatigue: Fatigue | None = None
    distraction: Distraction | None = None
    faults: Mapping[str, str] = field(default_factory=dict)


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


class DriverState(str, Enum):
    """The verdict on the driver, worst first wins. UNKNOWN always carries its causes."""

    ATTENTIVE = "attentive"
    DISTRACTED = "distracted"
    DROWSY = "drowsy"
    ASLEEP = "asleep"
    UNRESPONSIVE = "unresponsive"
    UNKNOWN = "unknown"


class UnknownCause(str, Enum):
    """Why the driver, or a part of his state, cannot be judged."""

    NO_FACE = "no_face"
    EYES_HIDDEN = "eyes_hidden"
    BLOCKED = "blocked"
    CALIBRATING = "calibrating"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class Signal:
    """A judged quantity: its value (None = unknown) and since when the condition behind it has lasted."""

    value: float | None
    onset_s: float | None = None


@dataclass(frozen=True, slots=True)
class Assessment:
    """The judgement of one moment.

    `signals` holds one entry for every name of `assess.SIGNALS`; alert rules are written over these names.
    `unknown_causes` may be non-empty while `state` is known: a part is unknown (eyes hidden), the
    rest is not.
    `calibration` is the share (0 to 1) of this driver's baseline that is learned.
    `gaze_source` is "gaze", "head" or None: what eyes-off-road was judged by.
    """

    captured_s: float
    state: DriverState
    unknown_causes: tuple[UnknownCause, ...] = ()
    signals: Mapping[str, Signal] = field(default_factory=dict)
    calibration: float = 0.0
    gaze_source: str | None = None


class Phase(str, Enum):
    """Where an alert is in its life."""

    START = "start"
    UPDATE = "update"
    END = "end"


class Severity(str, Enum):
    """How urgent an alert is, mildest first."""

    INFO = "info"
    WARNING = "warning"
    URGENT = "urgent"
    EMERGENCY = "emergency"


@dataclass(frozen=True, slots=True)
class Alert:
    """One phase of one alert. `id` is the same in every phase and after escalation.

    `type` is `<area>.<name>` (for example `fatigue.microsleep`); `cause` is a sentence for a person;
    `evidence` holds the signals and limits that decided, by name.
    """

    id: str
    type: str
    phase: Phase
    severity: Severity
    onset_s: float
    detected_s: float
    captured_s: float
    cause: str
    evidence: Mapping[str, float | str | None]
    profile: str

    @property
    def duration_s(self) -> float:
        """Seconds from onset to this phase."""
        return self.captured_s - self.onset_s


@dataclass(frozen=True, slots=True)
class Judgement:
    """All there is to say about one frame.

    `alerts` are the phases that began with this frame; `stage_s` maps a stage's name to the seconds it took.
    """

    observation: Observation
    assessment: Assessment
    alerts: tuple[Alert, ...]
    stage_s: Mapping[str, float]

    @property
    def faults(self) -> Mapping[str, str]:
        """Stages that failed on this frame, and why."""
        return self.observation.faults


@dataclass(frozen=True, slots=True)
class DeviceReading:
    """What the device tells of itself at one moment. None, or no entry, is unknown: never cool, never idle.

    `read_s` is on the machine's monotonic clock. `trip_c` is the temperature from which the device slows its
    clocks down, by its own trip points. `throttled_by` names what holds clocks down now. `over_current`
    counts the events that must not be, since the start of the device. `pressure` is the share of the last ten
    seconds in which some task waited for a processor (PSI), 0 to 1; loads are 0 to 1.
    """

    read_s: float
    temperatures_c: Mapping[str, float | None] = field(default_factory=dict)
    trip_c: float | None = None
    throttled_by: tuple[str, ...] | None = None
    over_current: int | None = None
    board_w: float | None = None
    cpu_load: float | None = None
    gpu_load: float | None = None
    pressure: float | None = None

    @property
    def hottest_c(self) -> float | None:
        """The hottest zone that could be read; Celsius."""
        return max((c for c in self.temperatures_c.values() if c is not None), default=None)


@dataclass(frozen=True, slots=True)
class Control:
    """What the controller decided: told at the start and at every change.

    `level` runs from 0, all that is configured, to 4, the least that still judges (`control.levels`).
    `cause` is a stable code, `detail` a sentence for a person. `held` tells that the level stays where it is,
    because it changed too often or because a sensor it must know is lost.
    """

    captured_s: float
    level: int
    previous: int
    cause: str
    detail: str
    held: bool = False


@dataclass(frozen=True, slots=True)
class Vitals:
    """How the process itself fares, over the last window.

    Latencies are seconds to the judgement: from the capture for live sources and for recordings played at
    their pace, from the moment the frame was handed out for the others. `waited_p95_s` is how old frames were
    when their judgement began. These three are None when no frame was judged in the window.

    `drops` counts frames never judged since the start, by reason: `newer` (another came before the loop was
    free), `late` (too old to be judged in time), `level` (the controller asked for fewer), `failed` (the
    pipeline broke on it). `cpu_share` is what this process took of one core. `sinks` holds what each sink
    tells of itself.
    """

    captured_s: float
    frames: int
    drops: Mapping[str, int]
    fps: float
    latency_p50_s: float | None
    latency_p95_s: float | None
    waited_p95_s: float | None
    stage_p50_s: Mapping[str, float]
    stage_p95_s: Mapping[str, float]
    rss_bytes: int
    cpu_share: float
    level: int = 0
    device: DeviceReading | None = None
    sinks: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def dropped(self) -> int:
        """Frames never judged, whatever the reason."""
        return sum(self.drops.values())


class HealthState(str, Enum):
    """Whether the system can do its work."""

    OK = "ok"
    DEGRADED = "degraded"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Health:
    """The system's health after a change. `causes` maps a stable code to a sentence for a person."""

    captured_s: float
    state: HealthState
    causes: Mapping[str, str] = field(default_factory=dict)


Message = Judgement | Vitals | Health | Control
