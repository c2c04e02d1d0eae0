"""Single values as JSON takes them: rounded numbers, times as UTC, null for what is unknown."""

from __future__ import annotations

import json
import math
from datetime import datetime, timezone
from typing import Any

Document = dict[str, Any]

_YEAR_10000_S = 253_402_300_800.0


def encode(document: Document) -> str:
    """One line of ASCII JSON, which no odd character in a file name can break."""
    return json.dumps(document, allow_nan=False, separators=(",", ":"))


def utc(captured_s: float, epoch_offset_s: float | None) -> str | None:
    """A time of the source's clock as UTC, ISO 8601 with milliseconds; None where it cannot be known."""
    if epoch_offset_s is None or not 0 <= captured_s + epoch_offset_s < _YEAR_10000_S:
        return None
    return iso(datetime.fromtimestamp(captured_s + epoch_offset_s, timezone.utc))


def iso(moment: datetime) -> str:
    """An aware UTC moment as `2026-11-20T13:36:00.123Z`."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def ms(seconds: float | None) -> float | None:
    """Seconds as rounded milliseconds; None stays None."""
    return None if seconds is None else number(seconds * 1e3, 2)


def number(value: float | None, digits: int = 3) -> float | None:
    """A plain rounded float; None for what is unknown or no number. Adding 0.0 turns -0.0 into 0.0."""
    if value is None or not math.isfinite(value):
        return None
    return round(float(value), digits) + 0.0
