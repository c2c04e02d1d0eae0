"""Fakes for tests: a clock moved by hand, a scripted source, a remembering sink, stories of drivers.

A story is told in simulated time and sampled at any rate:

```
story = Story(fps=30).attentive(10).look_away(3.05, yaw_deg=40).attentive(5)
alerts = play(story, AssessConfig(), load_profile("euroncap_2026"))
```
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

import numpy as np

from dms import landmarks
from dms.alerts import AlertManager, Profile
from dms.assess import Assessor
from dms.config.assess import AssessConfig
from dms.errors import SourceEnded
from dms.records import (
    NOTHING_KNOWN,
    Acknowledgement,
    Alert,
    Assessment,
    Box,
    Context,
    Direction,
    Distraction,
    Eye,
    Eyes,
    Face,
    Fatigue,
    Frame,
    ImageQuality,
    Message,
    Observation,
    Vehicle,
)

_LANDMARKS = np.zeros((landmarks.COUNT, 2), np.float32)
_LANDMARK_SIGMA = np.zeros(landmarks.COUNT, np.float32)
_BOX = Box(240.0, 100.0, 400.0, 300.0)


class ManualClock:
    """A clock that stands still until it is moved; call it for its time in seconds."""

    def __init__(self, now_s: float = 0.0) -> None:
        """Start at a time."""
        self._now_s = now_s

    def __call__(self) -> float:
        """Present time in seconds."""
        return self._now_s

    def advance(self, seconds: float) -> None:
        """Move on."""
        self._now_s += seconds


class ScriptedSource:
    """A `FrameSource` that hands out given frames in order, raises given errors, then ends."""

    fps = 30.0

    def __init__(self, script: Iterable[Frame | Exception], *, live: bool = False) -> None:
        """Take frames, and errors to raise in their place."""
        self._script = iter(script)
        self.live = live
        self.dropped = 0
        self.closed = False
        self._last_s = 0.0

    def newest(self, timeout_s: float) -> Frame:
        """Return the next frame at once.

        Raises:
            SourceEnded: the script is over.
        """
        step = next(self._script, None)
        if step is None:
            raise SourceEnded("the script is over")
        if isinstance(step, Exception):
            raise step
        self._last_s = step.captured_s
        return step

    def now_s(self) -> float:
        """`captured_s` of the last frame; 0 before the first."""
        return self._last_s

    def close(self) -> None:
        """Note that the source was closed."""
        self.closed = True


class MemorySink:
    """A `Sink` that keeps what it is told."""

    name = "memory"

    def __init__(self) -> None:
        """Start empty."""
        self.messages: list[Message] = []
        self.closed = False

    def publish(self, message: Message) -> None:
        """Keep one message."""
        self.messages.append(message)

    def fault(self) -> str | None:
        """Never at fault."""
        return None

    def figures(self) -> Mapping[str, float]:
        """Nothing to tell."""
        return {}

    def close(self) -> None:
        """Note that the sink was closed."""
        self.closed = True


@dataclass(frozen=True, slots=True)
class Scene:
    """What there is to perceive for a while. Angles in degrees, openness and probabilities 0 to 1."""

    face: bool = True
    contrast: float = 50.0
    openness: float = 0.9
    closed: float | None = None
    """Closed probability of the fatigue engine; None = it agrees with `openness`."""
    openness_to: float | None = None
    """Openness moves evenly to this by the end of the scene."""
    visibility: float = 1.0
    head_yaw_deg: float = 0.0
    head_pitch_deg: float = 0.0
    gaze_yaw_deg: float = 0.0
    gaze_pitch_deg: float = 0.0
    yawn: float = 0.0
    mouth_covered: float = 0.0
    phone: float = 0.0
    eating: float = 0.0
    smoking: float = 0.0
    hand_on_face: float = 0.0
    squint: float = 0.0
    openness_sigma: float = 0.05
    gaze_sigma_deg: float = 6.0
    head_sigma_deg: float = 3.0
    hidden_eye: str | None = None
    """`right` or `left`: this eye alone cannot be seen."""
    glasses: float | None = None
    rival: float | None = None
    brightness: float | None = 120.0
    saturated: float | None = 0.0
    sharpness: float | None = 8.0
    change: float | None = 3.0
    view: float | None = 0.95
    faults: tuple[str, ...] = ()
    """Stages that fail: nothing of theirs is found."""
    age_s: float = 0.0
    """How old all results are."""
    silent: bool = False
    """No observation at all: frames are lost."""


class Story:
    """Scenes one after the other, sampled at `fps`, or at intervals drawn from `jitter_s` if given.

    `drop` is the share of frames lost at random, `noise_deg` the white noise on the gaze; both are drawn
    from `seed`, so a story is always the same.
    """

    def __init__(
        self,
        fps: float = 30.0,
        *,
        jitter_s: tuple[float, float] | None = None,
        drop: float = 0.0,
        noise_deg: float = 0.0,
        seed: int = 0,
        start_s: float = 100.0,
    ) -> None:
        """Begin an empty story."""
        self._fps = fps
        self._jitter_s = jitter_s
        self._drop = drop
        self._noise_deg = noise_deg
        self._seed = seed
        self._start_s = start_s
        self._parts: list[tuple[float, Scene, Context]] = []
        self._context = NOTHING_KNOWN
        self._acknowledged_s: list[float] = []

    @property
    def end_s(self) -> float:
        """Time at which the next scene begins."""
        return self._start_s + sum(duration_s for duration_s, _, _ in self._parts)

    def then(self, duration_s: float, scene: Scene) -> Story:
        """Go on with a scene."""
        self._parts.append((duration_s, scene, self._context))
        return self

    def driving(self, speed_kmh: float | None = None, **more: Any) -> Story:
        """From here on the vehicle tells this; `more` are other fields of `Vehicle`. None = unknown."""
        self._context = Context(Vehicle(speed_kmh=speed_kmh, **more), configured=True)
        return self

    def acknowledge(self) -> Story:
        """Here the driver acknowledges all alerts."""
        self._acknowledged_s.append(self.end_s)
        return self

    def attentive(self, duration_s: float) -> Story:
        """Eyes open, on the road."""
        return self.then(duration_s, Scene())

    def look_away(
        self, duration_s: float, yaw_deg: float = 40.0, pitch_deg: float = 0.0, *, head: bool = True
    ) -> Story:
        """Look aside with head and eyes (owl), or with the eyes alone (lizard, `head=False`)."""
        head_deg = (yaw_deg, pitch_deg) if head else (0.0, 0.0)
        return self.then(duration_s, Scene(True, 50.0, 0.9, None, None, 1.0, *head_deg, yaw_deg, pitch_deg))

    def closed(self, duration_s: float) -> Story:
        """Eyes closed."""
        return self.then(duration_s, Scene(openness=0.05))

    def droop(self, duration_s: float, start: float, end: float) -> Story:
        """Lids moving evenly from one openness to another."""
        return self.then(duration_s, Scene(openness=start, openness_to=end))

    def yawn(self, duration_s: float) -> Story:
        """Mouth wide open."""
        return self.then(duration_s, Scene(yawn=0.95))

    def phone(self, duration_s: float) -> Story:
        """A phone in the hand, eyes on the road."""
        return self.then(duration_s, Scene(phone=0.95))

    def no_face(self, duration_s: float) -> Story:
        """Nobody to be seen in a good picture."""
        return self.then(duration_s, Scene(face=False))

    def covered(self, duration_s: float) -> Story:
        """Lens covered."""
        return self.then(duration_s, Scene(face=False, contrast=1.0))

    def sunglasses(self, duration_s: float, yaw_deg: float = 0.0) -> Story:
        """Eyes hidden; what the engines say of them is meaningless. The head points to `yaw_deg`."""
        hidden = Scene(visibility=0.1, openness=0.1, head_yaw_deg=yaw_deg, gaze_yaw_deg=60.0)
        return self.then(duration_s, hidden)

    def silence(self, duration_s: float) -> Story:
        """No frames."""
        return self.then(duration_s, Scene(silent=True))

    def observations(self) -> list[Observation]:
        """The whole story as perceived, the same on every call."""
        noise = random.Random(self._seed + 1)
        begins_s = list(accumulate((part[0] for part in self._parts), initial=self._start_s))[:-1]
        due_s = deque(self._acknowledged_s)
        seen = []
        for number, now_s in enumerate(self._times_s()):
            index = bisect_right(begins_s, now_s + 1e-9) - 1
            duration_s, scene, context = self._parts[index]
            if scene.silent:
                continue
            while due_s and due_s[0] <= now_s + 1e-9:
                due_s.popleft()
                context = replace(
                    context, acknowledgements=(*context.acknowledgements, Acknowledgement("key"))
                )
            scene = _at(scene, (now_s - begins_s[index]) / duration_s)
            perceived = _perceive(scene, now_s, number, noise.gauss(0.0, self._noise_deg))
            seen.append(replace(perceived, context=context))
        return seen

    def _times_s(self) -> Iterator[float]:
        chance = random.Random(self._seed)
        end_s, now_s, number = self.end_s, self._start_s, 0
        while now_s < end_s - 1e-9:
            if chance.random() >= self._drop:
                yield now_s
            number += 1
            if self._jitter_s is None:
                now_s = self._start_s + number / self._fps
            else:
                now_s += chance.uniform(*self._jitter_s)


def play(story: Story, config: AssessConfig, *profiles: Profile) -> list[Alert]:
    """Judge a whole story; return every phase of every alert, those ended by the story's end included."""
    manager = AlertManager(profiles, "story")
    alerts = [alert for assessment in judge(story, config) for alert in manager.update(assessment)]
    return [*alerts, *manager.close(story.end_s)]


def judge(story: Story, config: AssessConfig) -> list[Assessment]:
    """Judge a whole story, one assessment a frame."""
    assessor = Assessor(config)
    return [assessor.update(observation) for observation in story.observations()]


def _at(scene: Scene, share: float) -> Scene:
    """The scene when this share of it is over."""
    if scene.openness_to is None:
        return scene
    return replace(scene, openness=scene.openness + share * (scene.openness_to - scene.openness))


def _perceive(scene: Scene, now_s: float, frame_id: int, noise_deg: float) -> Observation:
    """What perfect engines would say of a scene."""
    quality = ImageQuality(
        scene.contrast, scene.brightness, scene.saturated, scene.sharpness, scene.change, scene.view
    )
    faults = {stage: f"{stage} failed" for stage in scene.faults}
    if not scene.face or "face" in faults:
        return Observation(now_s, frame_id, quality, faults=faults)
    seen_s = now_s - scene.age_s
    closed = 1.0 - scene.openness if scene.closed is None else scene.closed
    eye = Eye(scene.openness, scene.openness_sigma, scene.visibility)
    unseen = Eye(scene.openness, scene.openness_sigma, 0.1)
    right, left = (unseen if scene.hidden_eye == side else eye for side in ("right", "left"))
    gaze = Direction(scene.gaze_yaw_deg + noise_deg, scene.gaze_pitch_deg, scene.gaze_sigma_deg)
    head = Direction(scene.head_yaw_deg, scene.head_pitch_deg, scene.head_sigma_deg)
    eyes = Eyes(seen_s, _LANDMARKS, _LANDMARK_SIGMA, right, left, gaze, head, 0.99, scene.glasses)
    fatigue = Fatigue(seen_s, closed, closed, scene.yawn, scene.mouth_covered, scene.squint)
    hands = (0.0, scene.phone, scene.eating, scene.smoking, scene.hand_on_face)
    distraction = Distraction(seen_s, *hands, none=max(0.0, 1.0 - sum(hands)))
    return Observation(
        captured_s=now_s,
        frame_id=frame_id,
        quality=quality,
        face=Face(now_s, _BOX, 0.99, tracked=True, rival=scene.rival),
        eyes=None if "eyes" in faults else eyes,
        fatigue=None if "fatigue" in faults else fatigue,
        distraction=None if "distraction" in faults else distraction,
        faults=faults,
    )
