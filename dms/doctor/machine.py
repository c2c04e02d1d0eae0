"""How the doctor reads a machine: its files below a root, and what its commands answer."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PATIENCE_S = 5.0
"""A command that takes longer is not waited for."""


def ask(*command: str) -> str | None:
    """What a command prints; None where it is missing, fails or hangs."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=PATIENCE_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace")


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine whose file system begins at `root`; `ask` runs a command on it."""

    root: Path = Path("/")
    ask: Callable[..., str | None] = ask

    def read(self, path: str) -> str:
        """The content of a file without blanks at its ends; empty where it cannot be read."""
        try:
            return (self.root / path).read_bytes().decode(errors="replace").strip("\0 \t\n")
        except OSError:
            return ""

    def number(self, path: str) -> int | None:
        """The whole number in a file; None where there is none."""
        try:
            return int(self.read(path))
        except ValueError:
            return None
