"""What `dms watch` writes: pure text from documents that anybody may have sent."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import click

MAX_LENGTH = 300
"""Characters shown of any one value."""
SURE_FROM = 0.8
"""A confidence below this is worth a word."""

_COLOUR_BY_STATE = {
    "attentive": "green",
    "distracted": "yellow",
    "drowsy": "yellow",
    "asleep": "red",
    "unresponsive": "red",
    "unknown": "magenta",
    "fault": "magenta",
}
_COLOUR_BY_SEVERITY = {"caution": "cyan", "warning": "yellow", "urgent": "red", "emergency": "bright_red"}


def state_line(document: Mapping[str, Any]) -> str:
    """A `dms.state/1` document in one line."""
    causes = ", ".join(_cause(document, c) for c in _sequence(document.get("unknown_causes")))
    alerts = ", ".join(_alert(a) for a in _sequence(document.get("alerts")) if isinstance(a, dict))
    parts = [
        state_word(document, width=12),
        f"{'partly' if document.get('valid') is True else 'cannot judge'}: {causes}" if causes else "",
        _doubt(document),
        f"eyes {_openness(document)}",
        f"head {_degrees(document.get('head'))}",
        f"learned {_percent(document.get('calibration'))}",
        click.style(f"alerts: {alerts}", fg="yellow") if alerts else "",
    ]
    return "  ".join(part for part in parts if part)


def state_word(document: Mapping[str, Any], width: int = 0) -> str:
    """The verdict of a `dms.state/1` document."""
    state = text(document.get("state"))
    return click.style(f"{state.upper():<{width}}", fg=_COLOUR_BY_STATE.get(state), bold=True)


def event_line(document: Mapping[str, Any]) -> str:
    """A `dms.event/1` document in one line."""
    severity, phase = text(document.get("severity")), text(document.get("phase"))
    duration_s = _number(document.get("duration_s"))
    # Where nobody knows the date, the time of this phase on the clock of the source.
    when = text(document.get("ts") or f"{_number(document.get('t_onset')) + duration_s:.1f} s")
    type_ = text(document.get("type"))
    if phase == "end":
        return f"{when}  {'ended':<9} {type_} after {duration_s:.1f} s"
    evidence = document.get("evidence")
    if phase == "update" and isinstance(evidence, dict) and "acknowledged_by" in evidence:
        return f"{when}  {severity.upper():<9} {type_} acknowledged by {text(evidence['acknowledged_by'])}"
    head = click.style(f"{severity.upper():<9} {type_}", fg=_COLOUR_BY_SEVERITY.get(severity), bold=True)
    return f"{when}  {head}: {text(document.get('cause'))}"


def health_line(document: Mapping[str, Any]) -> str:
    """A `dms.health/1` document in one line."""
    details = "; ".join(
        f"{text(c.get('cause'))}: {text(c.get('detail'))}"
        for c in _sequence(document.get("causes"))
        if isinstance(c, dict)
    )
    state = document.get("state")
    word = "unknown" if state is None else text(state)
    return f"system {word}" + (f" ({details})" if details else "")


def control_line(document: Mapping[str, Any]) -> str:
    """A `dms.control/1` document in one line."""
    if document.get("level") is None:
        return f"no level: {text(document.get('detail'))}"
    held = ", held" if document.get("held") is True else ""
    why = f"{text(document.get('cause'))}: {text(document.get('detail'))}"
    return f"level {_number(document.get('level')):.0f}{held} ({text(document.get('title'))}); {why}"


def level_word(document: Mapping[str, Any]) -> str:
    """The level and its cause where the system gives something up or holds; nothing otherwise."""
    level = _number(document.get("level"))
    if not level > 0 and document.get("held") is not True:
        return ""
    return click.style(f"level {level:.0f} ({text(document.get('cause'))})", fg="yellow")


def device_words(document: Mapping[str, Any]) -> str:
    """Temperature and drops of a `dms.metrics/1` document."""
    device = document.get("device")
    hottest_c = _number(device.get("hottest_c") if isinstance(device, dict) else None)
    degrees = f"{hottest_c:.0f} °C" if math.isfinite(hottest_c) else "temperature unknown"
    return f"{degrees}  {_number(document.get('dropped')):.0f} dropped"


def verdict(document: Mapping[str, Any]) -> tuple[object, object, object]:
    """What must differ for a state to be worth a new line."""
    return document.get("state"), document.get("unknown_causes"), document.get("alerts")


def _cause(document: Mapping[str, Any], cause: object) -> str:
    """Why something is unknown, and for how long."""
    begins = document.get("t_unknown")
    began_s = _number(begins.get(cause) if isinstance(begins, dict) and isinstance(cause, str) else None)
    passed_s = _number(document.get("captured_s")) - began_s
    return f"{text(cause)} for {passed_s:.0f} s" if math.isfinite(passed_s) else text(cause)


def _alert(alert: Mapping[str, Any]) -> str:
    """An alert that stands, and whether the driver has taken note."""
    noted = " (acknowledged)" if alert.get("t_acknowledged") is not None else ""
    return f"{text(alert.get('type'))}{noted}"


def _doubt(document: Mapping[str, Any]) -> str:
    """The confidence in the verdict where it is low."""
    confidence = document.get("confidence")
    low = isinstance(confidence, int | float) and confidence < SURE_FROM
    return f"confidence {_percent(confidence)}" if low else ""


def _openness(document: Mapping[str, Any]) -> str:
    eyes = document.get("eyes")
    if not isinstance(eyes, dict):
        return "–"
    sides = [eyes.get(side) for side in ("right", "left")]
    return "/".join(_percent(side.get("openness") if isinstance(side, dict) else None) for side in sides)


def _degrees(direction: object) -> str:
    if not isinstance(direction, dict):
        return "–"
    return f"{_number(direction.get('yaw_deg')):+.0f}°/{_number(direction.get('pitch_deg')):+.0f}°"


def _percent(value: object) -> str:
    return f"{value:.0%}" if isinstance(value, int | float) else "–"


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")


def _sequence(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def text(value: object) -> str:
    """Any value as harmless text; None as a question mark."""
    return clean(str(value)) if value is not None else "?"


def clean(raw: str) -> str:
    """Text without control characters: a message must not steer the terminal."""
    return "".join(c if c.isprintable() else "�" for c in raw)[:MAX_LENGTH]


def parse(raw: str, parse_int: Callable[[str], float] = float) -> dict[str, Any] | None:
    """The JSON object in `raw`, or None when it is none.

    Whole numbers become floats unless told otherwise: a huge one would not fit a float later.
    """
    try:
        document = json.loads(raw, parse_int=parse_int)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None
