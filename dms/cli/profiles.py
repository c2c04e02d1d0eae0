"""`dms profiles`: what rules there are, which are in force, and whether a file of one's own is in order."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dms.cli.options import configured, load, to_json
from dms.terminal import teller

if TYPE_CHECKING:
    from dms.alerts.profiles import PlacedProfile
    from dms.alerts.rules import Limit, Rule

EPILOG = """\b
Examples:
  dms profiles list
  dms profiles show euroncap_2026        every rule, with its source and where it stands
  dms profiles show euroncap_2026 --set alerts.sensitivity.distraction=1.3    as sharp as that makes it
  dms profiles check my_fleet.yaml       exit code 2 if a rule is wrong, 3 if it cannot be read
  dms profiles signals                   what rules can be written over

\b
How to write one: docs/profiles.md
"""
json_option = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")


@click.group(epilog=EPILOG)
def profiles() -> None:
    """Show and check the rules that raise alerts."""


@profiles.command("list")
@json_option
def list_profiles(as_json: bool) -> None:
    """All shipped profiles, a line each."""
    from dms.alerts.coverage import watches_sleep
    from dms.alerts.profiles import load_placed, shipped_profiles

    tell = teller(sys.stdout)
    placed = [load_placed(name) for name in shipped_profiles()]
    if as_json:
        tell(to_json([_head(one) for one in placed]))
        return
    for one in placed:
        profile = one.profile
        rules = f"{len(one.rules)} rules"
        alone = "" if watches_sleep(profile) else "; alone does not watch sleep"
        about = f"{profile.description}{alone}"
        tell(f"{profile.name:15} {profile.version:3}  {profile.hash}  {rules:>9}  {about}")


@profiles.command()
@click.argument("name")
@json_option
@configured
def show(name: str, as_json: bool, configs: Sequence[str], overrides: Sequence[str]) -> None:
    """The rules of a profile, a shipped one's NAME or a file, as sharp as `alerts.sensitivity` makes them."""
    from dms.alerts.profiles import load_placed

    sensitivity = load(configs, overrides).alerts.sensitivity.model_dump()
    tell, placed = teller(sys.stdout), load_placed(name, sensitivity)
    if as_json:
        tell(to_json({**_head(placed), "rules": [_rule(one.rule, one.place) for one in placed.rules]}))
        return
    profile = placed.profile
    tell(f"{profile.name}, version {profile.version}, hash {profile.hash}: {profile.description}")
    if profile.lockout:
        lockout = profile.lockout
        tell(
            f"locked out after {lockout.emergencies} emergencies or {lockout.emergency_s:g} s of them, "
            "counted only while the speed is known: no source of it, no lockout"
        )
        tell(f"  source: {lockout.source}")
    for one in placed.rules:
        _tell_rule(tell, one.rule, one.place)


@profiles.command()
@click.argument("file")
@json_option
def check(file: str, as_json: bool) -> None:
    """Whether the profile in FILE is in order; if not, faults with their lines.

    Some show only when others are mended: check again.
    """
    from dms.alerts.coverage import gaps
    from dms.alerts.profiles import load_placed, shipped_profiles

    if file not in shipped_profiles():
        _require_text(file)
    placed = load_placed(file)
    told = f"{file} is in order: {placed.profile.name}, {len(placed.rules)} rules, hash {placed.profile.hash}"
    tell = teller(sys.stdout)
    notes = gaps([placed.profile])
    if as_json:
        tell(to_json({**_head(placed), "notes": notes}))
        return
    for line in (told, *(f"note: alone, {note}" for note in notes)):
        tell(line)


@profiles.command()
@json_option
def signals(as_json: bool) -> None:
    """The signals that rules can be written over: name, range, meaning with its unit."""
    from dms.assess.signals import SIGNALS

    tell = teller(sys.stdout)
    if as_json:
        rows = ({"name": name, "range": m.range, "meaning": m.text} for name, m in SIGNALS.items())
        tell(to_json(list(rows)))
        return
    for name, meaning in SIGNALS.items():
        tell(f"{name:16}  {meaning.range:10}  {meaning.text}")


def _require_text(file: str) -> None:
    """Refuse, as no file of ours, what cannot be read as text.

    Raises:
        InputError: it is not there, a folder, or not in UTF-8.
    """
    from dms.errors import InputError

    try:
        Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"cannot read {file}: {error.strerror}; give the path of a profile's file"
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"cannot read {file}: it is no text in UTF-8 ({error.reason})") from error


def _head(placed: PlacedProfile) -> dict[str, Any]:
    from dms.alerts.coverage import watches_sleep

    profile = placed.profile
    lockout = profile.lockout.model_dump(mode="json") if profile.lockout else None
    return {
        "name": profile.name,
        "version": profile.version,
        "hash": profile.hash,
        "description": profile.description,
        "file": placed.place,
        "rule_count": len(placed.rules),
        "watches_sleep": watches_sleep(profile),
        "lockout": lockout,
    }


def _rule(rule: Rule, place: str) -> dict[str, Any]:
    return {"place": place, **rule.model_dump(mode="json", exclude_defaults=True)}


def _tell_rule(tell: Callable[[str], None], rule: Rule, place: str) -> None:
    limits = " and ".join(_limit(name, limit) for name, limit in rule.when.items())
    tell(f"\n{rule.severity.value:9} {rule.type}  (chain {rule.chain})")
    tell(f"  when:   {limits}")
    for line in _conditions(rule):
        tell(f"  {line}")
    tell(f"  source: {rule.source}")
    tell(f"  at:     {place}")


def _limit(name: str, limit: Limit) -> str:
    """When a limit is reached, to where it then keeps the alert up, and how far it may be moved."""
    if limit.at_most is not None:
        reached = f"{name} <= {limit.at_most:g}"
    elif limit.unheeded_s is not None:
        reached = f"{name} grown by {limit.unheeded_s:g} s since the alert"
    else:
        reached = f"{name} >= {limit.at_least:g}"
    words = {"by the head": limit.by_head, "held above": limit.hold_above, "held below": limit.hold_below}
    more = [f"{word} {value:g}" for word, value in words.items() if value is not None]
    if limit.clamp is not None:
        more.append(f"may be {limit.clamp[0]:g} to {limit.clamp[1]:g}")
    return f"{reached} ({', '.join(more)})" if more else reached


def _conditions(rule: Rule) -> list[str]:
    """What else the rule says, a line each."""
    told = []
    if rule.speed is not None:
        told.append(f"speed:  from {rule.speed.from_kmh:g} km/h, down to {rule.speed.down_to_kmh:g}")
    if rule.pauses_in_reverse:
        told.append("pauses while the vehicle reverses")
    if rule.only_escalates:
        told.append("only takes up an alert that a milder stage has raised")
    if rule.clear_after_s:
        told.append(f"clears: after {rule.clear_after_s:g} s")
    if rule.until_acknowledged:
        told.append("stays until it is acknowledged")
    elif rule.latch_s:
        told.append(f"stays for {rule.latch_s:g} s at least, or until it is acknowledged")
    if rule.repeat_s:
        told.append(f"told again every {rule.repeat_s:g} s until it is acknowledged")
    if rule.suppress_s:
        told.append(f"acknowledged, it is not raised again for {rule.suppress_s:g} s")
    if rule.max_per_min:
        told.append(f"at most {rule.max_per_min} new alerts a minute")
    return told
