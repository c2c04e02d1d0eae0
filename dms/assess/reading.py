"""What of an observation may be believed: finite, fresh, and seen clearly enough.

Everything that is not becomes None here, so that the rest of the judgement meets no NaN and no old result.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from dms.config.assess import AssessConfig
from dms.records import Direction, Distraction, Eye, Eyes, Face, Fatigue, ImageQuality, Observation


@dataclass(frozen=True, slots=True)
class Reading:
    """One observation, sifted. None = unknown; `face` and `blank` are None where their stage gave nothing.

    `stale` is an old or failed look at face and eyes; `partly_stale` one at fatigue or distraction, which
    leaves the rest to be judged.
    """

    face: bool | None
    blank: bool | None
    stale: bool
    partly_stale: bool = False
    right: Eye | None = None
    left: Eye | None = None
    gaze: Direction | None = None
    head: Direction | None = None
    closed_right: float | None = None
    closed_left: float | None = None
    yawn: float | None = None
    mouth_covered: float | None = None
    phone: float | None = None
    squint: float | None = None
    eating: float | None = None
    smoking: float | None = None
    hand_on_face: float | None = None
    glasses: float | None = None
    rival: float | None = None
    quality: ImageQuality | None = None
    faults: frozenset[str] = frozenset()

    @property
    def eyes_readable(self) -> bool:
        """Whether at least one eye can be read."""
        return self.right is not None or self.left is not None


def read(observation: Observation, config: AssessConfig) -> Reading:
    """Sift one observation."""
    sifted = _sift(observation, config)
    return replace(sifted, quality=observation.quality, faults=frozenset(observation.faults))


def _sift(observation: Observation, config: AssessConfig) -> Reading:
    if observation.frame_id < 0:  # no picture came: not even that there is no face is known
        return Reading(face=None, blank=None, stale=True)
    oldest_s = observation.captured_s - config.availability.stale_after_s
    face = observation.face
    if face is not None and not _fresh(face, oldest_s):
        return Reading(face=None, blank=_blank(observation, config), stale=True)
    if face is None and "face" in observation.faults:  # nobody looked, so nobody is missing
        return Reading(face=None, blank=_blank(observation, config), stale=True)
    if face is None or (observation.eyes is None and "eyes" not in observation.faults):
        # A box in which the eyes engine finds no face is a headrest or a poster.
        return Reading(face=False, blank=_blank(observation, config), stale=False)
    eyes = observation.eyes if _fresh(observation.eyes, oldest_s) else None
    fatigue = observation.fatigue if _fresh(observation.fatigue, oldest_s) else None
    distraction = observation.distraction if _fresh(observation.distraction, oldest_s) else None
    right, left, gaze, head = _eyes(eyes, config)
    return Reading(
        face=True,
        blank=False,
        stale=eyes is None,
        partly_stale=fatigue is None or distraction is None,
        right=right,
        left=left,
        gaze=gaze,
        head=head,
        closed_right=_finite(fatigue.closed_right) if fatigue else None,
        closed_left=_finite(fatigue.closed_left) if fatigue else None,
        yawn=_finite(fatigue.yawn) if fatigue else None,
        mouth_covered=_finite(fatigue.mouth_covered) if fatigue else None,
        phone=_finite(distraction.phone_at_ear + distraction.phone_in_hand) if distraction else None,
        squint=_finite(fatigue.squint) if fatigue else None,
        eating=_finite(distraction.eating_drinking) if distraction else None,
        smoking=_finite(distraction.smoking) if distraction else None,
        hand_on_face=_finite(distraction.hand_on_face) if distraction else None,
        glasses=_finite(eyes.glasses) if eyes and eyes.glasses is not None else None,
        rival=face.rival,
    )


def _fresh(part: Face | Eyes | Fatigue | Distraction | None, oldest_s: float) -> bool:
    return part is not None and part.captured_s >= oldest_s


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _blank(observation: Observation, config: AssessConfig) -> bool | None:
    """Whether the picture shows nothing: no face and no contrast."""
    quality = observation.quality
    if quality is None or not math.isfinite(quality.contrast):
        return None
    return quality.contrast < config.availability.blocked_contrast


def _eyes(
    eyes: Eyes | None, config: AssessConfig
) -> tuple[Eye | None, Eye | None, Direction | None, Direction | None]:
    if eyes is None:
        return None, None, None, None
    head = _direction(eyes.head)
    # beyond this turn the lids are foreshortened and the far eye is gone; the head rule carries on alone
    turned = head is not None and abs(head.yaw_deg) > config.eyes.turned_deg
    right = None if turned else _eye(eyes.right, config)
    left = None if turned else _eye(eyes.left, config)
    gaze = _direction(eyes.gaze) if right or left else None
    if gaze is not None and gaze.sigma_deg > config.road.gaze_sigma_limit_deg:
        gaze = None
    return right, left, gaze, head


def _eye(eye: Eye, config: AssessConfig) -> Eye | None:
    """The eye if it is visible and its openness certain enough; comparisons with NaN come out False."""
    believable = (
        eye.visibility >= config.eyes.visible_above
        and eye.openness_sigma <= config.eyes.sigma_limit
        and math.isfinite(eye.openness)
    )
    return eye if believable else None


def _direction(direction: Direction) -> Direction | None:
    finite = (
        math.isfinite(direction.yaw_deg)
        and math.isfinite(direction.pitch_deg)
        and math.isfinite(direction.sigma_deg)
    )
    return direction if finite else None
