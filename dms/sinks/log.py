"""Tells a person what happens: one line for each alert and each change of health or level."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from datetime import datetime

from dms.control.levels import LEVELS
from dms.records import (
    Alert,
    Control,
    Health,
    HealthState,
    Judgement,
    Message,
    Phase,
    Severity,
    Vitals,
)

log = logging.getLogger(__name__)

_LEVEL_BY_SEVERITY = {
    Severity.CAUTION: logging.INFO,
    Severity.WARNING: logging.WARNING,
    Severity.URGENT: logging.ERROR,
    Severity.EMERGENCY: logging.CRITICAL,
}
_LEVEL_BY_HEALTH = {
    HealthState.OK: logging.INFO,
    HealthState.DEGRADED: logging.WARNING,
    HealthState.FAULT: logging.ERROR,
}


_YEAR_3000_S = 32_503_680_000.0


class LogSink:
    """Lines go to the log, or to `tell` where one is given (a terminal).

    Args:
        tell: takes one line.
        epoch_offset: gives what to add to the source's clock for Unix time, or None where that is unknown;
            where it is known, lines begin with local wall-clock time.
        level: the least level that `tell` gets; the log has its own.
        several: whether several profiles are in force, so that each alert's is told.
    """

    name = "log"

    def __init__(
        self,
        tell: Callable[[str], None] | None = None,
        epoch_offset: Callable[[], float | None] = lambda: None,
        level: int = logging.INFO,
        several: bool = False,
    ) -> None:
        self._tell = tell
        self._epoch_offset = epoch_offset
        self._level = level
        self._several = several

    def publish(self, message: Message) -> None:
        """Tell the alerts of a judgement, or a change of health or level; vitals only at level debug."""
        offset_s = self._epoch_offset()
        if isinstance(message, Judgement):
            for alert in message.alerts:
                is_news = alert.phase is not Phase.END and not _is_acknowledgement(alert)
                level = _LEVEL_BY_SEVERITY[alert.severity] if is_news else logging.INFO
                self._line(level, alert_line(alert, offset_s, several=self._several))
        elif isinstance(message, Health):
            self._line(_LEVEL_BY_HEALTH[message.state], health_line(message, offset_s))
        elif isinstance(message, Control):
            grave = message.held or message.level > message.previous
            self._line(logging.WARNING if grave else logging.INFO, control_line(message, offset_s))
        else:
            self._line(logging.DEBUG, vitals_line(message, offset_s))

    def fault(self) -> str | None:
        """Never at fault."""
        return None

    def figures(self) -> Mapping[str, float]:
        """Nothing to tell."""
        return {}

    def close(self) -> None:
        """Nothing to release."""

    def _line(self, level: int, line: str) -> None:
        if self._tell is None:
            log.log(level, "%s", line)
        elif level >= self._level:
            self._tell(line)


def alert_line(alert: Alert, epoch_offset_s: float | None = None, *, several: bool = False) -> str:
    """One phase of an alert, for a person; of `several` profiles its own is named."""
    which = f"alert {alert.id}" + (f", {alert.profile}" if several else "")
    head = f"{clock(alert.captured_s, epoch_offset_s)}  {alert.severity.value.upper():<9} {alert.type}"
    if alert.phase is Phase.END:
        return f"{head} ended after {alert.duration_s:.1f} s ({which})"
    if _is_acknowledgement(alert):
        return f"{head} acknowledged by {alert.evidence['acknowledged_by']} ({which})"
    verb = "continues" if alert.phase is Phase.UPDATE else "began"
    return f"{head}: {alert.cause} ({verb} {clock(alert.onset_s, epoch_offset_s)}, {which})"


def _is_acknowledgement(alert: Alert) -> bool:
    return alert.phase is Phase.UPDATE and "acknowledged_by" in alert.evidence


def health_line(health: Health, epoch_offset_s: float | None = None) -> str:
    """A change of health, for a person."""
    causes = "".join(f"; {cause}: {detail}" for cause, detail in health.causes.items())
    return f"{clock(health.captured_s, epoch_offset_s)}  system {health.state.value.upper()}{causes}"


def control_line(decided: Control, epoch_offset_s: float | None = None) -> str:
    """A level of the controller, for a person."""
    head = f"{clock(decided.captured_s, epoch_offset_s)}  level {decided.level}"
    if decided.level != decided.previous:
        head += f" after {decided.previous}"
    held = ", held" if decided.held else ""
    return f"{head}{held} ({LEVELS[decided.level].title}); {decided.cause}: {decided.detail}"


def vitals_line(vitals: Vitals, epoch_offset_s: float | None = None) -> str:
    """The vitals in one line."""
    return (
        f"{clock(vitals.captured_s, epoch_offset_s)}  {vitals.fps:.1f} fps, "
        f"latency p50 {_ms(vitals.latency_p50_s)}, p95 {_ms(vitals.latency_p95_s)}, "
        f"{vitals.dropped} dropped, {vitals.rss_bytes / 1e6:.0f} MB"
    )


def _ms(seconds: float | None) -> str:
    return "unknown" if seconds is None else f"{seconds * 1e3:.1f} ms"


def clock(captured_s: float, epoch_offset_s: float | None = None) -> str:
    """Local time as `hh:mm:ss.t` where the offset is known, else the source's own clock as `h:mm:ss.t`."""
    if not math.isfinite(captured_s):
        return "-:--:--.-"
    if epoch_offset_s is not None and 0 <= captured_s + epoch_offset_s < _YEAR_3000_S:
        local = datetime.fromtimestamp(round(captured_s + epoch_offset_s, 1))
        return f"{local:%H:%M:%S}.{local.microsecond // 100_000}"
    tenths = round(captured_s * 10)
    hours, rest = divmod(tenths, 36_000)
    minutes, rest = divmod(rest, 600)
    return f"{hours}:{minutes:02d}:{rest // 10:02d}.{rest % 10}"
