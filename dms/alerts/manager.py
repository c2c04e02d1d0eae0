"""Raises, holds, escalates, acknowledges and clears alerts. Pure: time comes with the assessments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from dms.alerts.chain import Chain
from dms.alerts.gates import STANDSTILL_BELOW_KMH, Gate, Spell
from dms.alerts.lockout import LOCKOUT, LockoutWatch
from dms.alerts.profile import Profile
from dms.alerts.rules import Rule, Speed
from dms.alerts.stage import Moment
from dms.records import Acknowledgement, Alert, Assessment, DriverState, Severity

_STATE_OF_AREA = {
    "driver": DriverState.UNRESPONSIVE,
    "fatigue": DriverState.DROWSY,
    "distraction": DriverState.DISTRACTED,
}


class AlertManager:
    """Turns assessments, in order of time, into the phases of alerts.

    The order of the profiles does not matter. A chain that several of them share is run once, for the first
    of them by name.
    """

    def __init__(self, profiles: Sequence[Profile], session: str) -> None:
        """Take the rules and the name of this run, the first part of every alert's id."""
        ordered = sorted(profiles, key=lambda profile: profile.name)
        speeds = sorted(
            {rule.speed for profile in ordered for rule in profile.rules if rule.speed is not None},
            key=lambda speed: (speed.from_kmh, speed.down_to_kmh),
        )
        self._session = session
        self._number = 1
        self._next_id = f"{session}-1"
        self._gates = [Gate(speed) for speed in speeds]
        self._forward, self._off_standstill = Spell(), Spell()
        distinct = list(_distinct_chains(ordered))
        self._chains = [
            Chain(rules, profile, [_place(speeds, rule) for rule in rules]) for profile, rules in distinct
        ]
        self._lockouts = [
            LockoutWatch(
                profile,
                profile.lockout,
                [place for place, (_, rules) in enumerate(distinct) if rules in profile.chains],
            )
            for profile in ordered
            if profile.lockout
        ]
        self._last_s: float | None = None
        self._now_s = 0.0
        self._by_head = False  # as last known: a frame without either changes no limit
        self._shown: DriverState | None = None
        self._shown_since_s: float | None = None

    @property
    def _parts(self) -> tuple[Chain | LockoutWatch, ...]:
        return (*self._chains, *self._lockouts)

    @property
    def active(self) -> tuple[Alert, ...]:
        """The alerts now up, each in its latest phase."""
        return tuple([part.alert for part in self._parts if part.alert is not None])

    def update(self, assessment: Assessment) -> tuple[Alert, ...]:
        """Take the next assessment; return what starts, changes, is noted, told again or ends."""
        moment = self._moment(assessment)
        changes: list[Alert] = []
        for given in assessment.context.acknowledgements:
            changes += self._acknowledge(given, moment)
        for chain in self._chains:
            change = chain.update(moment, self._next_id)
            if change is not None:
                self._take(change, changes)
        for lockout in self._lockouts:
            change = lockout.update(moment, self._chains, self._next_id)
            if change is not None:
                self._take(change, changes)
        return tuple(changes)

    def told(self, assessment: Assessment) -> Assessment:
        """The assessment just taken, with the state as it is told beside the alerts, and since when."""
        shown = under_alerts(assessment.state, self.active)
        if shown is not self._shown:
            self._shown, self._shown_since_s = shown, assessment.captured_s
        if shown is assessment.state and self._shown_since_s == assessment.state_since_s:
            return assessment
        return replace(assessment, state=shown, state_since_s=self._shown_since_s)

    def close(self, captured_s: float) -> tuple[Alert, ...]:
        """End what is still up, because the run is over."""
        ends = [part.close(captured_s) for part in self._parts]
        return tuple(end for end in ends if end is not None)

    def _take(self, change: Alert, changes: list[Alert]) -> None:
        changes.append(change)
        if change.id == self._next_id:
            self._number += 1
            self._next_id = f"{self._session}-{self._number}"

    def _acknowledge(self, given: Acknowledgement, moment: Moment) -> list[Alert]:
        """What is noted by one acknowledgement: of one alert, or of all that are up."""
        if given.alert_id is not None and given.alert_id not in (alert.id for alert in self.active):
            return []
        meant = (
            chain
            for chain in self._chains
            if chain.alert is not None and given.alert_id in (None, chain.alert.id)
        )
        noted = [chain.acknowledge(moment, given.by) for chain in meant]
        return [alert for alert in noted if alert is not None]

    def _moment(self, assessment: Assessment) -> Moment:
        elapsed_s = 0.0 if self._last_s is None else max(0.0, assessment.captured_s - self._last_s)
        self._last_s = assessment.captured_s
        self._now_s += elapsed_s  # a clock set back stretches no latch and no suppression
        if assessment.gaze_source is not None:
            self._by_head = assessment.gaze_source == "head"
        signals = assessment.signals
        speed_kmh = signals["speed_kmh"].value
        for gate in self._gates:
            gate.update(speed_kmh, self._now_s)
        self._forward.update(not signals["reversing"].value, self._now_s)
        self._off_standstill.update(speed_kmh is None or speed_kmh >= STANDSTILL_BELOW_KMH, self._now_s)
        return Moment(
            assessment=assessment,
            signals=signals,
            now_s=self._now_s,
            elapsed_s=elapsed_s,
            by_head=self._by_head,
            standstill=self._off_standstill.is_over(self._now_s),
            reverses=self._forward.is_over(self._now_s),
            opened_s=[gate.opened_s for gate in self._gates],
            forward_since_s=self._forward.since_s,
        )


def under_alerts(state: DriverState, active: Sequence[Alert]) -> DriverState:
    """The driver's state beside his alerts: nobody is attentive while a warning about him stands."""
    if state is not DriverState.ATTENTIVE or not active:
        return state
    areas = {
        alert.type.partition(".")[0]
        for alert in active
        if alert.severity is not Severity.CAUTION and alert.type != LOCKOUT  # which outlasts his return
    }
    return next((named for area, named in _STATE_OF_AREA.items() if area in areas), state)


def _distinct_chains(profiles: Sequence[Profile]) -> Iterator[tuple[Profile, tuple[Rule, ...]]]:
    """Every chain once, with the first profile that has it: what several share is told once."""
    taken: list[tuple[Rule, ...]] = []
    for profile in profiles:
        for rules in profile.chains:
            if rules not in taken:
                taken.append(rules)
                yield profile, rules


def _place(speeds: Sequence[Speed], rule: Rule) -> int | None:
    return None if rule.speed is None else speeds.index(rule.speed)
