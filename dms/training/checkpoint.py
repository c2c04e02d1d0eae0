"""What a run needs to go on after it was stopped: written whole or not at all, read with its faults named."""

from __future__ import annotations

import pickle
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dms.errors import InputError
from dms.files import write_bytes_atomically

NAME, WEIGHTS = "checkpoint.pt", "weights.pt"


def save(path: Path, value: Any) -> None:
    """Write tensors and plain values.

    Raises:
        InputError: the disk is full or the folder cannot be written to; the older file stays.
    """
    content = BytesIO()
    torch.save(value, content)
    write_bytes_atomically(path, content.getvalue())


def load(path: Path) -> Any:
    """What `save` wrote, on the processor.

    Raises:
        InputError: the file is missing or damaged.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except (RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise InputError(f"{path} is damaged or was not written by `fit`; train again without it") from error


def load_weights(net: nn.Module, path: Path) -> None:
    """Fill a net with weights that `fit` wrote.

    Raises:
        InputError: the file is missing or damaged, or belongs to a net of another shape.
    """
    given = load(path)
    try:
        net.load_state_dict(given)
    except (RuntimeError, AttributeError, TypeError) as error:
        raise InputError(
            f"{path} holds the weights of another net or another shape; its run.json tells which: "
            f"{str(error).splitlines()[-1].strip()}"
        ) from error


def random_states() -> dict[str, torch.Tensor]:
    """The states of torch's generators."""
    states = {"cpu": torch.get_rng_state()}
    return states | ({"cuda": torch.cuda.get_rng_state()} if torch.cuda.is_available() else {})


def restore_random(states: dict[str, torch.Tensor]) -> None:
    """Go on drawing where `random_states` was taken."""
    torch.set_rng_state(states["cpu"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])
