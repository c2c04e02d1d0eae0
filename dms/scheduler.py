"""Which stages run on this frame: decided from times and measured costs alone, never from a count of frames.

`eyes` and `quality` run on every frame that is judged. The others take turns:

* Without a track the detector runs, whatever the budget, and nothing else: before it finds a face there is
  nothing to look at. The ages of the other results count from the first frame with a track.
* With a track a stage is ripe once its period is over. Of those ripe the one that waits longest runs, if it
  fits into what is left of the budget. (Least time to the maximum age would be no fair order: a stage that is
  ripe on every frame would keep the others from their rates.)
* Whatever the budget, as many run as must for the rest to follow one a frame within their maximum ages.

What is guaranteed with a track, for every stage that the level does not switch off:

* No frame is judged with a result older than the stage's maximum age, whatever budget, costs, rates and times
  there are. Hence nothing starves.
* Where every maximum age is at least as many intervals between frames as there are stages, no frame carries
  two of them, save one that comes later than expected (after more than the second longest of the last eight
  intervals). So a frame ends within the budget wherever its age, what every frame costs and any one stage fit
  into it together, and costs are as measured.
* Where frames are enough and the budget leaves room, rates are kept in time, without drift.

Times that go back start the rates anew, times that repeat stand still; neither can stop a stage for good, nor
the frames: one whose time does not go on is judged.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence

from dms.config import RateConfig, ScheduleConfig
from dms.control.levels import LEVELS, Level
from dms.errors import ConfigError
from dms.records import Alert, Assessment, Severity
from dms.stage_cost import StageCost

DETECT = "face"
TURNS = frozenset({DETECT, "fatigue", "distraction"})
REST = "rest"
"""What a frame costs without the stages that take turns."""

ROUNDING_S = 1e-6
"""Two times meant to be equal may differ this much by floating point."""
INTERVALS = 8
"""Intervals between frames remembered; the second longest is expected next, so that one gap is no rule."""
EARLY = 0.25
"""A frame may come this share of a period before its time, else a camera that jitters loses half of them."""

LATE_GAP_S = 0.08
"""A frame that comes longer after the last one judged is never passed over as late: below some 12 frames a
second each one lost shifts the timing of closures and looks away."""

OPENING = 0.5
"""Eyes less open than this may be closing: the default of `assess.eyes.open_above`. Only rates hang on it."""
_LASTING = ("closure_s", "off_road_s", "phone_s", "yawn_s")


def urgent(assessment: Assessment, alerts_active: Sequence[Alert]) -> bool:
    """Whether to watch closely: eyes closing, gaze off the road, phone, yawn, or an alert that stands."""
    if any(alert.severity is not Severity.CAUTION for alert in alerts_active):
        return True
    signals = assessment.signals
    openness = signals["openness"].value
    if openness is not None and openness < OPENING:
        return True
    return any((signals[name].value or 0.0) > 0.0 for name in _LASTING)


class Scheduler:
    """Chooses frames and their stages. Time is the frames' own, in seconds.

    Args:
        config: rates, maximum ages, budget.
        interval_s: time between two frames of the source; the budget where `config` sets none. Infinite for
            what is judged as fast as it goes: the stages must not hang on how fast this machine is.

    Raises:
        ConfigError: budget or interval are not positive.
    """

    def __init__(self, config: ScheduleConfig, interval_s: float) -> None:
        self.budget_s = interval_s if config.budget_s is None else config.budget_s
        for name, seconds in (("schedule.budget_s", self.budget_s), ("the interval of frames", interval_s)):
            if not seconds > 0:
                raise ConfigError(f"{name} must be above 0 s, not {seconds:g}: correct it, or source.fps")
        self._turns = tuple(
            _Turn(name, rate)
            for name, rate in (
                ("fatigue", config.fatigue),
                ("distraction", config.distraction),
                (DETECT, config.face),
            )
        )
        names = (REST, *(turn.name for turn in self._turns))
        self._costs_of = {cheapest: {name: StageCost() for name in names} for cheapest in (False, True)}
        self._intervals_s: deque[float] = deque(maxlen=INTERVALS)
        self._now_s = -math.inf
        self._tracking = False
        self._due: frozenset[str] = frozenset()
        self._frames = 0
        self._passed_late = False
        self._grid = _Grid()
        self._on: list[_Turn] = list(self._turns)
        self.use(LEVELS[0])

    @property
    def level(self) -> int:
        """Number of the level that is followed."""
        return self._level.number

    def use(self, level: Level) -> None:
        """Follow this level of the controller from the next frame on."""
        self._level = level
        self._costs = self._costs_of[level.cheapest]
        self._grid.period_s = 1 / level.max_fps if level.max_fps else 0.0
        on = [turn for turn in self._turns if turn.name not in level.off]
        for turn in on:
            if turn not in self._on:
                turn.await_from(self._now_s)
        self._on = on

    def admits(self, captured_s: float, age_s: float) -> str | None:
        """Whether to judge this frame, `age_s` old by now: None, or why it is passed over.

        "level": the level asks for fewer frames. "late": it cannot be judged in time, and the next one can,
        soon enough. After one that was late every frame is judged until one is in time again: where passing
        over does not help, the newest frame is the best there is.
        """
        if not self._grid.has_place(captured_s):
            return "level"
        rest_s = self._costs[REST].expected_s
        if rest_s <= self.budget_s < age_s + rest_s:
            if not self._passed_late and captured_s - self._now_s <= LATE_GAP_S:
                self._passed_late = True
                return "late"
        else:
            self._passed_late = False
        self._grid.take(captured_s)
        return None

    def due(self, captured_s: float, *, age_s: float, tracking: bool, urgent: bool) -> frozenset[str]:
        """The stages to run on the frame captured at `captured_s`.

        Args:
            captured_s: when the frame was captured.
            age_s: how old it is now: so much of the budget is spent.
            tracking: whether a face is followed.
            urgent: whether the driver must be watched closely.
        """
        self._follow(captured_s, tracking)
        for turn in self._on:
            turn.set_period(self._level.slower, urgent)
        left_s = self.budget_s - age_s - self._costs[REST].expected_s
        chosen = self._choose(captured_s, left_s) if tracking else self._seek()
        for turn in chosen:
            turn.take(captured_s, self._frames)
        self._due = frozenset([turn.name for turn in chosen])
        return self._due

    def ran(self, stage_s: Mapping[str, float]) -> None:
        """Learn what the stages of the frame that was last due took, by name, in seconds."""
        rest_s = 0.0
        for name, seconds in stage_s.items():
            if name in self._due:
                self._costs[name].note(seconds, self._now_s)
            else:
                rest_s += seconds
        if self._tracking:  # without a face the rest is next to nothing, and no measure of what is to come
            self._costs[REST].note(rest_s, self._now_s)

    def _follow(self, now_s: float, tracking: bool) -> None:
        """Notice time that goes back, intervals between frames, and the beginning of a track."""
        passed_s = now_s - self._now_s
        if passed_s < 0:
            for turn in self._turns:
                turn.await_from(now_s)
        elif 0 < passed_s < math.inf:
            self._intervals_s.append(passed_s)
        if tracking and not self._tracking:
            for turn in self._turns:
                if turn.name != DETECT:
                    turn.await_from(now_s)
        self._now_s, self._tracking = now_s, tracking
        self._frames += 1

    def _seek(self) -> list[_Turn]:
        return [turn for turn in self._on if turn.name == DETECT]

    def _choose(self, now_s: float, left_s: float) -> list[_Turn]:
        pressed = self._pressed(now_s)
        if pressed:
            return pressed
        ripe = [turn for turn in self._on if turn.planned_s <= now_s + ROUNDING_S]
        ripe.sort(key=_waits_longest)
        return [turn for turn in ripe if self._costs[turn.name].expected_s <= left_s][:1]

    def _pressed(self, now_s: float) -> list[_Turn]:
        """The fewest that must run now for the rest to follow one a frame, each within its maximum age."""
        turns = sorted(self._on, key=_ends_first)
        interval_s = self._interval_s()
        for count in range(len(turns)):
            rest = enumerate(turns[count:], start=1)
            if all(now_s + place * interval_s <= turn.end_s + ROUNDING_S for place, turn in rest):
                return turns[:count]
        return turns

    def _interval_s(self) -> float:
        """The time to expect until the next frame; 0 while unknown."""
        return sorted(self._intervals_s)[-2:][0] if self._intervals_s else 0.0


class _Turn:
    """One stage that takes turns: when it ran, when it is to run again, and by when it must."""

    __slots__ = ("_grid_s", "_period_s", "_rate", "_since_s", "frame", "name")

    def __init__(self, name: str, rate: RateConfig) -> None:
        self.name = name
        self.frame = 0
        """Which frame it last ran on: an order among those that wait alike, no measure of time."""
        self._rate = rate
        self._period_s = rate.every_s
        self._grid_s = -math.inf
        self._since_s = -math.inf

    @property
    def planned_s(self) -> float:
        return self._grid_s + self._period_s

    @property
    def end_s(self) -> float:
        """When its result reaches the maximum age."""
        return self._since_s + self._rate.max_age_s

    def set_period(self, slower: float, urgent: bool) -> None:
        self._period_s = slower * (self._rate.urgent_every_s if urgent else self._rate.every_s)

    def await_from(self, now_s: float) -> None:
        """There is no result, or none of use any more: run when its turn comes, its age counts from now."""
        self._grid_s = -math.inf
        self._since_s = now_s

    def take(self, now_s: float, frame: int) -> None:
        # Keep the grid while frames come in time; start it anew after a gap or an early run.
        planned_s = self.planned_s
        self._grid_s = planned_s if 0 <= now_s - planned_s < self._period_s else now_s
        self._since_s = now_s
        self.frame = frame


def _waits_longest(turn: _Turn) -> tuple[float, int]:
    return turn.planned_s, turn.frame


def _ends_first(turn: _Turn) -> tuple[float, int]:
    return turn.end_s, turn.frame


class _Grid:
    """The frames that are asked for: one a period, in time, whatever rate they come at. 0 = all."""

    def __init__(self) -> None:
        self.period_s = 0.0
        self._last_s = -math.inf
        self._seen_s = -math.inf

    def has_place(self, captured_s: float) -> bool:
        """Whether the next one is asked for by now, or time stands still or went back: all begins anew."""
        if not captured_s > self._seen_s:
            self._last_s = -math.inf
        self._seen_s = captured_s
        return not captured_s - self._last_s < (1 - EARLY) * self.period_s

    def take(self, captured_s: float) -> None:
        since_s = captured_s - self._last_s
        on_grid = (1 - EARLY) * self.period_s <= since_s < 2 * self.period_s
        self._last_s = self._last_s + self.period_s if on_grid else captured_s
