"""Rules of a profile that extends another, laid over those of the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dms.alerts.contradictions import RANK
from dms.alerts.rules import Rule
from dms.errors import ConfigError


@dataclass(frozen=True, slots=True)
class PlacedRule:
    """A rule and where it stands, `file:line`."""

    rule: Rule
    place: str


def merged(inherited: Sequence[PlacedRule], own: Sequence[PlacedRule]) -> tuple[PlacedRule, ...]:
    """`own` in place of those alike, else at the end of their severity in their chain, else as new chains.

    Raises:
        ConfigError: a changed limit is out of the clamp stated by what it stands in for.
    """
    rules = list(inherited)
    for one in own:
        twin = _twin(inherited, one.rule)
        if twin is None:
            rules.append(one)
        else:
            rules[rules.index(twin)] = _clamped(one, twin)
    chains = list(dict.fromkeys(one.rule.chain for one in rules))
    known = {one.rule.chain for one in inherited}
    return tuple(
        sorted(
            rules,
            key=lambda one: (
                chains.index(one.rule.chain),
                RANK[one.rule.severity] if one.rule.chain in known else 0,
            ),
        )
    )


def _twin(inherited: Sequence[PlacedRule], rule: Rule) -> PlacedRule | None:
    """The rule that `rule` changes; of several that differ in speed alone, the one of its speed."""
    alike = [one for one in inherited if _identity(one.rule) == _identity(rule)]
    return next((one for one in alike if len(alike) == 1 or one.rule.speed == rule.speed), None)


def _identity(rule: Rule) -> tuple[object, ...]:
    kinds = tuple(limit.unheeded_s is None for limit in rule.when.values())
    return rule.chain, rule.type, rule.severity, tuple(rule.when), kinds


def _clamped(own: PlacedRule, twin: PlacedRule) -> PlacedRule:
    """The changed rule with the clamps of the one it stands in for."""
    when = dict(own.rule.when)
    for name, limit in own.rule.when.items():
        clamp = twin.rule.when[name].clamp
        if clamp is None or limit.at_least is None:
            continue
        if not clamp[0] <= limit.at_least <= clamp[1]:
            raise ConfigError(
                f"{own.place}: rule {own.rule.type}: {name} at_least {limit.at_least:g} is out of its clamp; "
                f"{twin.place} allows {clamp[0]:g} to {clamp[1]:g}"
            )
        when[name] = limit.model_copy(update={"clamp": clamp})
    return PlacedRule(own.rule.model_copy(update={"when": when}), own.place)
