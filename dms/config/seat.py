"""What is kept of a driver from drive to drive, by his consent."""

from __future__ import annotations

from pydantic import Field

from dms.config.section import Section


class SeatConfig(Section):
    """The driver's baseline, kept for this seat: figures without identity, and only with consent."""

    consent: bool = False
    """The driver has agreed that his baseline is kept on this device for his next drive."""
    name: str = Field("driver", pattern=r"^[A-Za-z0-9_-]{1,32}$")
    """Name of the seat, not of the person."""
    folder: str | None = None
    """Folder where it is kept; null = the user's state folder, or the service's."""
