"""Tells a person what happens: one line for each alert and each change of health."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable

from dms.records import Alert, Health, HealthState, Judgement, Message, Phase, Severity, Vitals

log = logging.getLogger(__name__)

_LEVEL_BY_SEVERITY = {
    Severity.INFO: logging.INFO,
    Severity.WARNING: logging.WARNING,
    Severity.URGENT: logging.ERROR,
    Severity.EMERGENCY: logging.CRITICAL,
}
_LEVEL_BY_HEALTH = {
    HealthState.STARTING: logging.INFO,
    HealthState.OK: logging.INFO,
    HealthState.DEGRADED: logging.WARNING,
    HealthState.FAULT: logging.ERROR,
}


class LogSink:
    """Lines go to the log, or to `tell` where one is given (a terminal)."""

    name = "log"

    def __init__(self, tell: Callable[[str], None] | None = None) -> None:
        self._tell = tell

    def publish(self, message: Message) -> None:
        """Tell the alerts of a judgement, or a change of health; vitals only at level debug."""
        if isinstance(message, Judgement):
            for alert in message.alerts:
                level = logging.INFO if alert.phase is Phase.END else _LEVEL_BY_SEVERITY[alert.severity]
                self._line(level, alert_line(alert))
        elif isinstance(message, Health):
            self._line(_LEVEL_BY_HEALTH[message.state], health_line(message))
        else:
            log.debug("%s", vitals_line(message))

    def fault(self) -> str | None:
        """Never at fault."""
        return None

    def close(self) -> None:
        """Nothing to release."""

    def _line(self, level: int, line: str) -> None:
        if self._tell is None:
            log.log(level, "%s", line)
        else:
            self._tell(line)


def alert_line(alert: Alert) -> str:
    """One phase of an alert, for a person."""
    head = f"{clock(alert.captured_s)}  {alert.severity.value.upper():<9} {alert.type}"
    if alert.phase is Phase.END:
        return f"{head} ended after {alert.duration_s:.1f} s"
    verb = "continues" if alert.phase is Phase.UPDATE else "began"
    return f"{head}: {alert.cause} ({verb} {clock(alert.onset_s)}, alert {alert.id})"


def health_line(health: Health) -> str:
    """A change of health, for a person."""
    causes = "".join(f"; {cause}: {detail}" for cause, detail in health.causes.items())
    return f"{clock(health.captured_s)}  system {health.state.value.upper()}{causes}"


def vitals_line(vitals: Vitals) -> str:
    """The vitals in one line."""
    return (
        f"{clock(vitals.captured_s)}  {vitals.fps:.1f} fps, latency p50 {vitals.latency_p50_s * 1e3:.1f} ms, "
        f"p95 {vitals.latency_p95_s * 1e3:.1f} ms, {vitals.dropped} dropped, {vitals.rss_bytes / 1e6:.0f} MB"
    )


def clock(captured_s: float) -> str:
    """Seconds of the source's clock as `h:mm:ss.t`."""
    if not math.isfinite(captured_s):
        return "-:--:--.-"
    tenths = round(captured_s * 10)
    hours, rest = divmod(tenths, 36_000)
    minutes, rest = divmod(rest, 600)
    return f"{hours}:{minutes:02d}:{rest // 10:02d}.{rest % 10}"
