"""Sinks: who is told. One file each, built in `outputs.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from dms.records import Message


class Sink(Protocol):
    """Takes messages and never holds up the loop. `name` tells it apart in health messages."""

    name: str

    def publish(self, message: Message) -> None:
        """Take one message; returns at once and never raises."""
        ...

    def fault(self) -> str | None:
        """What keeps this sink from telling anyone, as a sentence; None when all is well."""
        ...

    def figures(self) -> Mapping[str, float]:
        """What this sink tells of itself, by name with its unit: what waits, what was lost, how late."""
        ...

    def close(self) -> None:
        """Flush and release. May be called twice."""
        ...
