"""The driver who was beyond reach too often: told once, for the rest of the run."""

from __future__ import annotations

from collections.abc import Sequence

from dms.alerts.chain import Chain, closed
from dms.alerts.profile import Lockout, Profile
from dms.alerts.stage import ROUNDING, Moment
from dms.records import Alert, Phase, Severity

LOCKOUT = "driver.lockout"
"""Its type. Neither an acknowledgement nor the driver's return ends it."""


class LockoutWatch:
    """Counts the emergencies of one profile's chains, while the speed is known: not of a parked car."""

    def __init__(self, profile: Profile, limits: Lockout, chains: Sequence[int]) -> None:
        """Start with none. `chains`: the places of the profile's chains among all."""
        self._chains = tuple(chains)
        self._profile = (profile.name, profile.version, profile.hash)
        self._limits = limits
        self._ids: list[str] = []
        self._emergency_s = 0.0
        self.alert: Alert | None = None
        """The alert, once raised; None before, and after the run."""

    def update(self, moment: Moment, chains: Sequence[Chain], new_id: str) -> Alert | None:
        """Take all chains; return the lockout if it begins."""
        if self.alert is not None or moment.signals["speed_kmh"].value is None:
            return None
        alerts = [chains[place].alert for place in self._chains]
        up = [alert.id for alert in alerts if alert is not None and alert.severity is Severity.EMERGENCY]
        if not up:
            return None
        new = [one for one in up if one not in self._ids]
        self._ids += new
        self._emergency_s += 0.0 if len(new) == len(up) else moment.elapsed_s
        limits = self._limits
        if len(self._ids) >= limits.emergencies or self._emergency_s >= limits.emergency_s - ROUNDING:
            self.alert = self._start(moment.assessment.captured_s, new_id)
        return self.alert

    def close(self, captured_s: float) -> Alert | None:
        """End it, if it is up, because the run is over."""
        alert, self.alert = self.alert, None
        return None if alert is None else closed(alert, captured_s)

    def _start(self, now_s: float, new_id: str) -> Alert:
        name, version, digest = self._profile
        return Alert(
            id=new_id,
            type=LOCKOUT,
            phase=Phase.START,
            severity=Severity.WARNING,
            onset_s=now_s,
            detected_s=now_s,
            captured_s=now_s,
            cause=f"{len(self._ids)} emergencies, {self._emergency_s:.0f} s in all: locked out for this run.",
            evidence={
                "emergencies": float(len(self._ids)),
                "emergencies.at_least": float(self._limits.emergencies),
                "emergency_s": self._emergency_s,
                "emergency_s.at_least": self._limits.emergency_s,
            },
            profile=name,
            profile_version=version,
            profile_hash=digest,
        )
