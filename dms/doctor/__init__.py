"""`dms doctor`: looks at everything a run needs and tells, for each trouble, its cure."""

from __future__ import annotations

from collections.abc import Callable

from dms.config import Config
from dms.doctor import host, parts
from dms.doctor.check import Check, Grade
from dms.errors import ConfigError


def examine(load: Callable[[], Config]) -> list[Check]:
    """Check this machine, and a run with the configuration that `load` gives.

    A wrong configuration is a finding like any other; the rest is then checked with the defaults.
    """
    config, finding = _configuration(load)
    return [*host.checks(), finding, *parts.checks(config)]


def _configuration(load: Callable[[], Config]) -> tuple[Config, Check]:
    try:
        config = load()
    except ConfigError as e:
        cure = "correct it, then `dms config check`; what follows was checked with the defaults"
        return Config(), Check("configuration", Grade.FAIL, "; ".join(str(e).splitlines()), cure)
    return config, Check("configuration", Grade.OK, "valid")
