"""One simulated drive as a frame source, changed as a group asks, and what truly happens in it."""

from __future__ import annotations

import cv2
import numpy as np

from dms.errors import SourceEnded
from dms.evaluation.conditions import CONDITIONS
from dms.records import Frame
from dms.simulator.driver import Driver
from dms.simulator.portrait import load_portrait
from dms.simulator.script import Gaze, Look, Script
from dms.tools.event_truth import AWAY_DEG, SCRIPTED, Event

CONDITION = {condition.name: condition for condition in CONDITIONS}
NOISY = frozenset({"near_infrared", "one_lux"})
"""Drawn anew for every frame; what is worn stays the same through a drive."""
GAZE_AWAY_DEG = 20.0
"""Eyes turned this far in a head that stays look away: well outside the road ellipse."""


class Drive:
    """Frames of a script in order, by script time; not live."""

    live = False

    def __init__(self, script: Script, condition: str) -> None:
        self.fps = script.fps
        self.dropped = 0
        self._script = script
        self._driver = Driver(load_portrait(script.portrait), script)
        self._change = CONDITION[condition].change
        self._noisy = condition in NOISY
        self._next = 0

    def newest(self, timeout_s: float) -> Frame:
        """The next frame.

        Raises:
            SourceEnded: the drive is over.
        """
        number = self._next
        if number >= self._script.frames:
            raise SourceEnded("the drive is over")
        image, truth = self._driver.render(number / self.fps)
        luma = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
        rng = np.random.default_rng([self._script.seed, number if self._noisy else 0])
        luma = self._change(luma, truth.landmarks.astype(np.float32)[None], rng)
        self._next += 1
        return Frame(id=number, captured_s=number / self.fps, image=luma)

    def now_s(self) -> float:
        """Script time of the frame handed out last."""
        return max(0, self._next - 1) / self.fps

    def close(self) -> None:
        """Nothing to release."""


def events_of(script: Script, condition: str) -> list[Event]:
    """What happens in a drive that a rule may have to tell; dark glasses hide the eyes all the time."""
    events = [
        Event(kind=kind, start_s=event.at_s, end_s=event.end_s)
        for event in script.events
        if (kind := _kind(event)) is not None
    ]
    if "eyes" in CONDITION[condition].hides:
        events.append(Event(kind="eyes_hidden", start_s=0.0, end_s=script.duration_s))
    return events


def _kind(event: object) -> str | None:
    if isinstance(event, Look):
        return "look_away" if max(abs(event.yaw_deg), abs(event.pitch_deg)) >= AWAY_DEG else None
    if isinstance(event, Gaze):
        return "gaze_away" if abs(event.yaw_deg) >= GAZE_AWAY_DEG else None
    return SCRIPTED.get(getattr(event, "do", ""))
