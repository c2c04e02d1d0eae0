"""Raises, holds, escalates and clears alerts. Pure: time comes with the assessments."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from dms.alerts.chain import Chain
from dms.alerts.profiles import Profile
from dms.records import Alert, Assessment, DriverState, Severity

_STATE_OF_AREA = {
    "driver": DriverState.UNRESPONSIVE,
    "fatigue": DriverState.DROWSY,
    "distraction": DriverState.DISTRACTED,
}


class AlertManager:
    """Turns assessments, in order of time, into the phases of alerts."""

    def __init__(self, profiles: Sequence[Profile], session: str) -> None:
        """Take the rules and the name of this run, the first part of every alert's id."""
        numbers = count(1)
        self._chains = tuple(
            Chain(rules, profile, lambda: f"{session}-{next(numbers)}")
            for profile in profiles
            for rules in profile.chains
        )
        self._last_s: float | None = None

    @property
    def active(self) -> tuple[Alert, ...]:
        """The alerts now up, each in its latest phase."""
        return tuple(chain.alert for chain in self._chains if chain.alert is not None)

    def update(self, assessment: Assessment) -> tuple[Alert, ...]:
        """Take the next assessment; return what starts, escalates or ends with it."""
        now_s = assessment.captured_s
        elapsed_s = 0.0 if self._last_s is None else max(0.0, now_s - self._last_s)
        self._last_s = now_s
        changes = [chain.update(assessment, elapsed_s) for chain in self._chains]
        return tuple(change for change in changes if change is not None)

    def close(self, captured_s: float) -> tuple[Alert, ...]:
        """End what is still up, because the run is over."""
        ends = [chain.close(captured_s) for chain in self._chains]
        return tuple(end for end in ends if end is not None)


def under_alerts(state: DriverState, active: Sequence[Alert]) -> DriverState:
    """The driver's state beside his alerts: nobody is attentive while a warning about him stands."""
    if state is not DriverState.ATTENTIVE:
        return state
    areas = {alert.type.partition(".")[0] for alert in active if alert.severity is not Severity.CAUTION}
    return next((named for area, named in _STATE_OF_AREA.items() if area in areas), state)
