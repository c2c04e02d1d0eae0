"""The recipe of a training run: a small YAML file, checked key by key before anything is loaded."""

from __future__ import annotations

import inspect
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import torch
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import nn

from dms.errors import ConfigError
from dms.training.nets import NETS

CALMEST = 0.25
"""What is left of the augmentation at the very end of a run."""


class Recipe(BaseModel):
    """How long and how hard to train. The run ends after `steps` or `seconds`, whichever comes first.

    With `teachers`, as many other nets are trained first, each for `teacher_steps`, and the net learns from
    what they agree on (`distil`): small label sets teach a jury better than a single net.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: int = Field(gt=0)
    seconds: float = Field(gt=0)
    batch: int = Field(512, gt=0)
    rate: float = Field(2e-3, gt=0)
    decay: float = Field(0.02, ge=0)
    average: float = Field(0.998, ge=0, lt=1)
    seed: int = 7
    check_every: int = Field(1000, gt=0)
    save_every_s: float = Field(60.0, gt=0)
    calm_from: float = Field(1.0, ge=0, le=1)
    """From this share of the run on the augmentation is scaled down, to a quarter at the end."""
    net: dict[str, Any] = Field(default_factory=dict)
    """The net's shape: keyword arguments of its class in `nets`."""
    teachers: int = Field(0, ge=0)
    teacher_steps: int = Field(0, ge=0)
    teacher_kind: Literal["wide", "pretrained"] = "wide"
    teacher_net: dict[str, Any] = Field(default_factory=dict)
    teacher_rate: float | None = Field(None, gt=0)
    teacher_batch: int | None = Field(None, gt=0)
    own_share: float = Field(0.2, ge=0, le=1)
    """Weight of the labels beside the teachers' opinion."""

    def override(self, **changes: Any) -> Recipe:
        """A copy with the given, not-None values changed and checked.

        Raises:
            ConfigError: a value is out of range.
        """
        wanted = self.model_dump() | {k: v for k, v in changes.items() if v is not None}
        return checked(wanted, "the recipe with the options given")

    def strength(self, progress: float) -> float:
        """How hard to augment at a share of the run, 1 to `CALMEST`."""
        if progress <= self.calm_from:
            return 1.0
        return 1 - (1 - CALMEST) * min(1.0, (progress - self.calm_from) / (1 - self.calm_from))


def recipe(path: Path) -> Recipe:
    """Read a recipe.

    Raises:
        ConfigError: the file is missing, no YAML mapping, or has an unknown, missing or wrong key.
    """
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} is no training recipe: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no training recipe: {error}") from error
    if not isinstance(given, dict):
        raise ConfigError(f"{path} is no training recipe: it must map keys to values, as `steps: 6000`")
    return checked(given, str(path))


def checked(given: dict[str, Any], where: str) -> Recipe:
    """The recipe of plain values.

    Raises:
        ConfigError: a key is unknown (the nearest is named), missing, or its value out of range.
    """
    try:
        return Recipe(**{str(k): v for k, v in given.items()})
    except ValidationError as error:
        found = "; ".join(_told(e["type"], str(e["loc"][0]), e["msg"]) for e in error.errors())
        raise ConfigError(f"{where} is no training recipe: {found}") from error


def _told(kind: str, key: str, message: str) -> str:
    if kind == "extra_forbidden":
        return unknown(key, Recipe.model_fields)
    return f"`{key}` is missing" if kind == "missing" else f"`{key}`: {message}"


def unknown(key: str, known: Any) -> str:
    """A text that names the nearest of the known keys, or all of them."""
    near = get_close_matches(key, known, n=1)
    return f"`{key}` is unknown; " + (f"did you mean `{near[0]}`?" if near else f"known: {', '.join(known)}")


def make_net(name: str, shape: dict[str, Any]) -> nn.Module:
    """The named net in the given shape.

    Raises:
        ConfigError: the shape has an unknown key or values no such net can be built of.
    """
    kind = NETS[name]
    known = [p for p in inspect.signature(kind.__init__).parameters if p != "self"]
    for key in shape:
        if key not in known:
            raise ConfigError(f"net: {unknown(key, known)}")
    try:
        return kind(**shape)
    except (TypeError, ValueError, IndexError, RuntimeError, AssertionError) as error:
        raise ConfigError(f"net: {shape} is no shape of the {name} net: {error}") from error


def device() -> torch.device:
    """The GPU if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
