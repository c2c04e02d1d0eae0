"""What is wrong with the picture, by its measures: covered, dark, glaring, out of focus, turned away."""

from __future__ import annotations

from dms.assess.reading import Reading
from dms.config.assess import AvailabilityConfig
from dms.records import UnknownCause

_ALL = (
    UnknownCause.BLOCKED,
    UnknownCause.DARK,
    UnknownCause.GLARE,
    UnknownCause.DEFOCUSED,
    UnknownCause.CAMERA_MOVED,
)
_HIDING = (UnknownCause.BLOCKED, UnknownCause.DARK, UnknownCause.GLARE)


def picture_troubles(reading: Reading, config: AvailabilityConfig) -> dict[UnknownCause, bool | None]:
    """Which of them hold in this one picture; None where it cannot be told.

    A picture in which the driver's eyes are read is neither dark nor glaring nor covered, whatever its
    levels: at night an infrared camera sees him before a black cabin, by day before bright windows.
    """
    quality = reading.quality
    if quality is None:
        return dict.fromkeys(_ALL)
    poor = not (reading.face and reading.eyes_readable)
    strange = _below(quality.view, config.moved_view)
    bright = quality.saturated is not None and quality.saturated >= config.glare_saturated
    black = bool(_below(quality.brightness, config.dark_brightness))
    glare = poor and bright
    # In the dark the known view is still there, only faint; behind a cover there is none.
    faint = not reading.blank or strange is False
    dark = poor and black and faint
    blocked = bool(reading.blank) and not glare and not dark
    hidden = glare or dark or blocked
    return {
        UnknownCause.BLOCKED: blocked,
        UnknownCause.DARK: dark,
        UnknownCause.GLARE: glare,
        UnknownCause.DEFOCUSED: None if hidden else _below(quality.sharpness, config.defocused_sharpness),
        UnknownCause.CAMERA_MOVED: None if hidden or bright or black else strange,
    }


def hides(troubles: dict[UnknownCause, bool | None]) -> bool:
    """Whether such a picture says nothing of whether the driver is there."""
    return any([troubles[cause] for cause in _HIDING])


def _below(value: float | None, limit: float) -> bool | None:
    return None if value is None else value < limit
