"""What a named story is: a title, what is told of a driver, and what must come of it.

Times of what must come are seconds after `Story.here`; without it, after the lead every story begins with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache, lru_cache

from dms.alerts import Profile, load_profile
from dms.config.assess import AssessConfig
from dms.config.cabin_file import read_cabin
from dms.records import Alert, Assessment, DriverState, Phase, Severity, UnknownCause
from dms.resources import configs_folder
from dms.testing import Story, watch

RATES = (60.0, 30.0, 15.0, 10.0)
"""The finest first: the others are compared with it."""
LEAD_S = 10.0
"""Every story begins with an attentive driver at 90 km/h for so long, unless it says otherwise."""
CONFIG = AssessConfig()
SALOON = read_cabin("saloon", configs_folder() / "cabins")
_ROUNDING_S = 0.01

Tell = Callable[[Story], object]


@dataclass(frozen=True)
class At:
    """An alert starts, or worsens to this type, then; give or take a frame and `slack_s`."""

    at_s: float
    type: str
    slack_s: float = 0.0

    def __str__(self) -> str:
        return f"`{self.type}` at {self.at_s:g} s"

    def fits(self, alert: Alert, after_s: float, fps: float) -> bool:
        late_s = abs(after_s - self.at_s)
        return fnmatch(alert.type, self.type) and late_s <= 1 / fps + self.slack_s + _ROUNDING_S


@dataclass(frozen=True)
class Within:
    """An alert starts, or worsens to this type, by then: how soon is left to the product."""

    by_s: float
    type: str
    slack_s: float = 0.0

    def __str__(self) -> str:
        return f"`{self.type}` within {self.by_s:g} s"

    def fits(self, alert: Alert, after_s: float, fps: float) -> bool:
        return fnmatch(alert.type, self.type) and 0 < after_s <= self.by_s + 1 / fps + _ROUNDING_S


@dataclass(frozen=True)
class Stands:
    """No alert of this type ends before then."""

    until_s: float
    type: str

    def __str__(self) -> str:
        return f"`{self.type}` stands until {self.until_s:g} s"

    def wrong(self, run: Run) -> str | None:
        ended_s = [run.after_s(a) for a in run.alerts if a.phase is Phase.END and fnmatch(a.type, self.type)]
        if not ended_s:
            return f"{self.type} never came"
        early = min(ended_s) < self.until_s - 1 / run.fps - _ROUNDING_S
        return f"{self.type} ended at {min(ended_s):.2f} s" if early else None


@dataclass(frozen=True)
class Clears:
    """Every alert of this type is over by then, because it cleared."""

    by_s: float
    type: str

    def __str__(self) -> str:
        return f"`{self.type}` over by {self.by_s:g} s"

    def wrong(self, run: Run) -> str | None:
        limit_s = self.by_s + 2 / run.fps + _ROUNDING_S
        ends = [a for a in run.alerts if a.phase is Phase.END and fnmatch(a.type, self.type)]
        if not ends:
            return f"{self.type} never came"
        late = [a for a in ends if run.after_s(a) > limit_s]
        return f"{self.type} ended at {run.after_s(late[0]):.2f} s" if late else None


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
        for assessment in run.between(self.from_s, self.to_s):
            if assessment.state is self.what:
                return f"said {self.what.value} at {assessment.captured_s - run.zero_s:.2f} s"
        return None


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
        return f"`{self.type}` told {self.times} times by {self.by_s:g} s"

    def wrong(self, run: Run) -> str | None:
        told = [
            a
            for a in run.alerts
            if a.phase is not Phase.END and fnmatch(a.type, self.type) and run.after_s(a) <= self.by_s
        ]
        return None if len(told) == self.times else f"{self.type} was told {len(told)} times"


Starting = At | Within
Further = Stands | Clears | Says | NeverSays | Has | Told


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


@dataclass(frozen=True)
class NamedStory:
    """A story of the list."""

    title: str
    tell: Tell
    must: tuple[Starting | Further, ...]
    profiles: tuple[str, ...] = ("euroncap_2026",)
    lead: bool = True
    also: tuple[str, ...] = ()
    """Alerts that may come as well: what the story is not about."""

    def starting(self) -> list[Starting]:
        return [item for item in self.must if isinstance(item, At | Within)]

    def expected(self) -> str:
        """What must come of it, in words."""
        items = [str(item) for item in self.must]
        if not self.starting():
            items.insert(0, "no alert")
        return "; ".join(items)

    def run(self, fps: float) -> Run:
        story = Story(fps)
        if self.lead:
            story.driving(90).attentive(LEAD_S).here()
        self.tell(story)
        played = watch(story, CONFIG, *map(_profile, self.profiles), cabin=SALOON)
        return Run(fps, story.zero_s, played.assessments, played.alerts)

    def wrong_at(self, fps: float) -> list[str]:
        """What is not as it must be at this rate, or comes at another time than at the finest."""
        run = _run(self, fps)
        return [*self._wrong(run), *self._differs(run, _run(self, RATES[0]))]

    def _wrong(self, run: Run) -> list[str]:
        begun = self._begun(run)
        found = [f"{run.after_s(a):.2f} s {a.type} ({a.severity.value})" for a in begun]
        wanted = self.starting()
        same = len(begun) == len(wanted) and all(
            want.fits(alert, run.after_s(alert), run.fps) for want, alert in zip(wanted, begun, strict=True)
        )
        wrong = [] if same else [f"alerts were: {', '.join(found) or 'none'}"]
        checks = (item.wrong(run) for item in self.must if not isinstance(item, At | Within))
        return [*wrong, *(item for item in checks if item)]

    def _differs(self, run: Run, fine: Run) -> list[str]:
        """Where the alerts of one rate come at another time than those of a finer rate."""
        pairs = zip(self._begun(run), self._begun(fine), self.starting(), strict=False)
        return [
            f"{mine.type} at {run.after_s(mine):.2f} s, at {fine.fps:g} fps at {fine.after_s(its):.2f} s"
            for mine, its, want in pairs
            if abs(run.after_s(mine) - fine.after_s(its)) > 1 / run.fps + want.slack_s + _ROUNDING_S
        ]

    def _begun(self, run: Run) -> list[Alert]:
        return [alert for alert in run.begun() if not self._beside(alert)]

    def _beside(self, alert: Alert) -> bool:
        return any(fnmatch(alert.type, pattern) for pattern in self.also)


def story(
    title: str,
    *must: Starting | Further,
    profiles: Iterable[str] = ("euroncap_2026",),
    lead: bool = True,
    also: Iterable[str] = (),
) -> Callable[[Tell], NamedStory]:
    """Make a named story of a function that tells it."""

    def name(tell: Tell) -> NamedStory:
        return NamedStory(title, tell, must, tuple(profiles), lead, tuple(also))

    return name


@lru_cache(maxsize=2)
def _run(told: NamedStory, fps: float) -> Run:
    """The finest rate is asked for again and again: once is enough."""
    return told.run(fps)


@cache
def _profile(name: str) -> Profile:
    return load_profile(name)
