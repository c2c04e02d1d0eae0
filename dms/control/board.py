"""Which board this is: its name, its release of Jetson Linux, its power mode."""

from __future__ import annotations

import subprocess
from pathlib import Path

from dms.control.sysfs import text


def model(root: Path) -> str | None:
    """The board's name by its device tree."""
    return text(root / "proc/device-tree/model")


def l4t(root: Path) -> str | None:
    """The release of Jetson Linux, for instance `36.4.3`."""
    words = (text(root / "etc/nv_tegra_release") or "").replace(",", " ").split()
    major = next((word[1:] for word in words if word[:1] == "R" and word[1:].isdecimal()), None)
    revision = words[words.index("REVISION:") + 1 :] if "REVISION:" in words else []
    return f"{major}.{revision[0]}" if major and revision else None


def power_mode(nvpmodel: Path, patience_s: float) -> str | None:
    """The mode that the tool of this path tells, for instance `MAXN_SUPER`; starts a process.

    None where there is no tool or no answer. A tool that is too slow is asked a second time.
    """
    answer = _answer(nvpmodel, patience_s)
    if answer is None:
        answer = _answer(nvpmodel, patience_s) or ""
    for line in answer.splitlines():
        name, _, mode = line.partition(":")
        if name.strip() == "NV Power Mode" and mode.strip():
            return mode.strip()
    return None


def _answer(nvpmodel: Path, patience_s: float) -> str | None:
    """What the tool answers, empty where it fails; None where it is too slow."""
    try:
        answer = subprocess.run([nvpmodel, "-q"], capture_output=True, timeout=patience_s, check=True)
    except subprocess.TimeoutExpired:
        return None
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.decode(errors="replace")
