"""Which rhythm and pitch stands for which alert. Data; the table for people is in `docs/local-alerts.md`.

Fatigue is to be told apart from distraction and to be more urgent (Euro NCAP, Driver Engagement 2026, HMI of
microsleep and sleep); pitches lie within 200 to 8000 Hz, the band named for acoustic driver warnings in the
EU's drowsiness rules, (EU) 2021/1341. Rhythms and pitches are our own design, not a standard's.
"""

from __future__ import annotations

from dataclasses import dataclass

from dms.records import Severity


@dataclass(frozen=True, slots=True)
class Beep:
    """A tone of `hz` for `on_s`, then silence for `off_s`."""

    hz: float
    on_s: float
    off_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Pattern:
    """Beeps, over and over while the alert stands where it `repeats`. `gain` is a share of the volume."""

    name: str
    beeps: tuple[Beep, ...]
    gain: float
    repeats: bool = True

    @property
    def length_s(self) -> float:
        """Seconds from the first beep to its repetition."""
        return sum(beep.on_s + beep.off_s for beep in self.beeps)

    def at(self, elapsed_s: float) -> tuple[bool, float]:
        """Whether it sounds after `elapsed_s`, and for how many seconds that stays so (inf: it is over)."""
        if not self.repeats and elapsed_s >= self.length_s:
            return False, float("inf")
        left_s = elapsed_s % self.length_s
        for beep in self.beeps:
            for on, lasts_s in ((True, beep.on_s), (False, beep.off_s)):
                if left_s < lasts_s:
                    return on, lasts_s - left_s
                left_s -= lasts_s
        return False, 0.0  # rounding at the very end of the last silence


SENSING = Pattern("sensing", (Beep(523, 0.12, 0.06), Beep(392, 0.18)), 0.25, repeats=False)
EMERGENCY = Pattern("emergency", (Beep(1000, 0.2), Beep(1600, 0.2)), 1.0)
_BY_CLASS = {
    "distraction": {
        Severity.CAUTION: Pattern("distraction caution", (Beep(880, 0.15, 4.0),), 0.4),
        Severity.WARNING: Pattern("distraction warning", (Beep(880, 0.15, 0.1), Beep(880, 0.15, 1.2)), 0.6),
        Severity.URGENT: Pattern(
            "distraction urgent", (Beep(1175, 0.1, 0.08), Beep(1175, 0.1, 0.08), Beep(1175, 0.1, 0.5)), 0.8
        ),
    },
    "driver": {
        Severity.CAUTION: Pattern("driver caution", (Beep(700, 0.4, 4.0),), 0.4),
        Severity.WARNING: Pattern("driver warning", (Beep(700, 0.4, 1.0),), 0.6),
        Severity.URGENT: Pattern("driver urgent", (Beep(1400, 0.4, 0.3),), 0.8),
    },
    "fatigue": {
        Severity.CAUTION: Pattern("fatigue caution", (Beep(740, 0.3), Beep(587, 0.4, 6.0)), 0.5),
        Severity.WARNING: Pattern(
            "fatigue warning",
            (Beep(1480, 0.2), Beep(988, 0.25, 0.15), Beep(1480, 0.2), Beep(988, 0.25, 0.8)),
            0.75,
        ),
        Severity.URGENT: Pattern(
            "fatigue urgent", (Beep(2000, 0.08, 0.04), Beep(2600, 0.08, 0.04)) * 3, 0.95
        ),
    },
}
PATTERNS = (
    SENSING,
    *(_BY_CLASS[kind][severity] for severity in list(Severity)[:-1] for kind in _BY_CLASS),
    EMERGENCY,
)
"""All of them, mildest first: of two that are due the later one sounds."""


def pattern_of(alert_type: str, severity: Severity) -> Pattern:
    """The pattern of an alert such as `fatigue.microsleep`. An area without one sounds like `driver`."""
    area = alert_type.partition(".")[0]
    if severity is Severity.EMERGENCY:
        return EMERGENCY
    if area in ("sensor", "system"):
        return SENSING
    return _BY_CLASS.get(area, _BY_CLASS["driver"])[severity]
