"""The driver's state, named from the signals: the worst that holds wins, and good must be seen to be said.

The limits are those of the standard, whatever profile is in force: the state is told at any speed, and none
of the profiles' gates, sensitivities and acknowledgements changes what the driver does. A test holds them
equal to the default profile's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dms.assess.temporal import ROUNDING_S
from dms.config.assess import VerdictConfig
from dms.records import DriverState, Signal, UnknownCause

_DOUBTS = frozenset(
    {
        UnknownCause.CALIBRATING,
        UnknownCause.CAMERA_MOVED,
        UnknownCause.DARK,
        UnknownCause.DEFOCUSED,
        UnknownCause.EYES_HIDDEN,
        UnknownCause.FROZEN,
        UnknownCause.GLARE,
        UnknownCause.OVERLOAD,
        UnknownCause.STALE,
        UnknownCause.TWO_DRIVERS,
    }
)
"""Under these the measures can warn, but not give the all-clear."""
_FAULTS = frozenset({UnknownCause.CAMERA_LOST, UnknownCause.ENGINE_FAILED})
"""These are broken; under every other cause it just cannot be told."""


def name_state(signals: Mapping[str, Signal], config: VerdictConfig) -> DriverState:
    """Name the state; UNKNOWN where neither danger nor attention can be told."""

    def reached(name: str, limit: float) -> bool:
        value = signals[name].value
        return value is not None and value >= limit - ROUNDING_S

    off_road = "off_road_s"
    if reached("closure_s", config.unresponsive_closure_s) or reached(
        off_road, config.unresponsive_off_road_s
    ):
        return DriverState.UNRESPONSIVE
    if reached("closure_s", config.asleep_closure_s):
        return DriverState.ASLEEP
    slow, slower = config.drowsy_perclos_60s, config.drowsy_perclos_180s
    if reached("perclos_60s", slow) and reached("perclos_180s", slower):
        return DriverState.DROWSY
    if (
        reached(off_road, config.distracted_off_road_s)
        or reached("off_road_30s", config.distracted_vats_s)
        or reached("phone_s", config.distracted_phone_s)
    ):
        return DriverState.DISTRACTED
    return DriverState.ATTENTIVE if _watches(signals) else DriverState.UNKNOWN


def doubted(state: DriverState, causes: Iterable[UnknownCause], signals: Mapping[str, Signal]) -> DriverState:
    """The state beside what keeps it from being known. What is known to be bad stays so."""
    # with fresh results of the eyes, those of phones alone are old: the driver is watched
    doubts = _DOUBTS if signals["stale_s"].value != 0.0 else _DOUBTS - {UnknownCause.STALE}
    if state is DriverState.ATTENTIVE and not doubts.isdisjoint(causes):
        state = DriverState.UNKNOWN
    if state is DriverState.UNKNOWN and not _FAULTS.isdisjoint(causes):
        return DriverState.FAULT
    return state


def _watches(signals: Mapping[str, Signal]) -> bool:
    """Whether it was seen where the driver looks, but for eyes just closing: a blink is no loss of sight."""
    return signals["off_road_s"].value is not None or bool(signals["closure_s"].value)
