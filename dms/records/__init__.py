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

from dms.records.context import NOTHING_KNOWN, Acknowledgement, Context, Turn, Vehicle
from dms.records.judgement import (
    Alert,
    Assessment,
    DriverState,
    Judgement,
    Phase,
    Severity,
    Signal,
    UnknownCause,
)
from dms.records.perception import (
    Box,
    Direction,
    Distraction,
    Eye,
    Eyes,
    Face,
    Fatigue,
    Frame,
    FrameState,
    ImageQuality,
    Luma,
    Observation,
    Points,
)
from dms.records.vitals import Control, DeviceReading, Health, HealthState, Vitals

Message = Judgement | Vitals | Health | Control

__all__ = [
    "NOTHING_KNOWN",
    "Acknowledgement",
    "Alert",
    "Assessment",
    "Box",
    "Context",
    "Control",
    "DeviceReading",
    "Direction",
    "Distraction",
    "DriverState",
    "Eye",
    "Eyes",
    "Face",
    "Fatigue",
    "Frame",
    "FrameState",
    "Health",
    "HealthState",
    "ImageQuality",
    "Judgement",
    "Luma",
    "Message",
    "Observation",
    "Phase",
    "Points",
    "Severity",
    "Signal",
    "Turn",
    "UnknownCause",
    "Vehicle",
    "Vitals",
]
