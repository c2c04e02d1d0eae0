"""Rules that are each in order, but not together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from dms.alerts.rules import Limit, Rule
from dms.records import Severity

RANK = {severity: rank for rank, severity in enumerate(Severity)}
"""Of severities, mildest 0."""


def contradictions(rules: Sequence[Rule]) -> Iterator[tuple[int, str]]:
    """The place of each rule that contradicts one before it in its chain, and what is wrong."""
    for _, chain in groupby(enumerate(rules), key=lambda place: place[1].chain):
        stages = list(chain)
        index, first = stages[0]
        if first.only_escalates or any(limit.unheeded_s is not None for limit in first.when.values()):
            yield index, f"can only escalate, but is the first of chain {first.chain}: list the mildest first"
        for number, (index, rule) in enumerate(stages):
            faults = (_fault(milder, rule) for _, milder in stages[:number])
            fault = next((fault for fault in faults if fault), None)
            if fault:
                yield index, fault


def _fault(milder: Rule, graver: Rule) -> str | None:
    """Why `graver` may not stand after `milder`; None where it may."""
    if RANK[graver.severity] < RANK[milder.severity]:
        return (
            f"{graver.severity.value} after {milder.severity.value} ({milder.type}): "
            f"list the stages of chain {graver.chain} mildest first"
        )
    if graver.speed != milder.speed:
        return None  # stages of different speeds are bands of one limit
    if graver.only_escalates <= milder.only_escalates and _implies(milder, graver):
        return (
            f"is reached no later than {milder.type} before it in chain {graver.chain} "
            f"({_told(graver)}, after {_told(milder)}): put the limits in order, mildest first"
        )
    return None


def _implies(milder: Rule, graver: Rule) -> bool:
    """Whether `graver` is reached whenever `milder` is, so that `milder` is never seen."""
    return all(
        name in milder.when and _includes(limit, milder.when[name]) for name, limit in graver.when.items()
    )


def _includes(wide: Limit, narrow: Limit) -> bool:
    if wide.at_least is not None and narrow.at_least is not None:
        return wide.at_least <= narrow.at_least
    if wide.at_most is not None and narrow.at_most is not None:
        return wide.at_most >= narrow.at_most
    return wide.unheeded_s is not None and wide == narrow


def _told(rule: Rule) -> str:
    return ", ".join(f"{name} {_figure(limit)}" for name, limit in rule.when.items())


def _figure(limit: Limit) -> str:
    figures = (limit.at_least, limit.at_most, limit.unheeded_s)
    return next(f"{figure:g}" for figure in figures if figure is not None)
