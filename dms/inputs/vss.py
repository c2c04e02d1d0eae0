"""Which paths of the Vehicle Signal Specification (COVESA, v4 to v6) are understood, and what they mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from dms.inputs.gate import Refused, Value, shown
from dms.inputs.reading import Quantity


def quantity_of(path: str, value: Value) -> tuple[Quantity, float]:
    """What a value at a VSS path tells.

    Raises:
        Refused: the path is none of `VSS`, or the value is not of its type.
    """
    quantity, convert = VSS[path]
    return quantity, convert(value)


def _number(value: Value) -> float:
    if isinstance(value, (bool, str)):
        raise Refused("malformed", f"{shown(value)} is no number")
    return value


def _whole(value: Value) -> float:
    number = _number(value)
    if not number.is_integer():
        raise Refused("malformed", f"{shown(value)} is no whole number")
    return number


def _yes_no(value: Value) -> float:
    if not isinstance(value, bool):
        raise Refused("malformed", f"{shown(value)} is neither true nor false")
    return float(value)


def _is_reverse(value: Value) -> float:
    """Of a selected gear, which is also 126 for park and 127 for drive."""
    return float(_whole(value) < 0)


def _side(value: Value) -> float:
    sides = {"LEFT": 1.0, "RIGHT": -1.0}
    if not isinstance(value, str) or value not in sides:
        raise Refused("malformed", f"{shown(value)} is neither LEFT nor RIGHT")
    return sides[value]


VSS: Mapping[str, tuple[Quantity, Callable[[Value], float]]] = MappingProxyType(
    {
        "Vehicle.Speed": (Quantity.SPEED, _number),
        "Vehicle.Powertrain.Transmission.CurrentGear": (Quantity.GEAR, _whole),
        "Vehicle.Powertrain.Transmission.SelectedGear": (Quantity.REVERSE, _is_reverse),
        "Vehicle.Body.Lights.DirectionIndicator.Left.IsSignaling": (Quantity.TURN_LEFT, _yes_no),
        "Vehicle.Body.Lights.DirectionIndicator.Right.IsSignaling": (Quantity.TURN_RIGHT, _yes_no),
        "Vehicle.Body.Lights.Hazard.IsSignaling": (Quantity.HAZARD, _yes_no),
        "Vehicle.Chassis.SteeringWheel.Angle": (Quantity.STEERING, _number),
        "Vehicle.Cabin.DriverPosition": (Quantity.DRIVER_SIDE, _side),
    }
)
"""Path → what it tells, and how its value is read. Units and signs are those of `Quantity`."""
