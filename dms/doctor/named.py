"""The files that a configuration names: rules of alerts and the cabin, read as a run reads them."""

from __future__ import annotations

from collections.abc import Iterator

from dms.alerts.coverage import gaps, unacknowledgeable
from dms.alerts.profiles import load_profiles
from dms.config import Config
from dms.config.cabin_file import read_cabin
from dms.doctor.check import Check, fail, ok, warn
from dms.errors import ConfigError
from dms.resources import configs_folder


def checks(config: Config) -> Iterator[Check]:
    """All checks of this module."""
    yield profiles(config)
    yield cabin(config)


def profiles(config: Config) -> Check:
    """Can the rules be read, and moved as `alerts.sensitivity` says; do they leave something untold."""
    try:
        loaded = load_profiles(config.alerts)
    except ConfigError as e:
        cure = "correct it, then `dms profiles check FILE`; how to write one: docs/profiles.md"
        return fail("profiles", "; ".join(str(e).splitlines()), cure)
    names = ", ".join(f"{each.name} {each.version} ({each.hash})" for each in loaded)
    # a service has no terminal, whoever asks the doctor
    notes = [*gaps(loaded), *unacknowledgeable(loaded, config.inputs, terminal=False)]
    if notes:
        return warn("profiles", "; ".join([names, *notes]), "docs/profiles.md tells what each rule is for")
    return ok("profiles", names)


def cabin(config: Config) -> Check:
    """Can the cabin be read."""
    try:
        read = read_cabin(config.cabin.geometry, configs_folder() / "cabins")
    except ConfigError as e:
        cure = "correct it, or name another with cabin.geometry; `dms calibrate cabin` makes one"
        return fail("cabin", "; ".join(str(e).splitlines()), cure)
    return ok("cabin", f"{read.name}, {len(read.zones)} zones")
