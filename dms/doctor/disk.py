"""Where a run writes: can it, and is there room."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dms.config import Config
from dms.doctor.check import Check, fail, ok, warn
from dms.engines.opening import cache_of
from dms.seat import Seat

LITTLE_DISK_BYTES = 1 << 30
NO_DISK_BYTES = 50 << 20


def checks(config: Config) -> Iterator[Check]:
    """All checks of this module."""
    yield outputs(config)
    yield cache(config)
    if box := config.sinks.blackbox.folder:
        yield folder("black box", "sinks.blackbox.folder", Path(box))
    if config.seat.consent:
        yield folder("seat", "seat.folder", Seat(config.seat).path.parent)


def outputs(config: Config) -> Check:
    """Can the JSON lines file be written, and is there room for it."""
    path = Path(config.sinks.jsonl.path or "frames.jsonl").resolve()
    if config.sinks.jsonl.path and (trouble := _trouble(path)):
        cure = f"choose another place with sinks.jsonl.path, or make this one: mkdir -p {path.parent}"
        return fail("outputs", f"{path} cannot be written: {trouble}", cure)
    folder = _nearest(path.parent)
    free = shutil.disk_usage(folder).free
    detail = f"{free / 1e9:.1f} GB free at {folder}"
    if free < NO_DISK_BYTES:
        return fail("outputs", detail, "make room on the disk")
    if free < LITTLE_DISK_BYTES:
        return warn("outputs", detail, "make room: an hour of JSON lines takes about 100 MB")
    return ok("outputs", detail)


def cache(config: Config) -> Check:
    """Can what is built on this device be kept: plans, timings, verdicts of the gate."""
    folder = cache_of(config.engines).absolute()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir():
        cure = f"remove it, or name another place: engines.cache (now {folder})"
        return warn("cache", f"{there} is a file: nothing that is built here can be kept", cure)
    place = _nearest(folder)
    if not os.access(place, os.W_OK | os.X_OK):
        trouble = "the file system is read-only" if _read_only(place) else f"no permission for {place}"
        cure = f"engines.cache names another place; this one: sudo install -d -o $(id -un) {folder}"
        detail = f"{folder} cannot be written ({trouble}): plans are built at every start, no verdict is kept"
        return warn("cache", detail, cure)
    free = shutil.disk_usage(place).free
    if free < NO_DISK_BYTES:
        return warn("cache", f"{free / 1e6:.0f} MB free at {place}", "make room on the disk")
    return ok("cache", f"{folder}, {free / 1e9:.1f} GB free")


def folder(name: str, key: str, wanted: Path) -> Check:
    """Can files be kept in a folder, which a run makes where it is missing."""
    wanted = wanted.absolute()
    try:
        # Tried: of a folder of the kernel's the rights alone promise too much.
        tempfile.TemporaryDirectory(
            dir=next(path for path in (wanted, *wanted.parents) if path.exists())
        ).cleanup()
    except OSError as e:
        cure = f"{key} names another place; this one: sudo install -d -o $(id -un) {wanted}"
        return fail(name, f"{wanted} cannot be written into: {e.strerror}", cure)
    return ok(name, str(wanted))


def _trouble(path: Path) -> str:
    """Why a file cannot be written; empty where it can."""
    if path.is_dir():
        return "it is a folder"
    if not path.parent.is_dir():
        return "its folder is missing"
    if os.access(path if path.exists() else path.parent, os.W_OK):
        return ""
    return "the file system is read-only" if _read_only(path.parent) else "no permission"


def _nearest(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.is_dir())


def _read_only(folder: Path) -> bool:
    return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
