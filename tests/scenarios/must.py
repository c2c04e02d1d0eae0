"""What may be asked of a story, and one playing of it.

Times are seconds after `Story.here`; without it, after the lead every story begins with.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatch

from dms.records import Alert, Assessment, DriverState, Phase, Severity, UnknownCause

ROUNDING_S = 0.01
SENSING = "s[ey][ns]*.*"
"""Every alert about the sensing: `sensor.…` or `system.…`."""
_WORDS = {
    "*": "any alert",
    "[sd]*.*": "any alert but of `fatigue`",
    SENSING: "any `sensor` or `system` alert",
}


def named(pattern: str) -> str:
    """A type of alert, or a pattern of types, in words."""
    return _WORDS.get(pattern, f"`{pattern}`")


@dataclass(frozen=True)
class At:
    """An alert starts, or worsens to this type, then; give or take a frame and `slack_s`."""

    at_s: float
    type: str
    slack_s: float = 0.0

    def __str__(self) -> str:
        return f"{named(self.type)} at {self.at_s:g} s"

    def fits(self, alert: Alert, after_s: float, fps: float) -> bool:
        late_s = abs(after_s - self.at_s)
        return fnmatch(alert.type, self.type) and late_s <= 1 / fps + self.slack_s + ROUNDING_S


@dataclass(frozen=True)
class Within:
    """An alert starts, or worsens to this type, by then: how soon is left to the product."""

    by_s: float
    type: str
    slack_s: float = 0.0

    def __str__(self) -> str:
        return f"{named(self.type)} within {self.by_s:g} s"

    def fits(self, alert: Alert, after_s: float, fps: float) -> bool:
        return fnmatch(alert.type, self.type) and 0 < after_s <= self.by_s + 1 / fps + ROUNDING_S


@dataclass(frozen=True)
class Stands:
    """No alert of this type ends before then."""

    until_s: float
    type: str

    def __str__(self) -> str:
        return f"{named(self.type)} stands until {self.until_s:g} s"

    def wrong(self, run: Run) -> str | None:
        ended_s = [run.after_s(a) for a in run.alerts if a.phase is Phase.END and fnmatch(a.type, self.type)]
        if not ended_s:
            return f"{self.type} never came"
        early = min(ended_s) < self.until_s - 1 / run.fps - ROUNDING_S
        return f"{self.type} ended at {min(ended_s):.2f} s" if early else None


@dataclass(frozen=True)
class Clears:
    """Every alert of this type is over by then, because it cleared."""

    by_s: float
    type: str

    def __str__(self) -> str:
        return f"{named(self.type)} over by {self.by_s:g} s"

    def wrong(self, run: Run) -> str | None:
        limit_s = self.by_s + 2 / run.fps + ROUNDING_S
        ends = [a for a in run.alerts if a.phase is Phase.END and fnmatch(a.type, self.type)]
        if not ends:
            return f"{self.type} never came"
        late = [a for a in ends if run.after_s(a) > limit_s]
        if late:
            return f"{self.type} ended at {run.after_s(late[0]):.2f} s"
        others = [str(a.evidence["ended_by"]) for a in ends if a.evidence["ended_by"] != "cleared"]
        return f"{self.type} did not clear, it ended by: {', '.join(others)}" if others else None


@dataclass(frozen=True)
class Says:
    """Between the two times the state is always this, or for a cause: this cause is always named."""

    from_s: float
    to_s: float
    what: DriverState | UnknownCause

    def __str__(self) -> str:
        word = "state" if isinstance(self.what, DriverState) else "cause"
        return f"{word} *{self.what.value.replace('_', ' ')}* from {self.from_s:g} to {self.to_s:g} s"

    def wrong(self, run: Run) -> str | None:
        judged = run.between(self.from_s, self.to_s)
        for assessment in judged:
            named = (assessment.state, *assessment.unknown_causes)
            if self.what not in named:
                told = ", ".join(item.value for item in named)
                return f"at {assessment.captured_s - run.zero_s:.2f} s it said {told}, not {self.what.value}"
        return None if judged else "nothing was judged"


@dataclass(frozen=True)
class NeverSays:
    """Between the two times the state is never this."""

    from_s: float
    to_s: float
    what: DriverState

    def __str__(self) -> str:
        return f"never *{self.what.value}* from {self.from_s:g} to {self.to_s:g} s"

    def wrong(self, run: Run) -> str | None:
        judged = run.between(self.from_s, self.to_s)
        for assessment in judged:
            if assessment.state is self.what:
                return f"said {self.what.value} at {assessment.captured_s - run.zero_s:.2f} s"
        return None if judged else "nothing was judged"


@dataclass(frozen=True)
class Has:
    """At this time a signal lies between two values; None for both = it is unknown."""

    at_s: float
    signal: str
    least: float | None
    most: float | None

    def __str__(self) -> str:
        if self.least is None or self.most is None:
            return f"`{self.signal}` unknown at {self.at_s:g} s"
        return f"`{self.signal}` {self.least:g} to {self.most:g} at {self.at_s:g} s"

    def wrong(self, run: Run) -> str | None:
        value = run.between(self.at_s - 1.5 / run.fps, self.at_s)[-1].signals[self.signal].value
        if self.least is None or self.most is None:
            return None if value is None else f"{self.signal} is {value:.3f}"
        good = value is not None and self.least <= value <= self.most
        return None if good else f"{self.signal} is {value}"


@dataclass(frozen=True)
class Told:
    """So many times an alert of this type starts, worsens or is told again by then."""

    times: int
    type: str
    by_s: float

    def __str__(self) -> str:
        return f"{named(self.type)} told {self.times} times by {self.by_s:g} s"

    def wrong(self, run: Run) -> str | None:
        told = [
            a
            for a in run.alerts
            if a.phase is not Phase.END and fnmatch(a.type, self.type) and run.after_s(a) <= self.by_s
        ]
        return None if len(told) == self.times else f"{self.type} was told {len(told)} times"


@dataclass(frozen=True)
class Warns:
    """At least one alert of this type starts, or worsens to it, by then; others may come as well."""

    by_s: float
    type: str

    def __str__(self) -> str:
        return f"{named(self.type)} at least once by {self.by_s:g} s"

    def wrong(self, run: Run) -> str | None:
        limit_s = self.by_s + 1 / run.fps + ROUNDING_S
        came_s = [run.after_s(a) for a in run.begun() if fnmatch(a.type, self.type)]
        if any(0 < after_s <= limit_s for after_s in came_s):
            return None
        return f"{self.type} came at {came_s[0]:.2f} s" if came_s else f"{self.type} never came"


Starting = At | Within
Further = Stands | Clears | Says | NeverSays | Has | Told | Warns


@dataclass(frozen=True)
class Run:
    """One story played at one rate. `alerts` holds every phase."""

    fps: float
    zero_s: float
    assessments: tuple[Assessment, ...]
    alerts: tuple[Alert, ...]

    def after_s(self, alert: Alert) -> float:
        return alert.captured_s - self.zero_s

    def begun(self) -> list[Alert]:
        """Where alerts start or worsen: not where one is told again, or acknowledged."""
        seen: dict[str, tuple[str, Severity]] = {}
        begun = []
        for alert in self.alerts:
            now = (alert.type, alert.severity)
            if alert.phase is not Phase.END and seen.get(alert.id) != now:
                begun.append(alert)
            seen[alert.id] = now
        return begun

    def between(self, from_s: float, to_s: float) -> list[Assessment]:
        begin_s, end_s = self.zero_s + from_s - 1e-6, self.zero_s + to_s - 1e-6
        return [a for a in self.assessments if begin_s <= a.captured_s < end_s]
