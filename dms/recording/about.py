"""What every bundle tells of the system that made it."""

from __future__ import annotations

import getpass
import platform
import socket
import sys
from typing import Any

from dms.alerts import load_profiles
from dms.config import Config
from dms.recording.redaction import Redactor, words_of
from dms.sinks.system_payload import Origin


def about(config: Config, origin: Origin) -> tuple[dict[str, Any], Redactor]:
    """What to write into each manifest, and what keeps names and places out of all the rest.

    That is: versions, engines, platform, profiles, and the sections of the configuration that decide how is
    judged.
    """
    redactor = Redactor([socket.gethostname(), _user(), *words_of(config)])
    manifest = {
        "software": origin.software,
        "engines": dict(origin.engines),
        "cheapest": dict(origin.cheapest),
        "python": platform.python_version(),
        "platform": f"{sys.platform} {platform.machine()}",
        "profiles": [
            {"name": p.name, "version": p.version, "hash": p.hash, "content": p.model_dump(mode="json")}
            for p in load_profiles(config.alerts)
        ],
        "config": redactor.config(config),
    }
    return manifest, redactor


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a service may run as a number without a name
        return ""
