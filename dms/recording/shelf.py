"""A folder of bundles: what is in it, and what has to go."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from dms.config.blackbox import BlackboxConfig
from dms.errors import InputError
from dms.recording.bundle import SUFFIX, open_bundle

log = logging.getLogger(__name__)

_DAY_S = 86_400.0
_PARTIAL_FOR_S = 3600.0
"""A file still unfinished after this long was left by a process that died."""


@dataclass(frozen=True, slots=True)
class Shelved:
    """One bundle in the folder. `written_s` is Unix time."""

    path: Path
    written_s: float
    size: int


def path_of(folder: Path, alert_id: str) -> Path:
    """Where the bundle of an alert lies."""
    return folder / (re.sub(r"[^A-Za-z0-9_-]", "_", alert_id) + SUFFIX)


def shelved(folder: Path) -> list[Shelved]:
    """All bundles of the folder, newest first.

    Raises:
        InputError: the folder cannot be read.
    """
    found = []
    with _readable(folder):
        for path in folder.iterdir():
            if path.suffix == SUFFIX and path.is_file():
                note = path.stat()
                found.append(Shelved(path, note.st_mtime, note.st_size))
    return sorted(found, key=lambda item: (item.written_s, item.path.name), reverse=True)


def bundle_of(folder: Path, alert_id: str) -> Path | None:
    """The bundle that was written for this alert, or another one that holds it; None where there is none.

    One that cannot be read is logged and passed over.

    Raises:
        InputError: the folder cannot be read.
    """
    own, found = path_of(folder, alert_id), shelved(folder)
    if own in [item.path for item in found]:
        return own
    for item in found:
        try:
            with open_bundle(item.path) as bundle:
                if alert_id in (bundle.manifest.get("alerts") or []):
                    return item.path
        except InputError as e:
            log.warning("passed over: %s", e)
    return None


def tidy(folder: Path, config: BlackboxConfig, now_s: float) -> int:
    """Delete bundles that are too old, too many or together too large; return how many went.

    `now_s` is Unix time. What cannot be deleted stays, and is tried again the next time.

    Raises:
        InputError: the folder cannot be read.
    """
    with _readable(folder):
        partials = list(folder.glob(f".*{SUFFIX}.*.partial"))
    for partial in partials:
        with suppress(OSError):
            if now_s - partial.stat().st_mtime > _PARTIAL_FOR_S:
                partial.unlink()
    kept_bytes = gone = 0
    for number, item in enumerate(shelved(folder), 1):
        kept_bytes += item.size
        too_old = now_s - item.written_s > config.keep_days * _DAY_S
        if too_old or number > config.keep_bundles or kept_bytes > config.keep_mb * 1e6:
            with suppress(OSError):
                item.path.unlink()
                gone += 1
    return gone


@contextmanager
def _readable(folder: Path) -> Iterator[None]:
    """What reading a folder raises, as our error."""
    try:
        yield
    except OSError as e:
        raise InputError(f"the folder of bundles {folder} cannot be read: {e.strerror}") from e
