"""Limits moved by `alerts.sensitivity`, within the clamps that the profiles state."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from dms.alerts.extending import PlacedRule
from dms.alerts.rules import Limit, Rule
from dms.errors import ConfigError

_ROUNDING = 1e-9
"""A factor this near to the end of what is allowed is there."""


def is_adjustable(rule: Rule) -> bool:
    """Whether the rule states a clamp."""
    return any(limit.clamp is not None for limit in rule.when.values())


def require_allowed(rules: Sequence[PlacedRule], sensitivity: Mapping[str, float]) -> None:
    """Let no limit of these rules, all that are in force, be moved out of its clamp.

    Raises:
        ConfigError: one would be; says which, where, and which factors all rules of its area allow.
    """
    for area, factor in sensitivity.items():
        spans = {
            (one.place, one.rule.type, name): _factors(limit.at_least, limit.clamp)
            for one in rules
            if one.rule.area == area
            for name, limit in one.rule.when.items()
            if limit.at_least is not None and limit.clamp is not None
        }
        for (place, rule, name), (least, most) in spans.items():
            if not least - _ROUNDING <= factor <= most + _ROUNDING:
                raise ConfigError(
                    f"{place}: rule {rule}: alerts.sensitivity.{area} of {factor:g} takes {name} out of its "
                    f"clamp: give {_allowed(list(spans.values()))}"
                )


def adjusted(rule: Rule, place: str, sensitivity: Mapping[str, float]) -> Rule:
    """The rule with the limits that state a clamp divided by the factor of its area.

    Raises:
        ConfigError: the limit moved does not go with the rest of its rule; says which and where.
    """
    factor = sensitivity.get(rule.area, 1.0)
    if factor == 1.0 or not is_adjustable(rule):
        return rule
    when = {name: _moved(rule, name, limit, factor, place) for name, limit in rule.when.items()}
    return rule.model_copy(update={"when": when})


def _factors(at_least: float, clamp: tuple[float, float]) -> tuple[float, float]:
    low, high = clamp
    return at_least / high, at_least / low


def _allowed(spans: Sequence[tuple[float, float]]) -> str:
    """The factors that lie in all spans, rounded inwards."""
    least, most = max(span[0] for span in spans), min(span[1] for span in spans)
    return f"{math.ceil((least - _ROUNDING) * 1e3) / 1e3:g} to {math.floor((most + _ROUNDING) * 1e3) / 1e3:g}"


def _moved(rule: Rule, name: str, limit: Limit, factor: float, place: str) -> Limit:
    if limit.clamp is None or limit.at_least is None:
        return limit
    low, high = limit.clamp
    at_least = min(high, max(low, limit.at_least / factor))
    by_head = None if limit.by_head is None else limit.by_head / factor
    told_by = f"{place}: rule {rule.type}: alerts.sensitivity.{rule.area} of {factor:g} takes {name} from "
    told_by += f"{limit.at_least:g} to {at_least:g}"
    return limit.changed(told_by, at_least=at_least, by_head=by_head)
