"""Profiles are read from YAML files: the shipped ones by name, those of one's own by path.

A profile may extend another: it takes over all its rules, but for those it drops and those it lists anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails

from dms.alerts.contradictions import contradictions
from dms.alerts.extending import PlacedRule, merged
from dms.alerts.profile import Lockout, Profile
from dms.alerts.rules import Rule
from dms.alerts.sensitivity import adjusted, is_adjustable, require_allowed
from dms.config.alerts import AlertsConfig
from dms.config.nearest import nearest
from dms.config.section import PositiveSeconds, Section
from dms.config.yaml_text import Places, place_of, read_yaml, shown
from dms.errors import ConfigError
from dms.resources import configs_folder

_MESSAGES = {"extra_forbidden": "unknown key", "missing": "is missing: give it, or `extends: sensing`"}
_SPELLINGS = {
    "name": "a to z, 0 to 9 and _",
    "chain": "a to z and _",
    "type": "<area>.<name>, each of a to z and _",
}
"""What the keys with a pattern may be."""


class ProfileFile(Section):
    """One file of a profile: what it says itself."""

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    """What alerts call it."""
    version: int = Field(ge=1)
    """Grows with every change of its rules."""
    description: str
    """What it follows."""
    extends: str | None = None
    """The profile it builds on: the name of a shipped one, or a path, seen from this file; null = none."""
    drop: tuple[str, ...] = Field((), strict=False)
    """Chains, or types of alerts, of that profile that are left out."""
    hold_unknown_s: PositiveSeconds | None = None
    """A sensing alert whose signals have become unknown is held for this long; null = as in that profile."""
    lockout: Lockout | None = None
    """After which emergencies the driver is locked out; null = as in that profile."""
    rules: tuple[Rule, ...] = Field((), strict=False)
    """Rules, in place of those alike of that profile (chain, type, severity, signals), or beside them."""


@dataclass(frozen=True, slots=True)
class PlacedProfile:
    """A profile in force, and where each of its rules stands."""

    profile: Profile
    rules: tuple[PlacedRule, ...]
    place: str


def load_profile(name_or_path: str) -> Profile:
    """Read a profile: the name of a shipped one, or the path of a YAML file of your own.

    Raises:
        ConfigError: no such profile or file, or a rule in it is wrong; says where.
    """
    return load_placed(name_or_path).profile


def load_profiles(config: AlertsConfig) -> tuple[Profile, ...]:
    """Read the profiles that are in force at once, as sharp as configured.

    Raises:
        ConfigError: as `load_profile`; or two have one name, or none has a limit that `sensitivity` may move.
    """
    names, sensitivity = config.profiles, config.sensitivity.model_dump()
    placed = {one.place: one for one in (load_placed(name) for name in names)}
    known = {one.rule.area for profile in placed.values() for one in profile.rules if is_adjustable(one.rule)}
    for area, factor in sensitivity.items():
        if factor != 1.0 and area not in known:
            raise ConfigError(
                f"alerts.sensitivity.{area}: no rule of {', '.join(names)} may be moved by it; leave it at 1"
            )
    taken: dict[str, str] = {}
    for place, one in placed.items():
        other = taken.setdefault(one.profile.name, place)
        if other != place:
            raise ConfigError(
                f"{place}: its name, {one.profile.name}, is that of {other} too; give it another"
            )
    require_allowed([rule for one in placed.values() for rule in one.rules], sensitivity)
    return tuple(_adjusted(one, sensitivity).profile for one in placed.values())


def load_placed(name_or_path: str, sensitivity: Mapping[str, float] | None = None) -> PlacedProfile:
    """Read a profile as `load_profile` does, with the place of every rule.

    `sensitivity` maps an area of alerts to a factor: above 1 its alerts come sooner.

    Raises:
        ConfigError: as `load_profile`; or a limit is moved out of its clamp.
    """
    placed = _load(_file(name_or_path, Path()), ())
    require_allowed(placed.rules, sensitivity or {})
    return _adjusted(placed, sensitivity or {})


def shipped_profiles() -> list[str]:
    """The names of the profiles that ship with dms."""
    return sorted(path.stem for path in _folder().glob("*.yaml"))


def _folder() -> Path:
    return configs_folder() / "profiles"


def _file(name_or_path: str, beside: Path, told_by: str = "alerts.profiles") -> Path:
    """The file meant, a path seen from the folder `beside`."""
    is_path = name_or_path.endswith((".yaml", ".yml")) or "/" in name_or_path
    path = beside / name_or_path if is_path else _folder() / f"{name_or_path}.yaml"
    if not path.is_file():
        cure = (
            "give the path of an existing YAML file" if is_path else nearest(name_or_path, shipped_profiles())
        )
        raise ConfigError(f"{told_by}: there is no profile {name_or_path!r}; {cure}")
    return path


def _load(path: Path, above: tuple[Path, ...]) -> PlacedProfile:
    """Read one file and all it builds on; `above` are the files that build on it."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot read this profile: {error}") from error
    content, places = read_yaml(text, str(path))
    if not isinstance(content, dict):
        raise ConfigError(
            f"{path}: holds no profile: expected the keys {', '.join(ProfileFile.model_fields)}"
        )
    given = _validated(content, places)
    base = None
    if given.extends is not None:
        told_by = f"{place_of(places, ('extends',))}: extends"
        base_path = _file(given.extends, path.parent, told_by)
        if base_path.resolve() in (seen.resolve() for seen in (*above, path)):
            raise ConfigError(f"{told_by}: {given.extends} extends this profile itself")
        base = _load(base_path, (*above, path))
    return _effective(path, given, places, base)


def _validated(content: dict[str, Any], places: Places) -> ProfileFile:
    try:
        return ProfileFile.model_validate(content)
    except ValidationError as error:
        raise ConfigError(_explain(error, content, places)) from error


def _explain(error: ValidationError, content: dict[str, Any], places: Places) -> str:
    """One line a fault: file, line, key, rule, what is wrong."""
    return "\n".join(
        _fault(fault, place_of(places, fault["loc"]), _rule_name(fault["loc"], content))
        for fault in error.errors()
    )


def _fault(fault: ErrorDetails, place: str, rule: str = "") -> str:
    where = ".".join(str(part) for part in fault["loc"]) or "profile"
    message = _MESSAGES.get(fault["type"], fault["msg"].removeprefix("Value error, "))
    if fault["type"] == "string_pattern_mismatch":
        message = f"{shown(fault['input'])} is not allowed: use {_SPELLINGS[str(fault['loc'][-1])]} only"
    return f"{place}: {where}{rule}: {message}"


def _rule_name(location: tuple[int | str, ...], content: dict[str, Any]) -> str:
    rules = content.get("rules")
    if len(location) < 2 or not isinstance(location[1], int) or not isinstance(rules, list):
        return ""
    rule = rules[location[1]]
    return f" (rule {rule['type']})" if isinstance(rule, dict) and "type" in rule else ""


def _effective(path: Path, given: ProfileFile, places: Places, base: PlacedProfile | None) -> PlacedProfile:
    """What is in force: the rules of `base`, but for those dropped, with those of the file."""
    rules = tuple(
        PlacedRule(rule, place_of(places, ("rules", number))) for number, rule in enumerate(given.rules)
    )
    inherited = base.rules if base else ()
    for number, name in enumerate(given.drop):
        known = {one.rule.chain for one in inherited} | {one.rule.type for one in inherited}
        if name not in known:
            place = place_of(places, ("drop", number))
            raise ConfigError(f"{place}: drop: no chain or type is called {name!r}; {nearest(name, known)}")
    if base:
        kept = [one for one in inherited if not {one.rule.chain, one.rule.type} & {*given.drop}]
        rules = merged(kept, rules)
    head = {
        "name": given.name,
        "version": given.version,
        "description": given.description,
        "hold_unknown_s": given.hold_unknown_s or (base.profile.hold_unknown_s if base else None),
        "lockout": given.lockout or (base.profile.lockout if base else None),
    }
    return _placed({key: value for key, value in head.items() if value is not None}, rules, str(path))


def _placed(head: Mapping[str, Any], rules: tuple[PlacedRule, ...], place: str) -> PlacedProfile:
    """The profile of these rules.

    Raises:
        ConfigError: they contradict each other, or something is missing.
    """
    faults = [
        f"{rules[index].place}: rule {rules[index].rule.type} {fault}"
        for index, fault in contradictions([one.rule for one in rules])
    ]
    if faults:
        raise ConfigError("\n".join(faults))
    try:
        profile = Profile.model_validate({**head, "rules": [one.rule for one in rules]})
    except ValidationError as error:
        raise ConfigError("\n".join(_fault(fault, place) for fault in error.errors())) from error
    return PlacedProfile(profile, rules, place)


def _adjusted(placed: PlacedProfile, sensitivity: Mapping[str, float]) -> PlacedProfile:
    if all(factor == 1.0 for factor in sensitivity.values()):
        return placed
    rules = tuple(PlacedRule(adjusted(one.rule, one.place, sensitivity), one.place) for one in placed.rules)
    return _placed(placed.profile.model_dump(exclude={"rules"}), rules, placed.place)
