"""The kernel's small files: text and numbers out of /sys and /proc, None where they cannot be had.

Nothing here raises: a file that is missing, vanishes, is empty, holds garbage or answers with an error tells
nothing, which is not the same as 0.
"""

from __future__ import annotations

import os
from glob import glob
from pathlib import Path

MOST_BYTES = 4096
"""A file of sysfs holds at most one page; of longer ones in /proc only the first lines are wanted."""
LONGEST_NUMBER = 21
"""Signs of a 64-bit number; what is longer is none of the kernel's."""
BELIEVED_C = (-100.0, 150.0)
"""Outside is no temperature of a processor: a zone whose unit is switched off reads -256."""


def text(path: Path) -> str | None:
    """The content without blanks (device trees end it with a NUL); None where unreadable or empty."""
    try:
        # Should a pipe or a device lie there, neither opening nor reading may wait.
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        return os.read(file, MOST_BYTES).decode(errors="replace").strip("\0 \t\n") or None
    except OSError:  # EAGAIN from a unit that is switched off among them
        return None
    finally:
        os.close(file)


def number(path: Path, base: int = 10) -> int | None:
    """The whole number in a file."""
    word = text(path) or ""
    try:
        return int(word, base) if len(word) <= LONGEST_NUMBER else None
    except ValueError:
        return None


def count(path: Path, base: int = 10) -> int | None:
    """The number in a file of something that is counted: never below 0."""
    found = number(path, base)
    return found if found is not None and found >= 0 else None


def scaled(path: Path, factor: float) -> float | None:
    """The number in a file times `factor`."""
    found = number(path)
    return None if found is None else found * factor


def celsius(path: Path) -> float | None:
    """The millidegrees in a file as Celsius; None where no processor can be so hot or cold."""
    found = scaled(path, 1e-3)
    return found if found is not None and BELIEVED_C[0] < found < BELIEVED_C[1] else None


def within(folder: Path, *patterns: str) -> list[Path]:
    """What matches below a folder, sorted by name."""
    # Unlike that of pathlib, this glob bears folders that vanish under its hands, in every Python.
    return sorted(folder / name for pattern in patterns for name in glob(pattern, root_dir=folder))


def devices(root: Path, *patterns: str) -> list[Path]:
    """The same, each by its real path.

    A number under /sys/class may go to another device when a driver is loaded again. The path of the device
    itself may not: kept from before, it then leads nowhere, not elsewhere.
    """
    return [Path(os.path.realpath(path)) for path in within(root, *patterns)]


def chips(root: Path, *names: str) -> list[Path]:
    """The folders of the hwmon chips of these names."""
    return [chip for chip in devices(root, "sys/class/hwmon/hwmon*") if text(chip / "name") in names]
