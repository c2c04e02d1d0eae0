"""What `dms watch` writes: pure text from documents that anybody may have sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click

MAX_LENGTH = 300
"""Characters shown of any one value."""

_COLOUR_BY_STATE = {
    "attentive": "green",
    "distracted": "yellow",
    "drowsy": "yellow",
    "asleep": "red",
    "unresponsive": "red",
    "unknown": "magenta",
}
_COLOUR_BY_SEVERITY = {"info": "cyan", "warning": "yellow", "urgent": "red", "emergency": "bright_red"}


def state_line(document: Mapping[str, Any]) -> str:
    """A `dms.state/1` document in one line."""
    state = text(document.get("state"))
    causes = ", ".join(text(c) for c in _sequence(document.get("unknown_causes")))
    alerts = ", ".join(text(a.get("type")) for a in _sequence(document.get("alerts")) if isinstance(a, dict))
    parts = [
        click.style(f"{state.upper():<12}", fg=_COLOUR_BY_STATE.get(state), bold=True),
        f"cannot judge: {causes}" if causes else "",
        f"eyes {_openness(document)}",
        f"head {_degrees(document.get('head'))}",
        f"learned {_percent(document.get('calibration'))}",
        click.style(f"alerts: {alerts}", fg="yellow") if alerts else "",
    ]
    return "  ".join(part for part in parts if part)


def event_line(document: Mapping[str, Any]) -> str:
    """A `dms.event/1` document in one line."""
    severity, phase = text(document.get("severity")), text(document.get("phase"))
    when = text(document.get("ts") or f"{_number(document.get('t_detect')):.1f} s")
    type_ = text(document.get("type"))
    if phase == "end":
        return f"{when}  {'ended':<9} {type_} after {_number(document.get('duration_s')):.1f} s"
    head = click.style(f"{severity.upper():<9} {type_}", fg=_COLOUR_BY_SEVERITY.get(severity), bold=True)
    return f"{when}  {head}: {text(document.get('cause'))}"


def health_line(document: Mapping[str, Any]) -> str:
    """A `dms.health/1` document in one line."""
    details = "; ".join(
        f"{text(c.get('cause'))}: {text(c.get('detail'))}"
        for c in _sequence(document.get("causes"))
        if isinstance(c, dict)
    )
    return f"system {text(document.get('state'))}" + (f" ({details})" if details else "")


def verdict(document: Mapping[str, Any]) -> tuple[object, object, object]:
    """What must differ for a state to be worth a new line."""
    return document.get("state"), document.get("unknown_causes"), document.get("alerts")


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


def parse(raw: str) -> dict[str, Any] | None:
    """The JSON object in `raw`, or None when it is none."""
    try:
        document = json.loads(raw, parse_int=float)  # a huge integer would not fit a float later
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None
