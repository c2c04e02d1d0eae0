"""A driver who follows a script: the picture and its truth at any moment."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dms.simulator.portrait import Image, Portrait
from dms.simulator.render import Renderer
from dms.simulator.rig import Pose
from dms.simulator.scene import Optics, cabin, expose
from dms.simulator.script import Event, Gaze, Hand, Lids, Light, Look, Script
from dms.simulator.truth import Truth
from dms.simulator.view import View, Worn

_RISE_S = {
    "blink": 0.07, "eyes_closed": 0.12, "lids": 0.3, "look": 0.4, "gaze": 0.08, "yawn": 0.7,
    "phone_at_ear": 0.5, "phone_in_hand": 0.5, "hand_on_face": 0.5, "absent": 0.7, "blocked": 0.2,
    "light": 0.5,
}  # fmt: skip
"""How long each event takes to come and, after its end, to go; so its half-way points lie `for` apart."""
_NECK_HEIGHT = 0.60
"""Where the neck is in the frame, from the top."""


class Driver:
    """A scripted driver; `render` is a pure function of time."""

    def __init__(self, portrait: Portrait, script: Script) -> None:
        """Prepare the portrait and draw the natural movements from the script's seed."""
        self.script = script
        self._renderer = Renderer(portrait)
        self._cabin = cabin(*script.size)
        self._nature = _Nature(script)

    def render(self, t_s: float) -> tuple[Image, Truth]:
        """The frame (BGR) of moment `t_s` and its truth."""
        script = self.script
        active = [(event, level) for event in script.events if (level := envelope(event, t_s)) > 0]
        levels = {event.do: level for event, level in active}
        pose, worn = self._pose(t_s, active), _worn(active)
        absent = levels.get("absent", 0.0)
        frame = self._cabin.copy()
        shape = self._renderer.render(frame, pose, self._view(t_s, active, absent), worn)
        optics = _optics(active, script.noise)
        number = round(t_s * script.fps)
        image = expose(frame, optics, np.random.default_rng([script.seed, max(0, number)]))
        hidden = optics.blocked > 0.5
        truth = Truth(
            frame=number,
            captured_s=t_s,
            head=(pose.yaw_deg, pose.pitch_deg, pose.roll_deg),
            gaze=pose.gaze_in_camera,
            openness=(pose.open_right, pose.open_left),
            mouth_open=shape.mouth_open,
            landmarks=shape.landmarks,
            visibility=(0.0, 0.0) if hidden else shape.visibility,
            box=shape.box,
            phone=worn.phone if worn.lift > 0.5 else "none",
            mask=worn.mask,
            sunglasses=worn.sunglasses,
            blocked=hidden,
            absent=absent > 0.5,
            events=tuple(event.do for event in script.events if event.at_s <= t_s < event.end_s),
        )
        return image, truth

    def _pose(self, t_s: float, active: list[tuple[Event, float]]) -> Pose:
        nature, script = self._nature, self.script
        head = np.array([script.neutral_yaw_deg, script.neutral_pitch_deg, 0.0]) + nature.sway_deg(t_s)
        gaze = nature.gaze_deg(t_s)
        lids = np.full(2, 1.0 - nature.blink(t_s))
        jaw = 0.0
        for event, level in active:
            if isinstance(event, Look):
                head += level * np.array([event.yaw_deg, event.pitch_deg, event.roll_deg])
            elif isinstance(event, Gaze):
                gaze = (1 - level) * gaze + level * np.array([event.yaw_deg, event.pitch_deg])
            elif isinstance(event, Lids):
                lids = np.minimum(lids, 1 - level * (1 - event.openness) * _side(event.side))
            elif event.do in ("blink", "eyes_closed"):
                lids = np.minimum(lids, 1 - level)
            elif event.do == "yawn":
                jaw, head[1] = level, head[1] + 6 * level
                lids = np.minimum(lids, 1 - 0.45 * level)
        return Pose(*(float(v) for v in (*head, *gaze, *lids, jaw)))

    def _view(self, t_s: float, active: list[tuple[Event, float]], absent: float) -> View:
        width, height = self.script.size
        face = self.script.face_width * height
        x, y = self._nature.shift(t_s) * face
        out = absent * (width * 0.5 + 2.0 * face)
        side = sum(level * event.side for event, level in active if isinstance(event, Light))
        pupil = 0.5 if any(event.do == "nir" for event, _ in active) else 0.0
        return View((width / 2 + x - out, height * _NECK_HEIGHT + y), face, side, pupil)


def envelope(event: Event, t_s: float) -> float:
    """How far an event has come, 0 to 1, with soft on- and offset."""
    rise = _RISE_S.get(event.do, 0.0)
    if rise == 0:
        return float(event.at_s <= t_s < event.end_s)
    share = min((t_s - event.at_s) / rise, 1 - (t_s - event.end_s) / rise, 1.0)
    share = max(0.0, share)
    return share * share * (3 - 2 * share)


def _side(side: str) -> NDArray[np.float64]:
    return np.array([side != "left", side != "right"], np.float64)


def _worn(active: list[tuple[Event, float]]) -> Worn:
    doing = {event.do for event, _ in active}
    hand = next(((event, level) for event, level in active if isinstance(event, Hand)), None)
    if hand is None:
        return Worn(sunglasses="sunglasses" in doing, mask="mask" in doing)
    event, level = hand
    phone = {"phone_at_ear": "ear", "phone_in_hand": "hand"}.get(event.do, "none")
    return Worn(
        sunglasses="sunglasses" in doing,
        mask="mask" in doing,
        phone=phone,
        phone_on_right=event.side == "right",
        hand_on_face=event.do == "hand_on_face",
        lift=level,
    )


def _optics(active: list[tuple[Event, float]], noise: float) -> Optics:
    brightness = 1.0
    for event, level in active:
        if isinstance(event, Light):
            brightness *= 1 + level * (event.brightness - 1)
    levels = {event.do: level for event, level in active}
    return Optics(brightness, levels.get("nir", 0.0), noise, levels.get("blocked", 0.0))


class _Nature:
    """What nobody scripts: sway, glances and blinks, all drawn once from the seed."""

    def __init__(self, script: Script) -> None:
        rng = np.random.default_rng(script.seed)
        self._phase = rng.uniform(0, 2 * np.pi, (5, 3))
        self._rate = rng.uniform(0.05, 0.35, (5, 3)) * 2 * np.pi
        steps = int(script.duration_s / 0.4) + 8
        self._glance_s = np.cumsum(rng.uniform(0.4, 1.6, steps))
        self._glance_deg = np.clip(rng.normal(0, 1.0, (steps + 1, 2)) * (1.8, 1.0), -4, 4)
        self._blink_s = _blink_times(script, rng)

    def _wave(self, row: int, t_s: float) -> float:
        return float(np.sin(self._rate[row] * t_s + self._phase[row]).sum() / 3)

    def sway_deg(self, t_s: float) -> NDArray[np.float64]:
        return np.array([2.0 * self._wave(0, t_s), 1.2 * self._wave(1, t_s), 1.0 * self._wave(2, t_s)])

    def shift(self, t_s: float) -> NDArray[np.float64]:
        return np.array([0.05 * self._wave(3, t_s), 0.025 * self._wave(4, t_s)])

    def gaze_deg(self, t_s: float) -> NDArray[np.float64]:
        return np.asarray(self._glance_deg[int(np.searchsorted(self._glance_s, t_s))])

    def blink(self, t_s: float) -> float:
        """How far a natural blink has closed the lids: 0.08 s down, 0.04 s shut, 0.13 s up."""
        since = t_s - self._blink_s
        level = np.minimum(since / 0.08, 1 - (since - 0.12) / 0.13)
        return float(np.clip(level, 0, 1).max(initial=0.0))


def _blink_times(script: Script, rng: np.random.Generator) -> NDArray[np.float64]:
    """Every 2.5 to 6 s, but not within a second of an event that moves the lids."""
    if not script.blinks:
        return np.empty(0)
    times = np.cumsum(rng.uniform(2.5, 6.0, int(script.duration_s / 2.5) + 2))
    for event in script.events:
        if event.do in ("blink", "eyes_closed", "lids", "yawn"):
            times = times[(times < event.at_s - 1.0) | (times > event.end_s + 1.0)]
    return np.asarray(times[times < script.duration_s - 0.5])
