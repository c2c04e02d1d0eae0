"""Named rule sets: which signal values raise which alert, and where each figure comes from.

A profile is one YAML file. Rules of one `chain` are the stages of one alert, mildest first: it starts at the
first stage reached, escalates to later ones under the same id, never steps down, and ends when no stage that
it has reached is held any more.
"""

from __future__ import annotations

import difflib
import string
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from dms.assess.signals import SIGNALS
from dms.config.section import PositiveSeconds, Seconds, Section
from dms.errors import ConfigError
from dms.records import Severity
from dms.resources import configs_folder


class Limit(Section):
    """What one signal must reach, and down to where it keeps the alert up. Values in the signal's unit."""

    at_least: float | None = None
    """Reached at this value."""
    unheeded_s: PositiveSeconds | None = None
    """Reached when the signal, in seconds, has grown by this much since the alert, unbroken."""
    hold_above: float | None = None
    """A raised alert is held while the signal is above this; null = while it is at `at_least`."""

    @model_validator(mode="after")
    def _one_of_two(self) -> Limit:
        if (self.at_least is None) == (self.unheeded_s is None):
            raise ValueError("give either at_least or unheeded_s")
        if self.unheeded_s is not None and self.hold_above is None:
            raise ValueError("unheeded_s needs hold_above")
        return self


class Rule(Section):
    """One stage of an alert."""

    type: str = Field(pattern=r"^[a-z_]+\.[a-z_]+$")
    """Type of the alert, `<area>.<name>`."""
    chain: str = Field(pattern=r"^[a-z_]+$")
    """Rules of one chain, listed one after the other, are the stages of one alert."""
    when: dict[str, Limit] = Field(min_length=1)
    """Signals and limits; all must be reached."""
    severity: Severity = Field(strict=False)
    """How urgent."""
    clear_after_s: Seconds = 0.0
    """The alert ends once it has not been held for this long."""
    cause: str
    """Sentence for a person; `{signal}` stands for a signal of `when`, `{signal:.1f}` for it rounded."""
    source: str = Field(min_length=1)
    """Where the figures come from."""

    @field_validator("when")
    @classmethod
    def _signals_exist(cls, when: dict[str, Limit]) -> dict[str, Limit]:
        for name in when:
            if name not in SIGNALS:
                raise ValueError(f"no signal is called {name!r}; {_nearest(name, SIGNALS)}")
        return when

    @model_validator(mode="after")
    def _cause_can_be_told(self) -> Rule:
        try:
            self.cause.format(**dict.fromkeys(self.when, 0.0))
        except (KeyError, IndexError, ValueError) as error:
            fields = [name for _, name, _, _ in string.Formatter().parse(self.cause) if name is not None]
            raise ValueError(f"cause may only name {', '.join(self.when)}, but has {fields}") from error
        return self


class Profile(Section):
    """A rule set under one name."""

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    """What alerts call it."""
    description: str
    """What it follows."""
    hold_unknown_s: PositiveSeconds
    """An alert whose signals have become unknown is held for this long, then ends as unknown."""
    rules: tuple[Rule, ...] = Field(min_length=1, strict=False)
    """All rules; those of one chain one after the other, mildest first."""

    @model_validator(mode="after")
    def _chains_are_together(self) -> Profile:
        names = [name for name, _ in groupby(self.rules, key=lambda rule: rule.chain)]
        scattered = {name for name in names if names.count(name) > 1}
        if scattered:
            raise ValueError(f"list the rules of chain {', '.join(sorted(scattered))} one after the other")
        return self

    @property
    def chains(self) -> tuple[tuple[Rule, ...], ...]:
        """The rules, one tuple a chain."""
        return tuple(tuple(rules) for _, rules in groupby(self.rules, key=lambda rule: rule.chain))


def load_profile(name_or_path: str) -> Profile:
    """Read a profile: the name of a shipped one, or the path of a YAML file of your own.

    Raises:
        ConfigError: no such profile or file, or a rule in it is wrong; says which and what to do.
    """
    text, origin = _read(name_or_path)
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{origin} is no YAML: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{origin} holds no profile: expected the keys {', '.join(Profile.model_fields)}")
    try:
        return Profile.model_validate(content)
    except ValidationError as error:
        raise ConfigError(_explain(error, origin, content)) from error


def _read(name_or_path: str) -> tuple[str, str]:
    is_path = name_or_path.endswith((".yaml", ".yml")) or "/" in name_or_path
    folder = configs_folder() / "profiles"
    source = Path(name_or_path) if is_path else folder / f"{name_or_path}.yaml"
    if not source.is_file():
        shipped = sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir())
        cure = "give the path of an existing YAML file" if is_path else _nearest(name_or_path, shipped)
        raise ConfigError(f"alerts.profile: there is no profile {name_or_path!r}; {cure}")
    try:
        return source.read_text(encoding="utf-8"), str(source)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"alerts.profile: cannot read {name_or_path}: {error}") from error


def _nearest(name: str, known: Iterable[str]) -> str:
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}"


def _explain(error: ValidationError, origin: str, content: dict[str, object]) -> str:
    """One line a fault: file, rule, key, what is wrong."""
    lines = []
    for fault in error.errors():
        where = ".".join(str(part) for part in fault["loc"]) or "profile"
        message = fault["msg"].removeprefix("Value error, ")
        lines.append(f"{origin}: {where}{_rule_name(fault['loc'], content)}: {message}")
    return "\n".join(lines)


def _rule_name(location: tuple[int | str, ...], content: dict[str, object]) -> str:
    rules = content.get("rules")
    if len(location) < 2 or not isinstance(location[1], int) or not isinstance(rules, list):
        return ""
    rule = rules[location[1]]
    return f" (rule {rule['type']})" if isinstance(rule, dict) and "type" in rule else ""
