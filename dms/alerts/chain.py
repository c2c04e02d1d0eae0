"""One alert through its stages.

Of a signal that is unknown nothing follows: it raises no alert, and it clears none. An alert about the driver
whose signals have become unknown stays up until he is seen well again, or until it is acknowledged: hiding is
no answer. An alert about the sensing ends after the profile's `hold_unknown_s`: by then another stands in its
place.

A stage once reached stands until it has not been held for its `clear_after_s`. The alert shows the gravest
stage it has reached and ends when none stands any more, the latch of the stage shown is over, and the driver
is in sight: a latch that runs out while he hides waits for him. At a standstill no stage with a speed stands:
the alert falls back to the gravest that is left, or ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from dms.alerts.contradictions import RANK
from dms.alerts.profile import Profile
from dms.alerts.rules import SENSING_AREAS, Rule
from dms.alerts.stage import ROUNDING, Moment, Stage, in_force
from dms.records import Alert, Phase, Signal

Evidence = dict[str, float | str | None]


class Chain:
    """The rules of one chain, and their alert while it is up."""

    def __init__(self, rules: Sequence[Rule], profile: Profile, gates: Sequence[int | None]) -> None:
        """Take the stages, mildest first, and the place of each one's gate in `Moment.opened_s`."""
        self._stages = tuple(Stage(rule, gate) for rule, gate in zip(rules, gates, strict=True))
        self._profile = (profile.name, profile.version, profile.hash)
        self._hold_unknown_s = profile.hold_unknown_s
        self._shown = -1  # index of the stage the alert shows
        self._shown_since_s = 0.0
        self._told_s = 0.0
        self._unknown_s = 0.0
        self._swallows = False
        self._at_start: Mapping[str, Signal] | None = None
        self.alert: Alert | None = None
        """The alert in its latest phase; None while none is up."""

    def update(self, moment: Moment, new_id: str) -> Alert | None:
        """Take the next moment; return the alert if its phase changes. A new alert takes `new_id`."""
        gravest = self._gravest(moment)
        if self.alert is None:
            self._swallows = self._swallows and gravest >= 0
            return self._start(gravest, moment, new_id) if gravest >= 0 else None
        if gravest > self._shown:
            return self._escalate(self.alert, gravest, moment)
        return self._hold(self.alert, moment)

    def acknowledge(self, moment: Moment, by: str) -> Alert | None:
        """The driver has taken note, `by` whichever way; None where there is nothing to note, or it was."""
        if self.alert is None or self.alert.acknowledged_s is not None:
            return None
        for stage in self._stages:
            if RANK[stage.rule.severity] <= RANK[self.alert.severity]:
                stage.suppress(moment.now_s)
        now_s = moment.assessment.captured_s
        self.alert = replace(
            self.alert,
            phase=Phase.UPDATE,
            captured_s=now_s,
            acknowledged_s=now_s,
            evidence={**self.alert.evidence, "acknowledged_by": by},
        )
        return self.alert

    def close(self, captured_s: float) -> Alert | None:
        """End the alert, if one is up, because the run is over."""
        alert = self.alert
        self._rest()
        return None if alert is None else closed(alert, captured_s)

    def _gravest(self, moment: Moment) -> int:
        """The gravest stage reached; -1 if none. All that are reached stand from now on."""
        gravest, signals, at_start = -1, moment.signals, self._at_start
        for index, stage in enumerate(self._stages):
            value = signals[stage.first].value
            if value is None or value < stage.first_least:
                continue  # nearly always, and on every frame: a call would cost more than the rest
            if stage.is_reached(moment, at_start):
                stage.stand()
                gravest = index
        return gravest

    def _start(self, index: int, moment: Moment, new_id: str) -> Alert | None:
        stage = self._stages[index]
        if not stage.admits(moment.now_s):
            stage.swallowed += not self._swallows  # once an episode
            self._swallows = True
            self._rest()
            return None
        now_s = moment.assessment.captured_s
        self._show(index, moment)
        self._at_start = moment.signals
        name, version, digest = self._profile
        evidence = _evidence(stage.rule, moment)
        swallowed = stage.tell_swallowed()
        if swallowed:
            evidence["swallowed"] = float(swallowed)
        self.alert = Alert(
            id=new_id,
            type=stage.rule.type,
            phase=Phase.START,
            severity=stage.rule.severity,
            onset_s=_onset_s(stage.rule, moment),
            detected_s=now_s,
            captured_s=now_s,
            cause=_cause(stage.rule, moment),
            evidence=evidence,
            profile=name,
            profile_version=version,
            profile_hash=digest,
        )
        return self.alert

    def _escalate(self, alert: Alert, index: int, moment: Moment) -> Alert:
        """Show a graver stage. Who took note of the milder one has not taken note of this."""
        self._show(index, moment)
        rule = self._stages[index].rule
        return self._update(
            replace(alert, type=rule.type, severity=rule.severity, acknowledged_s=None), moment
        )

    def _left_at_standstill(self) -> int:
        """The gravest stage that stands at any speed, -1 if none; the others stand no more."""
        for stage in self._stages:
            stage.stands &= stage.rule.speed is None
        return max((index for index, stage in enumerate(self._stages) if stage.stands), default=-1)

    def _fall_back(self, alert: Alert, index: int, moment: Moment) -> Alert:
        self._show(index, moment)
        rule = self._stages[index].rule
        return self._update(replace(alert, type=rule.type, severity=rule.severity), moment)

    def _update(self, alert: Alert, moment: Moment) -> Alert:
        rule = self._stages[self._shown].rule
        self._told_s = moment.now_s
        self.alert = replace(
            alert,
            phase=Phase.UPDATE,
            captured_s=moment.assessment.captured_s,
            cause=_cause(rule, moment),
            evidence=_evidence(rule, moment),
        )
        return self.alert

    def _show(self, index: int, moment: Moment) -> None:
        self._shown, self._unknown_s = index, 0.0
        self._shown_since_s = self._told_s = moment.now_s

    def _hold(self, alert: Alert, moment: Moment) -> Alert | None:
        """Keep the alert up, or end it."""
        shown = self._stages[self._shown]
        unknown = [stage.hold(moment) is None for stage in self._stages if stage.stands]
        self._unknown_s = self._unknown_s + moment.elapsed_s if any(unknown) else 0.0
        if moment.standstill and shown.rule.speed is not None:
            left = self._left_at_standstill()
            if left >= 0:
                return self._fall_back(alert, left, moment)
            ended_by, cause = "standstill", "The vehicle stands."
        elif self._is_cleared(alert, moment):
            ended_by, cause = "cleared", "Over."
        elif self._unknown_s >= self._hold_unknown_s - ROUNDING and self._may_end_unknown(alert):
            ended_by, cause = "unknown", f"Could no longer be judged, for {self._hold_unknown_s:.0f} s."
        elif self._is_to_repeat(alert, moment):
            return self._update(alert, moment)
        else:
            return None
        evidence = {**_evidence(shown.rule, moment), "ended_by": ended_by}
        return self._end(alert, moment.assessment.captured_s, cause, evidence)

    def _is_cleared(self, alert: Alert, moment: Moment) -> bool:
        """Whether nothing it has reached stands, and nothing else keeps it up."""
        if any(stage.stands for stage in self._stages) or self._is_latched(alert, moment):
            return False
        return self._may_end_unknown(alert) or self._stages[self._shown].is_held(moment) is not None

    def _is_latched(self, alert: Alert, moment: Moment) -> bool:
        rule = self._stages[self._shown].rule
        if alert.acknowledged_s is not None:
            return False
        return rule.until_acknowledged or moment.now_s - self._shown_since_s < rule.latch_s - ROUNDING

    def _may_end_unknown(self, alert: Alert) -> bool:
        """Whether what cannot be judged any more may end: not what the driver could end by hiding."""
        return self._stages[self._shown].rule.area in SENSING_AREAS or alert.acknowledged_s is not None

    def _is_to_repeat(self, alert: Alert, moment: Moment) -> bool:
        shown = self._stages[self._shown]
        repeat_s = shown.rule.repeat_s
        if repeat_s is None or alert.acknowledged_s is not None or not (shown.stands and shown.held):
            return False
        return moment.now_s - self._told_s >= repeat_s - ROUNDING

    def _end(self, alert: Alert, captured_s: float, cause: str, evidence: Evidence) -> Alert:
        self._rest()
        return replace(alert, phase=Phase.END, captured_s=captured_s, cause=cause, evidence=evidence)

    def _rest(self) -> None:
        """No alert is up."""
        self.alert = self._at_start = None
        for stage in self._stages:
            stage.stands = False


def closed(alert: Alert, captured_s: float) -> Alert:
    """The alert, ended because the run is over."""
    evidence = {**alert.evidence, "ended_by": "closed"}
    return replace(alert, phase=Phase.END, captured_s=captured_s, cause="The run ended.", evidence=evidence)


def _onset_s(rule: Rule, moment: Moment) -> float:
    """When what the rule is about began: its first signal says, else now."""
    onset_s = moment.signals[next(iter(rule.when))].onset_s
    return moment.assessment.captured_s if onset_s is None else onset_s


def _cause(rule: Rule, moment: Moment) -> str:
    return rule.cause.format(**{name: moment.signals[name].value for name in rule.when})


def _evidence(rule: Rule, moment: Moment) -> Evidence:
    """The signals that decided, the limits they met, at which speed, and how well the driver was known."""
    evidence: Evidence = {}
    for name, limit in rule.when.items():
        kind, value = in_force(limit, moment.by_head)
        evidence[name] = moment.signals[name].value
        evidence[f"{name}.{kind}"] = value
    if rule.speed is not None:
        speed_kmh = moment.signals["speed_kmh"].value
        evidence["speed_kmh"] = "unknown, taken as fast" if speed_kmh is None else speed_kmh
        evidence["speed_kmh.from"] = rule.speed.from_kmh
    assessment = moment.assessment
    return {**evidence, "calibration": assessment.calibration, "gaze_source": assessment.gaze_source}
