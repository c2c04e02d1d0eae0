"""Are the engines fitted to this very device: what the gate found here."""

from __future__ import annotations

from collections.abc import Iterator

from dms.config import EnginesConfig
from dms.doctor.check import Check, ok, warn
from dms.engines.contract import CONTRACTS
from dms.engines.gate import conditions, load_verdict
from dms.engines.manifest import Manifest, load_manifest
from dms.engines.opening import cache_of, folder_of, options_of
from dms.errors import EngineError

GATE = "dms engines build {} --gate --data calib_data (in the sources; add your --config)"


def checks(config: EnginesConfig) -> Iterator[Check]:
    """All checks of this module; an engine without a sound manifest has its finding elsewhere."""
    ungated = []
    for net in CONTRACTS:
        try:
            found = gate(load_manifest(folder_of(config) / net), config)
        except EngineError:
            continue
        if found is None:
            ungated.append(f"{net} ({getattr(config, net).backend})")
        else:
            yield found
    if ungated:
        detail = f"never run here for {', '.join(ungated)}: whether INT8 is the faster file here is not known"
        yield warn("gate", detail, GATE.format("all"))


def gate(note: Manifest, config: EnginesConfig) -> Check | None:
    """What the gate found for an engine here, and whether that still counts; None where it never ran."""
    own, name = getattr(config, note.net), f"gate {note.net}"
    verdict = load_verdict(cache_of(config), note.net, own.backend)
    if verdict is None:
        return None
    changed = verdict.outdated(note, conditions(own.backend, options_of(own, config, lambda step: None)))
    if changed:
        return warn(name, f"of {verdict.date}, counts no more: {changed}", GATE.format(note.net))
    if verdict.chosen is None:
        return warn(name, f"no file passed on {own.backend}: {verdict.reason}", "choose another backend")
    if own.precision not in ("best", verdict.chosen):
        cure = f"take what was found: engines.{note.net}.precision: best"
        return warn(name, f"{own.precision} is configured, the gate chose {verdict.chosen}", cure)
    return ok(name, f"{verdict.chosen} on {own.backend}, {verdict.date}: {verdict.reason}")
