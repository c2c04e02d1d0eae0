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
    off_road_weight: Probability = 0.2
    """Time off the road counts this much in the neutral direction: a long look away cannot drag it."""
    memory_s: PositiveSeconds = 300.0
    """The neutral direction remembers about this many seconds, so that it follows a moved seat or camera."""
    uncalibrated_widening: float = Field(2.0, ge=1, le=4)
    """The road ellipse is this much wider until the neutral direction is usable."""
    new_driver_after_s: PositiveSeconds = 30.0
    """A face missing for this long may come back as another driver: learning starts anew."""

    @model_validator(mode="after")
    def _check(self) -> BaselineConfig:
        _ordered(self, "usable_after_s", "learn_s")
        return self


class EyesConfig(Section):
    """Eye closure, blinks, PERCLOS, yawns."""

    closed_below: Probability = 0.3
    """An eye closes when its openness, relative to this driver's baseline, falls below this (hysteresis)."""
    open_above: Probability = 0.5
    """A closed eye opens when its relative openness rises above this (hysteresis)."""
    perclos_closed_below: Probability = 0.2
    """PERCLOS P80 counts lids at least 80 % closed (Wierwille 1994)."""
    blink_max_s: PositiveSeconds = 0.5
    """A closure up to this long is a blink; longer ones are slow closures."""
    perclos_exclude_below_s: Seconds = 0.25
    """Closures shorter than this are blinks and stay out of PERCLOS."""
    visible_above: Probability = 0.5
    """An eye with a visibility below this is hidden."""
    sigma_limit: float = Field(0.35, gt=0, le=1)
    """An openness whose one-sigma error is above this says nothing."""
    turned_deg: float = Field(45.0, gt=0, le=90)
    """With the head turned further than this from the camera the eyes cannot be read."""
    down_deg: float = Field(20.0, gt=0, le=90)
    """With the head this far below neutral, lowered lids are a look down, not a closure."""
    sink_after_s: Seconds = 0.5
    """A closure that has lasted this long goes on though the head sinks; a shorter one was a look down."""
    flicker_s: Seconds = 0.1
    """An opening (or a closed mouth) up to this long is noise and does not end a closure (or a yawn)."""
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
    mouth_covered_above: Probability = 0.5
    """Above this probability the mouth is covered and no yawn can be ruled out."""

    @model_validator(mode="after")
    def _check(self) -> EyesConfig:
        _ordered(self, "closed_below", "open_above")
        _ordered(self, "yawn_below", "yawn_above")
        return self


class RoadConfig(Section):
    """What counts as eyes on the road: an ellipse around this driver's neutral direction."""

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
    gaze_sigma_limit_deg: float = Field(15.0, gt=0, le=90)
    """A gaze whose one-sigma error is above this is not used; the head decides then."""
    gap_tolerance_s: Seconds = 0.3
    """A look back at the road up to this long does not end a glance."""
    vats_window_s: PositiveSeconds = 30.0
    """Window of the cumulated time off the road."""
    vats_reset_s: PositiveSeconds = 2.0
    """Eyes on the road this long empty the cumulated time."""


class AvailabilityConfig(Section):
    """When the driver cannot be judged."""

    stale_after_s: PositiveSeconds = 0.5
    """A result older than this is unknown."""
    no_face_after_s: Seconds = 0.3
    """A face missing for this long is `no_face`. Any signal not measured for this long becomes unknown;
    over shorter gaps it is held."""
    forget_after_s: PositiveSeconds = 3.0
    """Unknown time freezes a running timer; more than this in one stretch empties it."""
    eyes_hidden_after_s: PositiveSeconds = 1.0
    """Both eyes hidden for this long is `eyes_hidden`."""
    blocked_after_s: PositiveSeconds = 2.0
    """A picture without contrast or light for this long is `blocked`."""
    blocked_contrast: float = Field(6.0, ge=0, le=128)
    """A picture whose luma deviation is below this shows nothing."""


class ActivityConfig(Section):
    """Phone use and other activities."""

    phone_above: Probability = 0.6
    """Phone use starts above this probability (at the ear or in the hand, smoothed)."""
    phone_below: Probability = 0.4
    """Phone use ends below this probability."""
    smoothing_s: PositiveSeconds = 0.5
    """Time constant of the low-pass filter over the distraction engine's outputs."""

    @model_validator(mode="after")
    def _check(self) -> ActivityConfig:
        _ordered(self, "phone_below", "phone_above")
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
