"""One rule of a chain at work: whether it is reached, stands, and is held."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dms.alerts.gates import FROM_THE_START_S
from dms.alerts.rules import Limit, Rule
from dms.records import Assessment, Signal

ROUNDING = 1e-6
_MINUTE_S = 60.0


@dataclass(slots=True)  # not frozen: made on every frame, see `assess.reading`
class Moment:
    """One assessment as the rules see it.

    `now_s` runs from the start of the run and never back; `elapsed_s` is the step to it. `by_head` tells that
    the head stands in for the eyes. `opened_s` holds for every gate since when it is open, None where it is
    closed; `forward_since_s` since when the vehicle is not told to reverse, None while it is. `standstill`
    and `reverses` have been told long enough to end what is up.
    """

    assessment: Assessment
    signals: Mapping[str, Signal]
    now_s: float
    elapsed_s: float
    by_head: bool
    standstill: bool
    reverses: bool
    opened_s: Sequence[float | None]
    forward_since_s: float | None


class Stage:
    """One rule of a chain. `gate` is the place of its speed in `Moment.opened_s`, None where it has none."""

    def __init__(self, rule: Rule, gate: int | None) -> None:
        """Start not reached."""
        self.rule = rule
        self.stands = False
        self.held: bool | None = True
        self.swallowed = 0
        """New alerts held back by `max_per_min` that are not yet told."""
        self._gate = gate
        self._limits = tuple(rule.when.items())
        self._unheld_s = 0.0
        self._suppressed_until_s = FROM_THE_START_S
        self._starts_s: deque[float] = deque()
        self.first, limit = self._limits[0]
        """The first signal; below `first_least` the rule is not reached, whatever the others say."""
        self.first_least = _least(limit)

    def is_reached(self, moment: Moment, at_start: Mapping[str, Signal] | None) -> bool:
        """Whether all limits are reached while armed. `at_start`: signals as the alert began, or None."""
        for name, limit in self._limits:
            signal = moment.signals[name]
            if signal.value is None or not _is_met(limit, name, signal, moment.by_head, at_start):
                return False
        return self._is_armed(moment) and (at_start is not None or self._may_start(moment.now_s))

    def stand(self) -> None:
        """Take part in the alert from now on."""
        self.stands = self.held = True
        self._unheld_s = 0.0

    def hold(self, moment: Moment) -> bool | None:
        """Fall once not held for long enough. An unknown interval neither holds nor clears."""
        held = self.is_held(moment)
        if held:
            self.stand()
        elif held is False:
            self._unheld_s += moment.elapsed_s if self.held is False else 0.0
            self.stands = self._unheld_s < self.rule.clear_after_s - ROUNDING
        self.held = held
        return held

    def is_held(self, moment: Moment) -> bool | None:
        """Three-valued: one signal that does not hold decides, else one unknown leaves it open."""
        if self.rule.pauses_in_reverse and moment.reverses:
            return False
        held: bool | None = True
        for name, limit in self._limits:
            value = moment.signals[name].value
            if value is None or math.isnan(value):
                held = None
            elif not _holds(limit, value, moment.by_head):
                return False
        return held

    def suppress(self, now_s: float) -> None:
        """Raise no new alert for a while: it was acknowledged."""
        if self.rule.suppress_s:
            self._suppressed_until_s = now_s + self.rule.suppress_s

    def admits(self, now_s: float) -> bool:
        """Whether one more alert may start here now."""
        most = self.rule.max_per_min
        if most is None:
            return True
        while self._starts_s and self._starts_s[0] <= now_s - _MINUTE_S + ROUNDING:
            self._starts_s.popleft()
        if len(self._starts_s) < most:
            self._starts_s.append(now_s)
            return True
        return False

    def tell_swallowed(self) -> int:
        """How many alerts were held back since this was last told."""
        untold, self.swallowed = self.swallowed, 0
        return untold

    def _may_start(self, now_s: float) -> bool:
        return not self.rule.only_escalates and now_s >= self._suppressed_until_s - ROUNDING

    def _is_armed(self, moment: Moment) -> bool:
        """Whether speed and direction arm the rule, and have for as long as its limits ask."""
        opened_s = FROM_THE_START_S if self._gate is None else moment.opened_s[self._gate]
        forward_s = moment.forward_since_s if self.rule.pauses_in_reverse else FROM_THE_START_S
        if opened_s is None or forward_s is None:
            return False
        armed_s = moment.now_s - max(opened_s, forward_s) + ROUNDING
        # What lasts counts from when the rule was armed: not the glance back while reversing.
        return all(
            armed_s >= _at_least(limit, moment.by_head) for name, limit in self._limits if name.endswith("_s")
        )


def _is_met(
    limit: Limit, name: str, signal: Signal, by_head: bool, at_start: Mapping[str, Signal] | None
) -> bool:
    value = signal.value or 0.0
    if limit.at_least is not None:
        return value >= _at_least(limit, by_head) - ROUNDING
    if limit.at_most is not None:
        return value <= limit.at_most + ROUNDING
    if limit.unheeded_s is None or at_start is None or signal.onset_s != at_start[name].onset_s:
        return False  # no alert is up, or this is another episode
    return value - (at_start[name].value or 0.0) >= limit.unheeded_s - ROUNDING


def _least(limit: Limit) -> float:
    """Below this value it is not reached, whoever is judged by."""
    if limit.at_least is None:
        return -math.inf
    return min(_at_least(limit, by_head) for by_head in (False, True)) - ROUNDING


def _at_least(limit: Limit, by_head: bool) -> float:
    """The value in force; 0 where the limit is of another kind."""
    if by_head and limit.by_head is not None:
        return limit.by_head
    return limit.at_least or 0.0


def _holds(limit: Limit, value: float, by_head: bool) -> bool:
    if limit.hold_above is not None:
        return value > limit.hold_above
    if limit.hold_below is not None:
        return value < limit.hold_below
    if limit.at_most is not None:
        return value <= limit.at_most + ROUNDING
    return value >= _at_least(limit, by_head) - ROUNDING


def in_force(limit: Limit, by_head: bool) -> tuple[str, float]:
    """The kind of a limit and its value in force, for the evidence."""
    if limit.at_least is not None:
        return "at_least", _at_least(limit, by_head)
    if limit.at_most is not None:
        return "at_most", limit.at_most
    return "unheeded_s", limit.unheeded_s or 0.0
