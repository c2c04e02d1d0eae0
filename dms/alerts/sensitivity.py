"""Limits moved by `alerts.sensitivity`, within the clamps that the profiles state."""

from __future__ import annotations

from collections.abc import Mapping

from dms.alerts.rules import Limit, Rule
from dms.errors import ConfigError


def is_adjustable(rule: Rule) -> bool:
    """Whether the rule states a clamp."""
    return any(limit.clamp is not None for limit in rule.when.values())


def adjusted(rule: Rule, place: str, sensitivity: Mapping[str, float]) -> Rule:
    """The rule with the limits that state a clamp divided by the factor of its area.

    Raises:
        ConfigError: one falls out of its clamp; says which, where and which factors may be given.
    """
    factor = sensitivity.get(rule.area, 1.0)
    if factor == 1.0 or not is_adjustable(rule):
        return rule
    when = {name: _moved(rule, name, limit, factor, place) for name, limit in rule.when.items()}
    return rule.model_copy(update={"when": when})


def _moved(rule: Rule, name: str, limit: Limit, factor: float, place: str) -> Limit:
    if limit.clamp is None or limit.at_least is None:
        return limit
    at_least, (low, high) = limit.at_least / factor, limit.clamp
    if not low <= at_least <= high:
        raise ConfigError(
            f"{place}: rule {rule.type}: alerts.sensitivity.{rule.area} of {factor:g} takes {name} from "
            f"{limit.at_least:g} to {at_least:g}, out of its clamp of {low:g} to {high:g}: "
            f"give {limit.at_least / high:.3g} to {limit.at_least / low:.3g}"
        )
    by_head = None if limit.by_head is None else limit.by_head / factor
    return limit.model_copy(update={"at_least": at_least, "by_head": by_head})
