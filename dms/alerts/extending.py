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

    Several that are like one (bands of speed of one limit) stand in its place together, in their order.

    Raises:
        ConfigError: a changed limit does not go with the clamp stated by what it stands in for.
    """
    twins = [(_twin(inherited, one.rule), one) for one in own]
    rules: list[PlacedRule] = []
    for base in inherited:
        rules += [_clamped(one, base) for twin, one in twins if twin is base] or [base]
    rules += [one for twin, one in twins if twin is None]
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
        told_by = f"{own.place}: rule {own.rule.type}: {name}, with the clamp of {twin.place}"
        when[name] = limit.changed(told_by, clamp=clamp)
    return PlacedRule(own.rule.model_copy(update={"when": when}), own.place)
