"""Which rules raise alerts, and how sharply."""

from __future__ import annotations

from pydantic import Field

from dms.config.section import Section


class SensitivityConfig(Section):
    """How sharply each area warns: above 1 its alerts come sooner, within each rule's clamp."""

    fatigue: float = Field(1.0, ge=0.1, le=10)
    """Of closed eyes and drowsiness. Divides the limits that state a clamp; out of it is refused."""
    distraction: float = Field(1.0, ge=0.1, le=10)
    """The same of eyes off the road and phone."""


class AlertsConfig(Section):
    """Which rules raise alerts."""

    profiles: tuple[str, ...] = Field(("euroncap_2026",), min_length=1, strict=False)
    """Profiles in force, all at once: names of shipped ones, or paths of profile files of your own."""
    sensitivity: SensitivityConfig = SensitivityConfig()
