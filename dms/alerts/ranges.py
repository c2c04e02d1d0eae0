"""Limits that a signal's range makes pointless: never reached, or always."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dms.assess.signals import SIGNALS

if TYPE_CHECKING:
    from dms.alerts.rules import Limit

_RISING = ("at_least", "by_head", "hold_above")
"""Keys that hold from a value on; the others up to one."""
_BEYOND = ("at_most", "hold_above")
"""Keys whose value the signal must be able to exceed; the others' it must be able to fall below."""


def out_of_range(name: str, limit: Limit) -> str | None:
    """Why a limit over the signal `name` would never hold, or always; None where it can do either."""
    meaning = SIGNALS[name]
    for key in ("at_least", "by_head", "at_most", "hold_above", "hold_below"):
        value = getattr(limit, key)
        if value is None:
            continue
        if key in _BEYOND:
            low, high = value < meaning.least, value >= meaning.most
        else:
            low, high = value <= meaning.least, value > meaning.most
        if low or high:
            often = "always" if low == (key in _RISING) else "never"
            return f"{name}: {key} {value:g} {often} holds: the signal is {meaning.range}"
    if limit.clamp is not None and not meaning.least < limit.clamp[0] <= limit.clamp[1] <= meaning.most:
        clamp = f"{limit.clamp[0]:g} to {limit.clamp[1]:g}"
        return f"{name}: clamp {clamp} goes too far: the signal is {meaning.range}"
    if limit.unheeded_s is not None and limit.unheeded_s > meaning.most - meaning.least:
        return f"{name}: unheeded_s {limit.unheeded_s:g} never holds: the signal is {meaning.range}"
    return None
