"""Lets the faults of a schedule come, and notes what was told of each and when all was well again."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from dms.control.levels import TOP
from dms.tools.soak.clock import DrivingClock
from dms.tools.soak.rig import Rig
from dms.tools.soak.schedule import LEVEL, Fault
from dms.tools.soak.witness import Witness

SETTLE_S = 10.0
"""After trouble alerts may still come late for so long: windows fill up again."""
PEACE_S = 20.0
"""No fault comes so soon after all has settled: alerts must have their chance."""
TOLD_WITHIN_S = 15.0
"""A fault not told of by then after its end is taken not to be told at all."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one fault. Times in seconds of driving.

    `told_s` counts from its begin, `recovered_s` from its end; None = it was not. `sign` is what was told.
    """

    fault: Fault
    begun_s: float
    ended_s: float
    told_s: float | None
    sign: str
    recovered_s: float | None
    healths: int
    """Changes of health that were told of it; a fault that is on and off is told again and again."""
    raised: int
    """By how much the level was higher in the end."""

    @property
    def passed(self) -> bool:
        """Whether it was told, if it had to be, and is over."""
        return (self.told_s is not None or not self.fault.kind.signs) and self.recovered_s is not None


class Director:
    """Called with the present at every frame; one fault at a time.

    `calm` is the part of a lap, seconds from and to, in which the driver can be judged.
    """

    def __init__(
        self,
        plan: Sequence[Fault],
        rig: Rig,
        witness: Witness,
        clock: DrivingClock,
        calm: tuple[float, float],
        seed: int,
    ) -> None:
        self._waiting = list(plan)
        self._rig = rig
        self._witness = witness
        self._clock = clock
        self._calm = calm
        self._chance = random.Random(seed)
        self._injected = ExitStack()
        self._begun_s = clock()
        self._fault: Fault | None = None
        self._fault_s = 0.0
        self._ended_s: float | None = None
        self._level_before = self._healths_before = 0
        self._quiet_s = -PEACE_S
        self.outcomes: list[Outcome] = []
        self.disturbed: list[tuple[float, float]] = []
        """When alerts were not to be expected as scripted."""
        self.at_top: list[tuple[float, float]] = []
        """When the level was the highest, which leaves out a part of them."""
        self.unforeseen: Counter[str] = Counter()
        """Signs of trouble that no fault accounts for."""
        self._peace_troubles: frozenset[str] = frozenset()

    @property
    def fault(self) -> Fault | None:
        """The fault that is on, or not yet over with."""
        return self._fault

    def advance(self, now_s: float) -> None:
        """Begin, end or give up a fault."""
        self._rig.each()
        if self._fault is None:
            self._watch_peace(now_s)
            self._begin_next(now_s)
        elif self._ended_s is None:
            if now_s - self._fault_s >= self._fault.length_s:
                self._end(now_s)
        else:
            self._watch_recovery(self._fault, self._ended_s, now_s)
        self._note_disturbance(now_s)

    def close(self) -> None:
        """Undo the fault that is on."""
        self._injected.close()

    def _begin_next(self, now_s: float) -> None:
        """Begin the first fault that is due and can be told apart from what is going on."""
        if now_s < self._quiet_s + PEACE_S or self._witness.troubles:
            return
        due = [fault for fault in self._waiting if now_s - self._begun_s >= fault.begin_s]
        fault = next((fault for fault in due if self._can_begin(fault, now_s)), None)
        if fault is not None:
            self._waiting.remove(fault)
            self._begin(fault, now_s)

    def _can_begin(self, fault: Fault, now_s: float) -> bool:
        kind, level = fault.kind, self._witness.level
        begin_s, end_s = self._calm
        in_calm = begin_s <= self._rig.source.lap_s(now_s) <= end_s - fault.length_s
        # From level 0 heat, brakes and stalls must be answered; at the top some engines do not run.
        told_apart = (
            level == 0 if LEVEL in kind.signs else level < TOP and not self._witness.shows(kind.signs)
        )
        return told_apart and (in_calm or not kind.calm)

    def _begin(self, fault: Fault, now_s: float) -> None:
        self._fault, self._fault_s, self._ended_s = fault, now_s, None
        self._level_before, self._healths_before = self._witness.level, self._witness.healths
        self._clock.in_real_time = fault.kind.real_time
        self._witness.forget()
        self._injected.enter_context(fault.kind.inject(self._rig, self._chance))

    def _end(self, now_s: float) -> None:
        self._injected.close()
        self._ended_s = now_s

    def _watch_recovery(self, fault: Fault, ended_s: float, now_s: float) -> None:
        signs = fault.kind.signs
        told = self._witness.first_s(signs) if signs else None
        over = not self._witness.troubles and not self._witness.shows(signs)
        if LEVEL in signs:
            over = over and self._witness.level <= self._level_before
        is_told = told is not None or not signs or now_s - ended_s > TOLD_WITHIN_S
        if not (over and is_told) and now_s - ended_s < fault.kind.settles_s:
            return
        self.outcomes.append(
            Outcome(
                fault,
                self._fault_s - self._begun_s,
                ended_s - self._begun_s,
                told[0] - self._fault_s if told else None,
                told[1] if told else "",
                now_s - ended_s if over else None,
                self._witness.healths - self._healths_before,
                max(0, self._witness.level - self._level_before),
            )
        )
        self._fault = None
        self._clock.in_real_time = False
        self._quiet_s = now_s + SETTLE_S

    def _watch_peace(self, now_s: float) -> None:
        troubles = self._witness.troubles if now_s > self._quiet_s else frozenset()
        self.unforeseen.update(troubles - self._peace_troubles)
        self._peace_troubles = troubles

    def _note_disturbance(self, now_s: float) -> None:
        """With a raised level alone alerts must come all the same, but for what the top level leaves out."""
        on = self._fault is not None and (self._ended_s is None or self._fault.kind.signs != (LEVEL,))
        if on or self._witness.troubles:
            _prolong(self.disturbed, now_s)
        if self._witness.level == TOP:
            _prolong(self.at_top, now_s)


def _prolong(spans: list[tuple[float, float]], now_s: float) -> None:
    """Have the last span, or a new one, last until everything has settled."""
    begin_s = spans.pop()[0] if spans and now_s <= spans[-1][1] else now_s
    spans.append((begin_s, now_s + SETTLE_S))
