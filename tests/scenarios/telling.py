"""What a named story is: a title, what is told of a driver, and what must come of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache, lru_cache
from pathlib import Path

from dms.alerts import Profile, load_profile
from dms.config.assess import AssessConfig
from dms.config.cabin_file import read_cabin
from dms.records import Alert
from dms.resources import configs_folder
from dms.testing import Story, watch
from tests.scenarios.must import ROUNDING_S, At, Further, Run, Starting, Within, named

RATES = (60.0, 30.0, 15.0, 10.0)
"""The finest first: the others are compared with it."""
LEAD_S = 10.0
"""Every story begins with an attentive driver at 90 km/h for so long, unless it says otherwise."""
CONFIG = AssessConfig()
SALOON = read_cabin("saloon", configs_folder() / "cabins")

Tell = Callable[[Story], object]


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
        beside = " or ".join(map(named, self.also))
        if "*" in self.also:
            items.append("others may come")
        elif not self.starting():
            items.insert(0, f"no alert but {beside}" if beside else "no alert")
        elif beside:
            items.append(f"beside it at most {beside}")
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
            if abs(run.after_s(mine) - fine.after_s(its)) > 1 / run.fps + want.slack_s + ROUNDING_S
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
    """A shipped profile, or one of `profiles/` beside this file."""
    own = Path(__file__).parent / "profiles" / f"{name}.yaml"
    return load_profile(str(own) if own.exists() else name)
