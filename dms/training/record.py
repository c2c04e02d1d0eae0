"""What a run was: recipe, data, commit, versions and result in `run.json` beside the weights."""

from __future__ import annotations

import json
import platform
import subprocess
from pathlib import Path
from typing import Any

import torch

import dms
from dms.errors import InputError
from dms.files import write_atomically
from dms.training.recipe import Recipe, checked

NAME = "run.json"


def commit() -> str | None:
    """The commit this code is from, with `+` where files were changed; None outside a repository."""
    here = Path(dms.__file__).parent
    try:
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True)
        if head.returncode:
            return None
        changed = subprocess.run(
            ["git", "status", "--porcelain", "-uno"], cwd=here, capture_output=True, text=True
        )
    except OSError:
        return None
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "")


def write(folder: Path, net: str, how: Recipe, data: str, result: dict[str, Any]) -> None:
    """Write `run.json`; `result` says how far the run came and what it scored."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.processor() or "cpu"
    note = {
        "net": net,
        "recipe": how.model_dump(),
        "data_sha256": data,
        "commit": commit(),
        "dms": dms.__version__,
        "torch": torch.__version__,
        "device": device,
        **result,
    }
    write_atomically(folder / NAME, json.dumps(note, indent=2) + "\n")


def read(folder: Path) -> tuple[str, Recipe, dict[str, Any]]:
    """Net, recipe and everything else of a run.

    Raises:
        InputError: there is no run.json or it is damaged.
        ConfigError: its recipe is of another version.
    """
    path = folder / NAME
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
        name, how = str(note["net"]), dict(note["recipe"])
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror}; is {folder} a folder that `fit` made?"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged; train again") from error
    return name, checked(how, str(path)), note
