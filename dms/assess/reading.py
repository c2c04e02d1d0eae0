"""What of an observation may be believed: numbers that can be, fresh, and seen clearly enough.

Everything that is not becomes None here, so that the rest of the judgement meets no NaN and no old result. An
engine whose numbers cannot be (NaN, a negative error, a probability of 7) is at fault, as if it had said so.
"""

from __future__ import annotations

from dataclasses import dataclass

from dms.assess.plausible import are_points, garbled, is_box, is_direction, is_eye, is_share
from dms.assess.temporal import ROUNDING_S
from dms.config.assess import AssessConfig
from dms.records import Box, Direction, Distraction, Eye, Eyes, Face, Fatigue, ImageQuality, Observation


@dataclass(slots=True)  # not frozen: so many fields, frozen, take four times as long to set, on every frame
class Reading:
    """One observation, sifted. None = unknown; `face` and `blank` are None where their stage gave nothing.

    `stale` is an old or failed look at face and eyes; `partly_stale` one at fatigue or distraction, which
    leaves the rest to be judged. `lost` tells that no frame came, `repeated` that the picture is the one
    before; `faults` names the stages that failed or gave what cannot be.
    """

    face: bool | None
    blank: bool | None
    stale: bool
    partly_stale: bool = False
    lost: bool = False
    turned: bool = False
    repeated: bool | None = None
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
    glasses: float | None = None
    rival: float | None = None
    box: Box | None = None
    quality: ImageQuality | None = None
    faults: frozenset[str] = frozenset()

    @property
    def eyes_readable(self) -> bool:
        """Whether at least one eye can be read."""
        return self.right is not None or self.left is not None

    def nobody(self) -> Reading:
        """The same moment with a face that is not the driver's: he is not seen."""
        return Reading(
            face=False,
            blank=False,
            stale=False,
            repeated=self.repeated,
            rival=self.rival,
            quality=self.quality,
            faults=self.faults,
        )

    def unseen(self) -> Reading:
        """The same moment with nothing believed but that it was."""
        return Reading(
            face=None, blank=None, stale=True, lost=self.lost, repeated=self.repeated, faults=self.faults
        )


def read(observation: Observation, config: AssessConfig) -> Reading:
    """Sift one observation."""
    if observation.frame_id < 0:  # no picture came: not even that there is no face is known
        return Reading(face=None, blank=None, stale=True, lost=True, faults=frozenset(observation.faults))
    faults = frozenset((*observation.faults, *garbled(observation)))
    quality = None if "quality" in faults else observation.quality
    blank = None if quality is None else quality.contrast < config.availability.blocked_contrast
    face, shown = observation.face, _face_shown(observation, faults, config)
    if shown and face is not None:
        return _sift(observation, face, quality, faults, config)
    # a picture that shows nothing may well be the same again
    repeated = None if blank else _repeated(quality)
    return Reading(
        face=shown, blank=blank, stale=shown is None, repeated=repeated, quality=quality, faults=faults
    )


def _sift(
    observation: Observation,
    face: Face,
    quality: ImageQuality | None,
    faults: frozenset[str],
    config: AssessConfig,
) -> Reading:
    """What may be believed beside a face."""
    now_s, oldest_s = observation.captured_s, observation.captured_s - config.availability.stale_after_s
    eyes = observation.eyes
    if not _fresh(eyes, oldest_s, now_s) or (eyes is not None and "eyes" in faults and not are_points(eyes)):
        eyes = None
    fatigue = observation.fatigue if _fresh(observation.fatigue, oldest_s, now_s) else None
    distraction = observation.distraction if _fresh(observation.distraction, oldest_s, now_s) else None
    right, left, gaze, head = _eyes(eyes, config)
    return Reading(
        face=True,
        blank=False,
        stale=eyes is None,
        partly_stale=fatigue is None or distraction is None,
        repeated=_repeated(quality),
        turned=_is_turned(head, config),
        right=right,
        left=left,
        gaze=gaze,
        head=head,
        closed_right=_share(fatigue.closed_right) if fatigue else None,
        closed_left=_share(fatigue.closed_left) if fatigue else None,
        yawn=_share(fatigue.yawn) if fatigue else None,
        mouth_covered=_share(fatigue.mouth_covered) if fatigue else None,
        phone=_share(distraction.phone_at_ear + distraction.phone_in_hand) if distraction else None,
        squint=_share(fatigue.squint) if fatigue else None,
        eating=_share(distraction.eating_drinking) if distraction else None,
        smoking=_share(distraction.smoking) if distraction else None,
        glasses=_share(eyes.glasses) if eyes and eyes.glasses is not None else None,
        rival=face.rival,
        box=face.box,
        quality=quality,
        faults=faults,
    )


def _face_shown(observation: Observation, faults: frozenset[str], config: AssessConfig) -> bool | None:
    """Whether the picture shows a face; None where nobody looked, looked in time, or said where."""
    now_s, oldest_s = observation.captured_s, observation.captured_s - config.availability.stale_after_s
    face = observation.face
    if face is None:
        return None if "face" in faults else False
    if not _fresh(face, oldest_s, now_s) or ("face" in faults and not is_box(face.box)):
        return None
    # A box in which the eyes engine finds no face is a headrest or a poster.
    return observation.eyes is not None or "eyes" in faults


def _repeated(quality: ImageQuality | None) -> bool | None:
    """Whether the picture is the one before."""
    return None if quality is None or quality.change is None else quality.change == 0.0


def _fresh(part: Face | Eyes | Fatigue | Distraction | None, oldest_s: float, now_s: float) -> bool:
    return part is not None and oldest_s <= part.captured_s <= now_s + ROUNDING_S


def _share(value: float) -> float | None:
    if 0.0 < value < 1.0:
        return value
    return min(1.0, max(0.0, value)) if is_share(value) else None


def _eyes(
    eyes: Eyes | None, config: AssessConfig
) -> tuple[Eye | None, Eye | None, Direction | None, Direction | None]:
    if eyes is None:
        return None, None, None, None
    head = eyes.head if is_direction(eyes.head) else None
    turned = _is_turned(head, config)  # by an unsure head too: its eyes may be seen from the side
    right = None if turned else _eye(eyes.right, config)
    left = None if turned else _eye(eyes.left, config)
    gaze = eyes.gaze if (right or left) and is_direction(eyes.gaze) else None
    if gaze is not None and gaze.sigma_deg > config.road.gaze_sigma_limit_deg:
        gaze = None
    if head is not None and head.sigma_deg > config.road.head_sigma_limit_deg:
        head = None
    return right, left, gaze, head


def _is_turned(head: Direction | None, config: AssessConfig) -> bool:
    """Beyond this turn the lids are foreshortened and the far eye is gone; the head rule carries on alone."""
    return head is not None and abs(head.yaw_deg) > config.eyes.turned_deg


def _eye(eye: Eye, config: AssessConfig) -> Eye | None:
    """The eye if it is visible and its openness certain enough."""
    believable = (
        is_eye(eye)
        and eye.visibility >= config.eyes.visible_above
        and eye.openness_sigma <= config.eyes.sigma_limit
    )
    return eye if believable else None
