"""How perception becomes judgement: the sections below `assess`."""

from __future__ import annotations

from pydantic import BaseModel, Field, model_validator

from dms.config.section import PositiveSeconds, Probability, Seconds, Section


def _ordered(section: BaseModel, low: str, high: str) -> None:
    if getattr(section, low) > getattr(section, high):
        raise ValueError(f"{low} ({getattr(section, low)}) must not exceed {high} ({getattr(section, high)})")


class BaselineConfig(Section):
    """How this driver's open eyes and neutral pose are learned."""

    learn_s: PositiveSeconds = 60.0
    """Seconds of usable frames after which the baseline is fully learned."""
    usable_after_s: PositiveSeconds = 3.0
    """Seconds of usable frames after which the baseline, still moving, is used; before: calibrating."""
    open_prior: Probability = 0.7
    """Openness of an open eye assumed before this driver's is known: low enough for narrow eyes."""
    open_least: Probability = 0.4
    """No open eye is taken to be below this: a driver asleep from the start is not learned as open."""
    closed_level: Probability = 0.05
    """Openness the eyes engine gives a fully closed eye."""
    fall_to_share: Probability = 0.9
    """Once learned, the open level never falls below this share of it: drooping lids stay seen."""
    glasses_above: Probability = 0.8
    """Glasses are taken to be put on when their smoothed probability rises above this."""
    glasses_below: Probability = 0.2
    """Glasses are taken to be off when their smoothed probability falls below this (hysteresis)."""
    glasses_smoothing_s: PositiveSeconds = 5.0
    """Time constant of the low-pass filter over the probability of glasses."""
    other_set_share: Probability = 0.75
    """Behind glasses (or without) the same eyes are not taken to open less than this share of what was
    learned: a mistake about the glasses does not make drooping lids the new normal."""
    confirm_s: PositiveSeconds = 10.0
    """Seconds of usable frames that must agree with an earlier drive before what it found is taken over."""
    confirm_within: Probability = 0.15
    """How far an open level may lie from that of the earlier drive, as a share of it, to confirm it."""
    off_road_weight: Probability = 0.2
    """Time off the road counts this much against the neutral direction; it is not learned."""
    memory_s: PositiveSeconds = 300.0
    """The neutral direction remembers about this many seconds, so that it follows a moved seat or camera."""
    uncalibrated_widening: float = Field(2.0, ge=1, le=4)
    """The road ellipse is this much wider until the neutral direction is usable."""
    new_driver_after_s: PositiveSeconds = 30.0
    """A face missing for this long may come back as another driver: learning starts anew."""

    @model_validator(mode="after")
    def _check(self) -> BaselineConfig:
        _ordered(self, "usable_after_s", "learn_s")
        _ordered(self, "confirm_s", "learn_s")
        _ordered(self, "glasses_below", "glasses_above")
        return self


class EyesConfig(Section):
    """Eye closure, blinks, PERCLOS, yawns, nods."""

    closed_below: Probability = 0.3
    """An eye closes when its openness, relative to this driver's baseline, falls below this (hysteresis)."""
    open_above: Probability = 0.5
    """A closed eye opens when its relative openness rises above this (hysteresis)."""
    squint_above: Probability = 0.5
    """Above this probability the lids are narrowed: they close at half of `closed_below` only."""
    perclos_closed_below: Probability = 0.2
    """PERCLOS P80 counts lids at least 80 % closed (Wierwille 1994)."""
    blink_max_s: PositiveSeconds = 0.5
    """A closure up to this long is a blink; longer ones are slow closures."""
    perclos_exclude_below_s: Seconds = 0.4
    """Closures shorter than this are blinks (100 to 400 ms) and stay out of PERCLOS."""
    visible_above: Probability = 0.5
    """An eye with a visibility below this is hidden."""
    sigma_limit: float = Field(0.35, gt=0, le=1)
    """An openness whose one-sigma error is above this says nothing."""
    turned_deg: float = Field(45.0, gt=0, le=90)
    """With the head turned further than this from the camera the eyes cannot be read."""
    near_eye_deg: float = Field(20.0, gt=0, le=90)
    """With the head turned further than this from the camera the near eye alone counts, if it is seen."""
    down_deg: float = Field(20.0, gt=0, le=90)
    """With the head, or the gaze of lids not quite closed, this far below neutral, it is a look down."""
    down_openness: Probability = 0.1
    """Lids less open than this (relative) tell nothing of where the eyes look."""
    sink_after_s: Seconds = 0.5
    """A closure that has lasted this long goes on though the head sinks; a shorter one was a look down."""
    flicker_s: Seconds = 0.1
    """An opening (or a closed mouth) up to this long is noise and does not end a closure (or a yawn). Nor
    does an opening in one frame alone."""
    perclos_usable_share: float = Field(0.5, gt=0, le=1)
    """PERCLOS and blink rate need the eyes seen for this share of their window; before they are unknown."""
    mean_closure_least: int = Field(5, ge=1)
    """The mean closure needs this many closures within the minute; before it is unknown."""
    yawn_above: Probability = 0.5
    """A yawn starts above this probability."""
    yawn_below: Probability = 0.4
    """A yawn ends below this probability (hysteresis)."""
    yawn_min_s: PositiveSeconds = 1.5
    """A mouth open for less than this is speech, not a yawn."""
    yawn_talking_s: PositiveSeconds = 3.5
    """While the mouth opens again and again (talk, song, laughter) only one this long is a yawn."""
    yawn_covered_s: PositiveSeconds = 3.0
    """A hand before a mouth that had begun to open hides a yawn when it stays this long, or with a squint."""
    mouth_covered_above: Probability = 0.5
    """Above this probability the mouth is covered and no yawn can be ruled out."""
    nod_deg: float = Field(12.0, gt=0, le=90)
    """A nod sinks the head this far below neutral, the lids low before, and ends with a jerk up."""

    @model_validator(mode="after")
    def _check(self) -> EyesConfig:
        _ordered(self, "closed_below", "open_above")
        _ordered(self, "yawn_below", "yawn_above")
        _ordered(self, "yawn_min_s", "yawn_talking_s")
        return self


class RoadConfig(Section):
    """What counts as eyes on the road: an ellipse around this driver's forward direction."""

    gaze_yaw_deg: float = Field(22.0, gt=0, le=90)
    """Half width of the road ellipse for gaze."""
    gaze_pitch_deg: float = Field(14.0, gt=0, le=90)
    """Half height of the road ellipse for gaze."""
    head_yaw_deg: float = Field(23.0, gt=0, le=90)
    """Half width of the road ellipse for the head."""
    head_pitch_deg: float = Field(18.0, gt=0, le=90)
    """Half height of the road ellipse for the head."""
    smoothing_s: PositiveSeconds = 0.15
    """Time constant of the low-pass filter that confirms a look away (gaze is noisy frame by frame)."""
    sigma_usual_deg: float = Field(8.0, gt=0, le=45)
    """Above this one-sigma error of gaze or head the road ellipse grows by the excess (in squares)."""
    gaze_sigma_limit_deg: float = Field(15.0, gt=0, le=90)
    """A gaze whose one-sigma error is above this is not used; the head decides then."""
    head_sigma_limit_deg: float = Field(17.0, gt=0, le=90)
    """A head pose whose one-sigma error is above this is not used (0.3 rad, as in openpilot)."""
    forward_yaw_limit_deg: float = Field(45.0, gt=0, le=90)
    """The forward direction is learned up to this yaw: a camera on the passenger's side sees it at about 33,
    and beyond 45 the eyes cannot be read."""
    forward_pitch_limit_deg: float = Field(30.0, gt=0, le=90)
    """The forward direction is learned up to this pitch: a camera low on the dash looks up."""
    free_s: Seconds = 1.0
    """So much of a glance on a mirror or gauge is free (Euro NCAP v10.4: 4 s there, 3 s elsewhere), and again
    after `vats_reset_s` on the road. Nothing is free in the cumulated time."""
    gap_tolerance_s: Seconds = 0.3
    """A look back at the road up to this long does not end a glance."""
    vats_window_s: PositiveSeconds = 30.0
    """Window of the cumulated time off the road."""
    vats_reset_s: PositiveSeconds = 2.0
    """Eyes on the road this long empty the cumulated time."""


class AvailabilityConfig(Section):
    """When the driver cannot be judged. Whatever is set here, it is told within 10 s (Euro NCAP v10.4)."""

    stale_after_s: float = Field(0.5, gt=0, le=2)
    """A result older than this is unknown."""
    no_face_after_s: float = Field(0.3, ge=0, le=2)
    """A face missing for this long is `no_face`. Any signal not measured for this long becomes unknown;
    over shorter gaps it is held."""
    forget_after_s: PositiveSeconds = 3.0
    """Unknown time freezes a running timer; more than this in one stretch empties it."""
    eyes_hidden_after_s: float = Field(1.0, gt=0, le=10)
    """Both eyes hidden for this long is `eyes_hidden`."""
    blocked_after_s: float = Field(2.0, gt=0, le=5)
    """A picture that shows nothing for this long is `blocked`, `dark` or `glare`; failing light is found
    up to 5 s later."""
    blocked_contrast: float = Field(6.0, ge=0, le=128)
    """A picture whose luma deviation is below this shows nothing."""
    dark_brightness: float = Field(16.0, ge=0, le=255)
    """A picture whose mean luma is below this is dark, if the driver is not well seen in it."""
    glare_saturated: float = Field(0.4, gt=0, le=1)
    """A picture with this share of its pixels saturated is glare, if the driver is not well seen in it."""
    frozen_after_s: float = Field(1.0, gt=0, le=10)
    """The same picture for this long is `frozen`; after 0.1 s already nothing is judged from it."""
    defocused_sharpness: float = Field(2.2, ge=0, le=100)
    """A picture with less fine detail than this is out of focus (per cent, see `docs/availability.md`)."""
    defocused_after_s: float = Field(5.0, gt=0, le=10)
    """A picture out of focus for this long is `defocused`: shorter is the blur of motion."""
    moved_view: float = Field(0.6, ge=-1, le=1)
    """With the still parts of the picture less alike than this to those learned, the camera has moved."""
    moved_after_s: float = Field(4.0, gt=0, le=7)
    """Another view for this long is `camera_moved`: shorter is a hand before the lens. A slight turn is
    found up to 3 s later."""
    rival_share: float = Field(0.6, gt=0, le=1)
    """Another face near the driver's of this share of its area may be the driver's as well."""
    two_drivers_after_s: float = Field(2.0, gt=0, le=10)
    """Two such faces for this long are `two_drivers`: longer than a passenger leans over."""
    overload_after_s: float = Field(3.0, gt=0, le=10)
    """Fewer than 5 judgements a second for this long are `overload`."""
    fault_after_s: float = Field(2.0, gt=0, le=10)
    """No picture for this long is `camera_lost`, an engine that fails for this long `engine_failed`."""
    new_drive_after_s: PositiveSeconds = 600.0
    """A driver not seen for this long, whatever the cause, is learned anew: it may be another drive."""


class ActivityConfig(Section):
    """Phone use and other activities."""

    phone_above: Probability = 0.6
    """Phone use starts above this probability (at the ear or in the hand, smoothed)."""
    phone_below: Probability = 0.4
    """Phone use ends below this probability."""
    other_above: Probability = 0.6
    """Eating or drinking, and smoking, start above this probability (smoothed)."""
    other_below: Probability = 0.4
    """They end below this probability."""
    smoothing_s: PositiveSeconds = 0.5
    """Time constant of the low-pass filter over the distraction engine's outputs."""

    @model_validator(mode="after")
    def _check(self) -> ActivityConfig:
        _ordered(self, "phone_below", "phone_above")
        _ordered(self, "other_below", "other_above")
        return self


class VerdictConfig(Section):
    """From which values on the driver's state is called what (Euro NCAP; same figures as the profile)."""

    distracted_off_road_s: PositiveSeconds = 3.0
    """Eyes off the road in one glance."""
    distracted_vats_s: PositiveSeconds = 10.0
    """Eyes off the road, cumulated."""
    distracted_phone_s: PositiveSeconds = 2.0
    """Phone in use."""
    drowsy_perclos_60s: Probability = 0.15
    """PERCLOS of the last minute, together with the next."""
    drowsy_perclos_180s: Probability = 0.10
    """PERCLOS of the last three minutes, together with the one before."""
    asleep_closure_s: PositiveSeconds = 1.5
    """Eyes closed: microsleep and longer."""
    unresponsive_closure_s: PositiveSeconds = 6.0
    """Eyes closed."""
    unresponsive_off_road_s: PositiveSeconds = 6.0
    """Eyes off the road in one glance."""


class AssessConfig(Section):
    """How perception becomes judgement."""

    baseline: BaselineConfig = BaselineConfig()
    eyes: EyesConfig = EyesConfig()
    road: RoadConfig = RoadConfig()
    activity: ActivityConfig = ActivityConfig()
    availability: AvailabilityConfig = AvailabilityConfig()
    verdict: VerdictConfig = VerdictConfig()
