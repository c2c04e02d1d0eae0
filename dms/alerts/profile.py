"""A profile: the rules that are in force, under one name.

Rules of one `chain` are the stages of one alert, mildest first: it starts at the gravest stage reached,
escalates to later ones under the same id, steps down at a standstill only, and ends when no stage it has
reached is held.
"""

from __future__ import annotations

import hashlib
import json
from itertools import groupby
from typing import Any

from pydantic import Field, model_validator

from dms.alerts.contradictions import contradictions
from dms.alerts.rules import Rule
from dms.config.section import PositiveSeconds, Section

_HASH_CHARACTERS = 12
_NOT_IN_HASH = frozenset({"source", "clamp"})
"""What changes no alert."""


class Lockout(Section):
    """After how much of emergency `driver.lockout` is told for the rest of the run."""

    emergencies: int = Field(ge=1)
    """After this many emergency alerts."""
    emergency_s: PositiveSeconds
    """Or after this many seconds of emergency, taken together."""
    source: str = Field(min_length=1)
    """Where the figures come from."""


class Profile(Section):
    """A rule set under one name: what is in force."""

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    """What alerts call it."""
    version: int = Field(ge=1)
    """Grows with every change of its rules."""
    description: str
    """What it follows."""
    hold_unknown_s: PositiveSeconds
    """A sensing alert whose signals have become unknown is held for this long, then ends as unknown."""
    lockout: Lockout | None = None
    """After which emergencies the driver is locked out; null = never."""
    rules: tuple[Rule, ...] = Field(min_length=1, strict=False)
    """All rules; those of one chain one after the other, mildest first."""

    @model_validator(mode="after")
    def _consistent(self) -> Profile:
        names = [name for name, _ in groupby(self.rules, key=lambda rule: rule.chain)]
        scattered = {name for name in names if names.count(name) > 1}
        if scattered:
            raise ValueError(f"list the rules of chain {', '.join(sorted(scattered))} one after the other")
        for index, fault in contradictions(self.rules):
            raise ValueError(f"rule {self.rules[index].type}: {fault}")
        return self

    @property
    def chains(self) -> tuple[tuple[Rule, ...], ...]:
        """The rules, one tuple a chain."""
        return tuple(tuple(rules) for _, rules in groupby(self.rules, key=lambda rule: rule.chain))

    @property
    def hash(self) -> str:
        """The first 12 hex digits of the SHA-256 of all that decides over alerts, in one canonical form.

        The order of the chains, sources, clamps, name, version and description are not part of it.
        """
        content = {
            "hold_unknown_s": self.hold_unknown_s,
            "lockout": self.lockout and _canonical(self.lockout.model_dump(mode="json")),
            "chains": {
                rules[0].chain: [_canonical(rule.model_dump(mode="json")) for rule in rules]
                for rules in self.chains
            },
        }
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:_HASH_CHARACTERS]


def _canonical(value: Any) -> Any:
    """The value without what changes no alert."""
    if isinstance(value, dict):
        return {key: _canonical(held) for key, held in value.items() if key not in _NOT_IN_HASH}
    return value
