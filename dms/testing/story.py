"""What drivers, passengers, weather and cameras do, in words a safety engineer reads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dms.records import Context, Turn, Vehicle
from dms.testing.scene import PLACES, Scene
from dms.testing.timeline import Timeline

_HEAD_SHARE = 0.6
"""Of a turn the head makes this share, the eyes the rest."""
_LID_DROP_PER_DEG = 1 / 120
"""The lids follow the gaze down: about a third at 40 degrees."""
_STEP_S = 0.1


class Story(Timeline):
    """A drive told in verbs; each adds a scene and returns the story. Seconds come first, angles are degrees.

    `usually` and the verbs named after a state (`wear_glasses`, `at_night`) hold for all that follows.
    """

    _usual = Scene()
    _mirrored = False

    def then(self, duration_s: float, scene: Scene) -> Story:
        """Go on with a scene as it is, whatever is usual."""
        self.add(duration_s, scene)
        return self

    def usually(self, **scene: Any) -> Story:
        """From here on these fields of `Scene` hold wherever a verb does not say otherwise."""
        self._usual = replace(self._usual, **scene)
        return self

    def but(self, duration_s: float, **scene: Any) -> Story:
        """A scene as usual, but for these fields."""
        return self.then(duration_s, replace(self._usual, **scene))

    def here(self) -> Story:
        """Count the times of what is expected from here."""
        self.mark()
        return self

    # --- the vehicle --------------------------------------------------------------------------------------

    def driving(self, speed_kmh: float | None = None, **more: Any) -> Story:
        """From here on the vehicle tells this; `more` are other fields of `Vehicle`. None = unknown."""
        side = "right" if self._mirrored else "left"
        vehicle = Vehicle(speed_kmh=speed_kmh, **{"driver_side": side, **more})
        self.set_context(Context(vehicle, configured=True))
        return self

    def reversing(self, speed_kmh: float | None = 5.0) -> Story:
        """In reverse gear."""
        return self.driving(speed_kmh, reversing=True, gear=-1)

    def indicating(self, speed_kmh: float, side: str) -> Story:
        """The turn signal on `left` or `right`."""
        return self.driving(speed_kmh, turn=Turn(side))

    def right_hand_drive(self) -> Story:
        """The wheel is on the right, places lie mirrored; the vehicle says so from the next `driving` on."""
        self._mirrored = True
        return self

    def acknowledge(self) -> Story:
        """Here the driver acknowledges all alerts."""
        self.acknowledge_here()
        return self

    # --- where he looks -----------------------------------------------------------------------------------

    def attentive(self, duration_s: float) -> Story:
        """Eyes open, on the road."""
        return self.but(duration_s)

    def look_away(
        self, duration_s: float, yaw_deg: float = 40.0, pitch_deg: float = 0.0, *, head: bool = True
    ) -> Story:
        """Look aside with head and eyes (owl), or with the eyes alone (lizard, `head=False`).

        Angles are as seen in the image: yaw + to the driver's left. The lids stay up.
        """
        turned = {"head_yaw_deg": yaw_deg, "head_pitch_deg": pitch_deg} if head else {}
        return self.but(duration_s, gaze_yaw_deg=yaw_deg, gaze_pitch_deg=pitch_deg, **turned)

    def look_at(self, place: str, duration_s: float, *, head: bool = True) -> Story:
        """Look at one of `PLACES`, the head going part of the way, or the eyes alone (`head=False`)."""
        right_deg, up_deg = PLACES[place]
        share = _HEAD_SHARE if head else 0.0
        yaw_deg = right_deg if self._mirrored else -right_deg
        usual = self._usual
        return self.but(
            duration_s,
            gaze_yaw_deg=usual.gaze_yaw_deg + yaw_deg,
            gaze_pitch_deg=usual.gaze_pitch_deg + up_deg,
            head_yaw_deg=usual.head_yaw_deg + share * yaw_deg,
            head_pitch_deg=usual.head_pitch_deg + share * up_deg,
            openness=usual.openness * (1 - _LID_DROP_PER_DEG * max(0.0, -up_deg)),
        )

    def glance_down(self, duration_s: float) -> Story:
        """At the cluster with the eyes alone; the lids follow."""
        return self.look_at("cluster", duration_s, head=False)

    def shake(self, noise_deg: float) -> Story:
        """A rough road: the gaze is noisy throughout the story."""
        self.set_noise(noise_deg)
        return self

    def shoulder_check(self, duration_s: float = 1.2, side: str = "left") -> Story:
        """Over the shoulder: the head far round, hardly an eye to be seen."""
        yaw_deg = 75.0 if side == "left" else -75.0
        return self.but(duration_s, head_yaw_deg=yaw_deg, gaze_yaw_deg=yaw_deg, visibility=0.2)

    # --- what his eyes do ---------------------------------------------------------------------------------

    def closed(self, duration_s: float) -> Story:
        """Eyes closed."""
        return self.but(duration_s, openness=0.05)

    def droop(self, duration_s: float, start: float, end: float) -> Story:
        """Lids moving evenly from one openness to another."""
        return self.but(duration_s, openness=start, openness_to=end)

    def blinking(self, duration_s: float, blink_s: float = 0.2, every_s: float = 4.0) -> Story:
        """On the road, with blinks, or with longer closures."""
        for _ in range(round(duration_s / every_s)):
            self.attentive(every_s - blink_s).closed(blink_s)
        return self

    def squint(self, duration_s: float) -> Story:
        """Eyes narrowed against the sun: the eyes engine takes them for shut, the fatigue engine does not."""
        return self.but(duration_s, openness=0.2, closed=0.35, squint=0.95)

    def one_eye_shut(self, duration_s: float, side: str = "left") -> Story:
        """One eye closed, the other open."""
        return self.but(duration_s, shut_eye=side)

    def nod_off(self, depth_deg: float = 18.0) -> Story:
        """The lids fall, the head sinks over a second and jerks up; 1.5 s in all."""
        for step in range(10):
            self.but(_STEP_S, openness=0.9 - 0.085 * (step + 1), head_pitch_deg=-depth_deg * step / 9)
        self.but(0.3, openness=0.05, head_pitch_deg=-depth_deg)
        return self.but(0.2, head_pitch_deg=2.0)

    # --- what his mouth and hands do ----------------------------------------------------------------------

    def yawn(self, duration_s: float) -> Story:
        """Mouth wide open."""
        return self.but(duration_s, yawn=0.95)

    def cover_mouth_yawn(self, duration_s: float) -> Story:
        """The yawn begins, and the hand goes before the mouth."""
        self.but(0.7, yawn=0.95)
        return self.but(duration_s - 0.7, yawn=0.5, mouth_covered=0.95, hand_on_face=0.9)

    def laugh(self, duration_s: float) -> Story:
        """Eyes narrow, mouth open now and then."""
        for _ in range(round(duration_s)):
            self.but(0.6, openness=0.25, closed=0.3, squint=0.9, yawn=0.45)
            self.but(0.4, openness=0.3, closed=0.25, squint=0.8, yawn=0.1)
        return self

    def talk(self, duration_s: float) -> Story:
        """The mouth opens for moments."""
        for _ in range(round(duration_s)):
            self.but(0.3, yawn=0.6).but(0.2, yawn=0.1).but(0.2, yawn=0.55).but(0.3, yawn=0.05)
        return self

    def sing(self, duration_s: float) -> Story:
        """The mouth stays wide open for a second at a time."""
        for _ in range(round(duration_s / 2)):
            self.but(1.1, yawn=0.8).but(0.9, yawn=0.1)
        return self

    def phone(self, duration_s: float) -> Story:
        """A phone in the hand, eyes on the road."""
        return self.but(duration_s, phone=0.95)

    def eat(self, duration_s: float) -> Story:
        """Eating or drinking, eyes on the road, the hand before the mouth at times."""
        for _ in range(round(duration_s / 2)):
            self.but(1.2, eating=0.9, mouth_covered=0.8).but(0.8, eating=0.7, yawn=0.4)
        return self

    def drink(self, duration_s: float) -> Story:
        """The head tilts back with the bottle."""
        return self.but(
            duration_s,
            eating=0.9,
            mouth_covered=0.9,
            head_pitch_deg=14.0,
            gaze_pitch_deg=4.0,
            openness=0.7,
            closed=0.2,
        )

    def smoke(self, duration_s: float) -> Story:
        """A cigarette between the fingers, at the mouth now and then."""
        return self.but(duration_s, smoking=0.9, mouth_covered=0.6)

    def hand_on_face(self, duration_s: float) -> Story:
        """A hand at the cheek, one eye behind it."""
        return self.but(duration_s, hand_on_face=0.95, mouth_covered=0.8, hidden_eye="left")

    # --- what he wears, and how he is ---------------------------------------------------------------------

    def wear_glasses(self) -> Story:
        """Clear glasses: the rims lift what is measured of open and of closed eyes."""
        return self.usually(glasses=0.95, openness=0.8)

    def wear_sunglasses(self) -> Story:
        """Eyes hidden for good; what the engines say of them means nothing."""
        return self.usually(glasses=0.98, visibility=0.1, openness=0.1, closed=0.5, gaze_yaw_deg=60.0)

    def sunglasses(self, duration_s: float, yaw_deg: float = 0.0) -> Story:
        """Eyes hidden for a while. The head points to `yaw_deg`."""
        return self.but(
            duration_s, visibility=0.1, openness=0.1, closed=None, head_yaw_deg=yaw_deg, gaze_yaw_deg=60.0
        )

    def wear_mask(self) -> Story:
        """Mouth and nose covered."""
        return self.usually(mouth_covered=0.98)

    def one_eye(self, side: str = "left") -> Story:
        """A driver with one eye, or with a patch on the other."""
        return self.usually(hidden_eye=side)

    # --- who else is there --------------------------------------------------------------------------------

    def two_faces(self, duration_s: float, rival: float = 0.95) -> Story:
        """Another face beside the driver's, `rival` times its area."""
        return self.but(duration_s, rival=rival)

    def no_face(self, duration_s: float) -> Story:
        """Nobody to be seen in a good picture."""
        return self.but(duration_s, face=False)

    def poster(self, duration_s: float) -> Story:
        """The driver is gone; a face on a poster or a headrest stands in his place."""
        return self.but(duration_s, lifeless=True)

    # --- camera and light ---------------------------------------------------------------------------------

    def covered(self, duration_s: float) -> Story:
        """Lens covered."""
        return self.but(duration_s, face=False, contrast=1.0, sharpness=0.1, change=0.2, view=0.0)

    def dark(self, duration_s: float) -> Story:
        """No light at all, not even the camera's own."""
        return self.but(
            duration_s, face=False, contrast=9.0, brightness=8.0, sharpness=2.0, change=0.6, view=0.1
        )

    def glare(self, duration_s: float, *, face: bool = False) -> Story:
        """The sun in the lens."""
        return self.but(duration_s, face=face, contrast=60.0, brightness=215.0, saturated=0.6, view=0.3)

    def frozen(self, duration_s: float) -> Story:
        """The same picture again and again."""
        return self.but(duration_s, change=0.0)

    def defocused(self, duration_s: float) -> Story:
        """A dirty or defocused lens: the face is there, its eyes are not."""
        return self.but(duration_s, contrast=30.0, sharpness=0.1, visibility=0.2, openness_sigma=0.4)

    def camera_moved(self, duration_s: float, yaw_deg: float = 25.0) -> Story:
        """Somebody has turned the camera; the driver watches the road as before."""
        return self.usually(head_yaw_deg=yaw_deg, gaze_yaw_deg=yaw_deg, view=0.1).but(duration_s)

    def camera_lost(self, duration_s: float) -> Story:
        """No picture comes; the loop says so."""
        return self.but(duration_s, no_picture=True)

    def stale(self, duration_s: float) -> Story:
        """All results are too old."""
        return self.but(duration_s, age_s=0.8)

    def failing(self, duration_s: float, *stages: str) -> Story:
        """Engines fail."""
        return self.but(duration_s, faults=stages)

    def silence(self, duration_s: float) -> Story:
        """No frames."""
        return self.but(duration_s, silent=True)
