"""`dms doctor`: looks at everything a run needs, in the order of a deployment, and tells each cure."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from dms.config import Config, EnginesConfig
from dms.control.sensors import Sensors
from dms.doctor import (
    artefacts,
    disk,
    fitting,
    host,
    inputs,
    jetson,
    local,
    named,
    opening,
    outside,
    plans,
    runtimes,
    unit,
)
from dms.doctor.check import Check, Grade
from dms.doctor.machine import Machine
from dms.errors import ConfigError


def examine(load: Callable[[], Config], machine: Machine | None = None) -> list[Check]:
    """Check this machine, and a run with the configuration that `load` gives.

    A wrong configuration is a finding like any other; the rest is then checked with the defaults.
    """
    here = machine or Machine()
    config, finding = _configuration(load)
    engines = config.engines
    with _hushed():
        return [
            *_grouped("machine", (*host.checks(here), *disk.checks(config), finding, *named.checks(config))),
            *_grouped("runtimes", runtimes.checks(engines, jetson.is_jetson(Sensors(here.root)))),
            *_grouped("engines", _engines(engines)),
            *_grouped("device", jetson.checks(here)),
            *_grouped(
                "outside", (*outside.checks(config, here), *local.checks(config, unit.is_running(here)))
            ),
            *_grouped("inputs", inputs.checks(config)),
            *_grouped("service", unit.checks(config, here)),
        ]


def _engines(config: EnginesConfig) -> Iterator[Check]:
    yield from artefacts.checks(config)
    yield from fitting.checks(config)
    kept = plans.checks(config)
    yield from kept.values()
    # To open an engine without its plan is to build it, for minutes: that is no examination.
    unbuilt = [net for net, check in kept.items() if check.grade is not Grade.OK]
    yield from opening.checks(config, leave_out=unbuilt)


def _grouped(group: str, checks: Iterable[Check]) -> Iterator[Check]:
    return (replace(check, group=group) for check in checks)


def _configuration(load: Callable[[], Config]) -> tuple[Config, Check]:
    try:
        config = load()
    except ConfigError as e:
        cure = "correct it, then `dms config check`; the rest was checked with the defaults"
        return Config(), Check("configuration", Grade.FAIL, "; ".join(str(e).splitlines()), cure)
    return config, Check("configuration", Grade.OK, "valid")


@contextmanager
def _hushed() -> Iterator[None]:
    """Findings tell what is wrong: without a handler, Python would print each warning of the log as well."""
    silent, log = logging.NullHandler(), logging.getLogger("dms")
    log.addHandler(silent)
    try:
        yield
    finally:
        log.removeHandler(silent)
