"""Which rules raise alerts, and how sharply."""

from __future__ import annotations

from pydantic import Field

from dms.config.section import Section


class AlertsConfig(Section):
    """Which rules raise alerts."""

    profiles: tuple[str, ...] = Field(("euroncap_2026",), min_length=1, strict=False)
    """Profiles in force, all at once: names of shipped ones, or paths of profile files of your own."""
