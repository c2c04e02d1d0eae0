"""What is made of it: the driver's state, and the alerts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from dms.records.context import NOTHING_KNOWN, Context
from dms.records.perception import Observation


class DriverState(str, Enum):
    """The verdict on the driver, worst first wins. UNKNOWN (cannot tell) and FAULT carry their causes."""

    ATTENTIVE = "attentive"
    DISTRACTED = "distracted"
    DROWSY = "drowsy"
    ASLEEP = "asleep"
    UNRESPONSIVE = "unresponsive"
    UNKNOWN = "unknown"
    FAULT = "fault"


class UnknownCause(str, Enum):
    """Why the driver, or a part of his state, cannot be judged."""

    NO_FACE = "no_face"
    TWO_DRIVERS = "two_drivers"
    EYES_HIDDEN = "eyes_hidden"
    GLARE = "glare"
    DARK = "dark"
    BLOCKED = "blocked"
    FROZEN = "frozen"
    DEFOCUSED = "defocused"
    CAMERA_MOVED = "camera_moved"
    CALIBRATING = "calibrating"
    STALE = "stale"
    OVERLOAD = "overload"
    CAMERA_LOST = "camera_lost"
    ENGINE_FAILED = "engine_failed"


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
    rest is not. `unknown_since_s` tells since when each of them holds, `state_since_s` since when the state.
    `calibration` is the share (0 to 1) of this driver's baseline that is learned, `learned` the same by part
    (`eyes`, `forward`, `wheel_side`).
    `gaze_source` is "gaze", "head" or None: what eyes-off-road was judged by.
    `confidence` (0 to 1) is lower where the head stands in for the eyes and where the outputs are unsure.
    `zone` is the gaze zone now looked at (`assess.zones`), None where it cannot be told.
    `baseline` and `uncertainty` tell by name what the driver is measured against, and the one-sigma errors.
    `context`, `age_s` and `level` are those of the observation.
    """

    captured_s: float
    state: DriverState
    unknown_causes: tuple[UnknownCause, ...] = ()
    signals: Mapping[str, Signal] = field(default_factory=dict)
    calibration: float = 0.0
    gaze_source: str | None = None
    unknown_since_s: Mapping[UnknownCause, float] = field(default_factory=dict)
    state_since_s: float | None = None
    confidence: float = 1.0
    zone: str | None = None
    learned: Mapping[str, float] = field(default_factory=dict)
    baseline: Mapping[str, float | None] = field(default_factory=dict)
    uncertainty: Mapping[str, float | None] = field(default_factory=dict)
    context: Context = NOTHING_KNOWN
    age_s: float = 0.0
    level: int = 0


class Phase(str, Enum):
    """Where an alert is in its life."""

    START = "start"
    UPDATE = "update"
    END = "end"


class Severity(str, Enum):
    """How urgent an alert is, mildest first."""

    CAUTION = "caution"
    WARNING = "warning"
    URGENT = "urgent"
    EMERGENCY = "emergency"


@dataclass(frozen=True, slots=True)
class Alert:
    """One phase of one alert. `id` is the same in every phase and after escalation.

    `type` is `<area>.<name>` (for example `fatigue.microsleep`); `cause` is a sentence for a person;
    `evidence` holds the signals and limits that decided, by name. `profile`, its version and hash name the
    rules in force; `acknowledged_s` is when the driver took note, None while he has not.
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
    profile_version: int = 0
    profile_hash: str = ""
    acknowledged_s: float | None = None

    @property
    def duration_s(self) -> float:
        """Seconds from onset to this phase."""
        return self.captured_s - self.onset_s


@dataclass(frozen=True, slots=True)
class Judgement:
    """All there is to say about one frame.

    `alerts` are the phases that began with this frame; `stage_s` maps a stage's name to the seconds it took.
    `checkpoint`, where one was asked for and due, is the state from which this frame was judged, as plain
    values (`recording.checkpoint`). `stand_in` tells that nobody judged it: it stands in for a camera that
    hangs, and no replay can come to it.
    """

    observation: Observation
    assessment: Assessment
    alerts: tuple[Alert, ...]
    stage_s: Mapping[str, float]
    checkpoint: Mapping[str, Any] | None = None
    stand_in: bool = False

    @property
    def faults(self) -> Mapping[str, str]:
        """Stages that failed on this frame, and why."""
        return self.observation.faults
