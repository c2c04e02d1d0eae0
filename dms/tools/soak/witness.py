"""Hears all that the loop tells: what is wrong now, when that was first told, and which alerts came."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dms.records import Control, Health, Judgement, Message, Phase, Vitals
from dms.tools.soak.schedule import LEVEL

REDUCED = "health:reduced"
ALERTS_KEPT = 200
"""More than two laps raise; older ones were compared already."""


@dataclass(frozen=True, slots=True)
class Heard:
    """An alert that began: its type, and when it was told. Its own stamps a fault may have changed."""

    type: str
    told_s: float


class Witness:
    """A `Sink` that turns messages into signs: `health:<cause>`, `unknown:<cause>` and `level`."""

    name = "soak"

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._health: frozenset[str] = frozenset()
        self._unknown: frozenset[str] = frozenset()
        self._first: dict[str, float] = {}
        self.level = 0
        self.frames = 0
        self.alerts_begun = 0
        self.recent: deque[Heard] = deque(maxlen=ALERTS_KEPT)
        self.healths = 0
        self.causes: Counter[str] = Counter()
        """How often the level changed, by cause."""

    def publish(self, message: Message) -> None:
        """Take one message."""
        if isinstance(message, Judgement):
            self._hear_judgement(message)
        elif isinstance(message, Health):
            self.healths += 1
            self._health = frozenset(f"health:{cause}" for cause in message.causes)
            self._note(self._health)
        elif isinstance(message, Control):
            self._hear_control(message)
        else:
            assert isinstance(message, Vitals)

    def fault(self) -> str | None:
        """Never at fault."""
        return None

    def figures(self) -> Mapping[str, float]:
        """Nothing to tell."""
        return {}

    def close(self) -> None:
        """Nothing to release."""

    @property
    def troubles(self) -> frozenset[str]:
        """Causes of the health now, as signs; but for the one that only tells of the top level."""
        return self._health - {REDUCED}

    def forget(self) -> None:
        """What is told from now on counts as new."""
        self._first.clear()

    def first_s(self, signs: tuple[str, ...]) -> tuple[float, str] | None:
        """When one of `signs` was first told since `forget`, and which; a sign stands for all it begins."""
        told = [(at_s, sign) for sign, at_s in self._first.items() if sign.startswith(signs)]
        return min(told, default=None)

    def shows(self, signs: tuple[str, ...]) -> bool:
        """Whether one of `signs` holds now; of the level see `level`."""
        return any(sign.startswith(signs) for sign in self._health | self._unknown)

    def _hear_judgement(self, judgement: Judgement) -> None:
        self.frames += judgement.observation.frame_id >= 0
        self._unknown = frozenset(f"unknown:{cause.value}" for cause in judgement.assessment.unknown_causes)
        self._note(self._unknown)
        for alert in judgement.alerts:
            if alert.phase is Phase.START:
                self.alerts_begun += 1
                self.recent.append(Heard(alert.type, self._clock()))

    def _hear_control(self, control: Control) -> None:
        self.level = control.level
        if control.level != control.previous:
            self.causes[control.cause] += 1
        if control.level > control.previous:
            self._note(frozenset({LEVEL}))

    def _note(self, signs: frozenset[str]) -> None:
        for sign in signs:
            self._first.setdefault(sign, self._clock())
