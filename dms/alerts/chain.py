"""One alert through its stages.

Of a signal that is unknown nothing follows: it raises no alert, and it clears none. An alert whose signals
have become unknown is held for the profile's `hold_unknown_s` and then ends saying so; by then the alert that
tells why nothing is seen (`sensor.*`, `driver.absent`) stands in its place.

A stage once reached stands until it has not been held for its `clear_after_s`. The alert shows the gravest
stage it has reached and ends when none stands any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from dms.alerts.profiles import Limit, Profile, Rule
from dms.records import Alert, Assessment, Phase, Signal

_ROUNDING = 1e-6


class Chain:
    """The rules of one chain, and their alert while it is up."""

    def __init__(self, rules: tuple[Rule, ...], profile: Profile, next_id: Callable[[], str]) -> None:
        """Take the stages, mildest first, and where new alerts get their id from."""
        self._rules = rules
        self._profile = profile
        self._next_id = next_id
        self._stages = tuple(_Stage(rule) for rule in rules)
        self._shown = -1  # index of the stage the alert shows
        self._at_start: Assessment | None = None
        self._unknown_s = 0.0
        self.alert: Alert | None = None
        """The alert in its latest phase; None while none is up."""

    def update(self, assessment: Assessment, elapsed_s: float) -> Alert | None:
        """Take the next assessment, `elapsed_s` after the last; return the alert if its phase changes."""
        gravest = -1
        for index, stage in enumerate(self._stages):
            if self._is_reached(stage.rule, assessment):
                stage.stand()
                gravest = index
        if self.alert is None:
            return self._start(gravest, assessment) if gravest >= 0 else None
        if gravest > self._shown:
            return self._escalate(self.alert, gravest, assessment)
        return self._hold(self.alert, assessment, elapsed_s)

    def close(self, captured_s: float) -> Alert | None:
        """End the alert, if one is up, because the run is over."""
        if self.alert is None:
            return None
        return self._end(
            self.alert, captured_s, "The run ended.", {**self.alert.evidence, "ended_by": "closed"}
        )

    def _is_reached(self, rule: Rule, assessment: Assessment) -> bool:
        for name, limit in rule.when.items():  # noqa: SIM110 - a generator takes twice the time
            if not self._is_met(name, limit, assessment):
                return False
        return True

    def _is_met(self, name: str, limit: Limit, assessment: Assessment) -> bool:
        signal = assessment.signals[name]
        if signal.value is None:
            return False
        if limit.at_least is not None:
            return signal.value >= limit.at_least - _ROUNDING
        return limit.unheeded_s is not None and self._grown_s(name, signal) >= limit.unheeded_s - _ROUNDING

    def _grown_s(self, name: str, signal: Signal) -> float:
        """Seconds a signal has grown since the alert started; 0 if it is another episode, or none is up."""
        if self.alert is None or self._at_start is None or signal.value is None:
            return 0.0
        before = self._at_start.signals[name]
        return signal.value - (before.value or 0.0) if signal.onset_s == before.onset_s else 0.0

    def _start(self, index: int, assessment: Assessment) -> Alert:
        rule = self._rules[index]
        self._shown, self._at_start, self._unknown_s = index, assessment, 0.0
        self.alert = Alert(
            id=self._next_id(),
            type=rule.type,
            phase=Phase.START,
            severity=rule.severity,
            onset_s=_onset_s(rule, assessment),
            detected_s=assessment.captured_s,
            captured_s=assessment.captured_s,
            cause=_cause(rule, assessment),
            evidence=_evidence(rule, assessment),
            profile=self._profile.name,
        )
        return self.alert

    def _escalate(self, alert: Alert, index: int, assessment: Assessment) -> Alert:
        rule = self._rules[index]
        self._shown, self._unknown_s = index, 0.0
        self.alert = replace(
            alert,
            type=rule.type,
            phase=Phase.UPDATE,
            severity=rule.severity,
            captured_s=assessment.captured_s,
            cause=_cause(rule, assessment),
            evidence=_evidence(rule, assessment),
        )
        return self.alert

    def _hold(self, alert: Alert, assessment: Assessment, elapsed_s: float) -> Alert | None:
        """Keep the alert up; end it once no stage stands, or none has been known for long enough."""
        unknown = [stage.hold(assessment, elapsed_s) is None for stage in self._stages if stage.stands]
        self._unknown_s = self._unknown_s + elapsed_s if any(unknown) else 0.0
        hold_s = self._profile.hold_unknown_s
        if not any(stage.stands for stage in self._stages):
            ended_by, cause = "cleared", "Over."
        elif self._unknown_s >= hold_s - _ROUNDING:
            ended_by, cause = "unknown", f"Could no longer be judged, for {hold_s:.0f} s."
        else:
            return None
        evidence = {**_evidence(self._rules[self._shown], assessment), "ended_by": ended_by}
        return self._end(alert, assessment.captured_s, cause, evidence)

    def _end(
        self, alert: Alert, captured_s: float, cause: str, evidence: dict[str, float | str | None]
    ) -> Alert:
        self.alert = None
        for stage in self._stages:
            stage.stands = False
        return replace(alert, phase=Phase.END, captured_s=captured_s, cause=cause, evidence=evidence)


class _Stage:
    """One rule of the chain: whether it stands, and for how long it has not been held."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.stands = False
        self._held: bool | None = True
        self._unheld_s = 0.0

    def stand(self) -> None:
        self.stands = self._held = True
        self._unheld_s = 0.0

    def hold(self, assessment: Assessment, elapsed_s: float) -> bool | None:
        """Fall once not held for long enough. An unknown interval neither holds nor clears."""
        held = _all(_held(self.rule, assessment))
        if held:
            self.stand()
        elif held is False:
            self._unheld_s += elapsed_s if self._held is False else 0.0
            self.stands = self._unheld_s < self.rule.clear_after_s - _ROUNDING
        self._held = held
        return held


def _held(rule: Rule, assessment: Assessment) -> Iterable[bool | None]:
    for name, limit in rule.when.items():
        value = assessment.signals[name].value
        if value is None:
            yield None
        elif limit.hold_above is not None:
            yield value > limit.hold_above
        else:
            yield limit.at_least is not None and value >= limit.at_least - _ROUNDING


def _all(states: Iterable[bool | None]) -> bool | None:
    """Three-valued and: one no decides, else one unknown leaves it open."""
    known = tuple(states)
    return False if False in known else None if None in known else True


def _onset_s(rule: Rule, assessment: Assessment) -> float:
    """When what the rule is about began: its first signal says, else now."""
    onset_s = assessment.signals[next(iter(rule.when))].onset_s
    return assessment.captured_s if onset_s is None else onset_s


def _cause(rule: Rule, assessment: Assessment) -> str:
    return rule.cause.format(**{name: assessment.signals[name].value for name in rule.when})


def _evidence(rule: Rule, assessment: Assessment) -> dict[str, float | str | None]:
    """The signals that decided, the limits they met, and how well the driver was known."""
    evidence: dict[str, float | str | None] = {}
    for name, limit in rule.when.items():
        evidence[name] = assessment.signals[name].value
        limits = {"at_least": limit.at_least, "unheeded_s": limit.unheeded_s}
        evidence.update({f"{name}.{key}": value for key, value in limits.items() if value is not None})
    return {**evidence, "calibration": assessment.calibration, "gaze_source": assessment.gaze_source}
