"""How often pictures of each kind are drawn, and how much each label counts: `configs/training/mix.yaml`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dms.errors import ConfigError
from dms.resources import configs_folder

Weight = Annotated[float, Field(ge=0, le=100)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Shares(_Part):
    """How often pictures are drawn for one net, by data set."""

    sets: dict[str, Weight]
    other: Weight
    simulated: Weight
    own: Weight

    def of(self, sets: Iterable[str]) -> NDArray[np.float32]:
        """The share (n,) of each photograph of the data pack, by its set."""
        return np.array([self.sets.get(str(name), self.other) for name in sets], np.float32)


class FaceShares(Shares):
    """Those of `face`: one turned by 60 degrees is drawn `turned` times more often on top."""

    turned: Weight


class TeacherTrust(_Part):
    """How much an answer counts that only a teacher gives."""

    teacher: Weight


class Trust(TeacherTrust):
    """How much an answer counts, by who gave it."""

    own: Weight
    simulated: Weight


class DoubtedTrust(Trust):
    """The same where a second teacher answers for faces that the first one's mesh did not find."""

    second: Weight


class Draw(_Part):
    """The shares of all nets."""

    face: FaceShares
    eyes: Shares
    fatigue: Shares
    distraction: Shares


class Trusts(_Part):
    """The trust in all kinds of labels."""

    landmarks: DoubtedTrust
    openness: DoubtedTrust
    gaze: Trust
    head: Trust
    closed: Trust
    yawn: Trust
    mouth_covered: Trust
    squint: TeacherTrust


class Mix(_Part):
    """The whole file."""

    draw: Draw
    trust: Trusts


def load_mix(path: Path | None = None) -> Mix:
    """Read a mix; None = the one that ships.

    Raises:
        ConfigError: missing, no YAML, or an unknown, missing or impossible value, named with its place.
    """
    path = path or configs_folder() / "training" / "mix.yaml"
    try:
        values = yaml.safe_load(path.read_bytes())
    except OSError as e:
        raise ConfigError(f"cannot read {path}: {e.strerror}") from e
    except yaml.YAMLError as e:
        raise ConfigError(f"{path} is no YAML: {' '.join(str(e).split())}") from e
    try:
        return Mix.model_validate(values)
    except ValidationError as e:
        faults = [f"{path}: {'.'.join(map(str, f['loc'])) or 'file'}: {f['msg']}" for f in e.errors()]
        raise ConfigError("\n".join(faults)) from e
