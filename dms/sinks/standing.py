"""What is due to be sounded: of the alerts that stand, the gravest that nobody has acknowledged."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from dms.records import Alert, Health, HealthState, Judgement, Message, Phase, Severity
from dms.sinks.patterns import PATTERNS, SENSING, Pattern, pattern_of

_SEVERITIES = list(Severity)


@dataclass(frozen=True, slots=True)
class Call:
    """One pattern due. `key` is the alert's id; `due_s` is when it was asked for, monotonic."""

    key: str
    pattern: Pattern
    severity: Severity
    due_s: float

    @property
    def rank(self) -> tuple[int, int]:
        """Severity first, then the class."""
        return _SEVERITIES.index(self.severity), PATTERNS.index(self.pattern)


class Standing:
    """Follows the messages; asked from other threads what is due now.

    An acknowledged alert is silent; one that escalates is no longer acknowledged. A pattern that does not
    repeat is due until it was played through, and again when its alert escalates. Bad health is told once a
    run for each of its states.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._calls: dict[str, Call] = {}
        self._done: dict[str, Severity] = {}
        self._begun_count = 0
        self._latency_s = 0.0

    def take(self, message: Message) -> bool:
        """Note what a message begins, ends or acknowledges; tells whether another call is due now."""
        if isinstance(message, Judgement) and message.alerts:
            return self._changes(lambda: self._note_all(message.alerts))
        if isinstance(message, Health) and message.state is not HealthState.OK:
            key, state = f"health {message.state.value}", message.state
            severity = Severity.CAUTION if state is HealthState.DEGRADED else Severity.WARNING
            return self._changes(lambda: self._ask(key, SENSING, severity))
        return False

    def call(self) -> Call | None:
        """The gravest call due, None in silence; of equals the one that came first, so that none cuts in."""
        with self._lock:
            return self._gravest()

    def played(self, call: Call) -> None:
        """A pattern that does not repeat was played through."""
        with self._lock:
            if self._calls.get(call.key) == call:
                del self._calls[call.key]
                self._done[call.key] = call.severity

    def begun(self, call: Call) -> None:
        """A pattern has begun to be played."""
        self._begun_count += 1
        self._latency_s = max(self._latency_s, self._clock() - call.due_s)

    def figures(self) -> Mapping[str, float]:
        """Patterns begun, and the longest time from when one was asked for until it began."""
        return {"patterns_begun": self._begun_count, "begun_max_s": self._latency_s}

    def clear(self) -> None:
        """Nothing is due any more."""
        with self._lock:
            self._calls.clear()

    def _changes(self, change: Callable[[], object]) -> bool:
        with self._lock:
            before = self._gravest()
            change()
            return self._gravest() != before

    def _gravest(self) -> Call | None:
        return max(self._calls.values(), key=lambda call: call.rank, default=None)

    def _note_all(self, alerts: Iterable[Alert]) -> None:
        for alert in alerts:
            self._note(alert)

    def _note(self, alert: Alert) -> None:
        if alert.phase is Phase.END:
            self._calls.pop(alert.id, None)
            self._done.pop(alert.id, None)
        elif alert.acknowledged_s is not None:
            self._calls.pop(alert.id, None)
        else:
            self._ask(alert.id, pattern_of(alert.type, alert.severity), alert.severity)

    def _ask(self, key: str, pattern: Pattern, severity: Severity) -> None:
        before = self._calls.get(key)
        if before is not None and before.pattern is pattern and before.severity is severity:
            return
        if pattern.repeats or self._done.get(key) is not severity:
            self._calls[key] = Call(key, pattern, severity, self._clock())
