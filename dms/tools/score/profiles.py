"""The profiles by which a record is scored: those that it was made with, unless others are named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dms.alerts import Profile, load_profile
from dms.alerts.profiles import shipped_profiles
from dms.config.alerts import AlertsConfig
from dms.errors import InputError
from dms.tools.score.record import Told


def profiles_for(told: Told, path: Path, named: Sequence[str]) -> tuple[tuple[Profile, ...], list[str]]:
    """The profiles, and what to warn of: a record of other rules than theirs.

    Args:
        told: the record.
        path: its file.
        named: profiles to score by, by name or path; none = those that the record's alerts name.

    Raises:
        ConfigError: a profile named is missing or wrong.
        InputError: the record was made with a profile of one's own, and no profile is named.
    """
    warnings = []
    if not named and not told.profiles:
        named = AlertsConfig().profiles
        warnings.append(f"{path}: no alert tells its profile; scored by {', '.join(named)}: is it the one?")
    elif not named:
        named = sorted(told.profiles)
        own = [name for name in named if name not in shipped_profiles()]
        if own:
            raise InputError(
                f"{path}: made with the profile {own[0]}, which is not shipped; give --profile FILE.yaml"
            )
    profiles = tuple(load_profile(name) for name in dict.fromkeys(named))
    return profiles, [*warnings, *_differences(told, path, profiles)]


def _differences(told: Told, path: Path, profiles: Sequence[Profile]) -> list[str]:
    here = {profile.name: profile.hash for profile in profiles}
    others = sorted(told.profiles.keys() - here.keys())
    found = [
        f"{path}: alerts of {name}, too, are scored by the rules of {', '.join(here)}" for name in others
    ]
    for name, hashes in sorted(told.profiles.items()):
        if name in here and hashes - {here[name]}:
            found.append(
                f"{path}: made with {name} {', '.join(sorted(hashes))}, scored by {name} {here[name]}: other "
                "rules; give the file of those it was made with by --profile"
            )
    return found
