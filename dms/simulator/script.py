"""The script of a simulated drive: what the driver does, and when. Read from YAML, checked whole."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from dms.errors import InputError

_Degrees = Annotated[float, Field(ge=-75, le=75)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class _Event(_Part):
    at_s: float = Field(alias="at", ge=0)
    for_s: float = Field(alias="for", gt=0)

    @property
    def end_s(self) -> float:
        """When it is over, seconds from the start."""
        return self.at_s + self.for_s


class Plain(_Event):
    """Something that is either so or not."""

    do: Literal["eyes_closed", "yawn", "sunglasses", "mask", "blocked", "absent", "nir"]


class Blink(_Event):
    """Both lids, quickly."""

    do: Literal["blink"]
    for_s: float = Field(0.12, alias="for", gt=0, le=0.5)


class Lids(_Event):
    """Lids held half open: drowsy, squinting or, of one side, winking."""

    do: Literal["lids"]
    openness: float = Field(ge=0, le=1)
    side: Literal["both", "right", "left"] = "both"


class Look(_Event):
    """The head turns; the eyes stay straight in it."""

    do: Literal["look"]
    yaw_deg: _Degrees = 0.0
    pitch_deg: Annotated[float, Field(ge=-40, le=40)] = 0.0
    roll_deg: Annotated[float, Field(ge=-30, le=30)] = 0.0


class Gaze(_Event):
    """The eyes turn in a head that stays."""

    do: Literal["gaze"]
    yaw_deg: Annotated[float, Field(ge=-40, le=40)] = 0.0
    pitch_deg: Annotated[float, Field(ge=-30, le=30)] = 0.0


class Hand(_Event):
    """A hand with or without a phone, on the driver's own right or left."""

    do: Literal["phone_at_ear", "phone_in_hand", "hand_on_face"]
    side: Literal["right", "left"] = "right"


class Light(_Event):
    """Other light: `brightness` multiplies the picture, `side` is a lamp, -1 from the image's left to 1."""

    do: Literal["light"]
    brightness: float = Field(1.0, ge=0.05, le=3)
    side: float = Field(0.0, ge=-1, le=1)


Event = Annotated[Plain | Blink | Lids | Look | Gaze | Hand | Light, Field(discriminator="do")]


class Script(_Part):
    """A whole drive. Times are seconds from its start; angles follow `dms.records`."""

    title: str = ""
    size: tuple[int, int] = (640, 360)
    fps: float = Field(30.0, gt=0, le=120)
    duration_s: float = Field(gt=0, le=24 * 3600)
    seed: int = Field(0, ge=0)
    portrait: str = "default"
    face_width: float = Field(0.33, gt=0.05, le=0.8)
    """Width of the face over the height of the frame."""
    neutral_yaw_deg: Annotated[float, Field(ge=-40, le=40)] = 0.0
    """Where the head points when the driver watches the road."""
    neutral_pitch_deg: Annotated[float, Field(ge=-25, le=25)] = 0.0
    noise: float = Field(1.5, ge=0, le=40)
    """Sensor noise, standard deviation in grey levels."""
    blinks: bool = True
    """Natural blinks between the events."""
    events: tuple[Event, ...] = ()

    @field_validator("size", "events", mode="before")
    @classmethod
    def _lists(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    @field_validator("size")
    @classmethod
    def _sizes(cls, size: tuple[int, int]) -> tuple[int, int]:
        if not all(64 <= side <= 4096 and side % 2 == 0 for side in size):
            raise ValueError("width and height must be even and 64 to 4096")
        return size

    @model_validator(mode="after")
    def _inside(self) -> Script:
        for index, event in enumerate(self.events):
            if event.end_s > self.duration_s:
                late = f"ends at {event.end_s:g} s, after duration_s {self.duration_s:g}"
                raise ValueError(f"events[{index}] ({event.do}) {late}")
        return self

    @property
    def frames(self) -> int:
        """How many frames the drive has."""
        return max(1, round(self.duration_s * self.fps))


def load_script(name: str | Path) -> Script:
    """Read a script: a YAML file, or `demo`, the shipped one.

    Raises:
        InputError: the file is missing, unreadable, no YAML or no script; the text says where and what to do.
    """
    if str(name) == "demo":
        text = resources.files("dms.assets").joinpath("demo.yaml").read_text(encoding="utf-8")
    else:
        text = _read(Path(name))
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"{name} is no valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(data, dict):
        raise InputError(f"{name} is no script: it must hold duration_s and a list of events")
    try:
        script = Script.model_validate(data)
    except ValidationError as error:
        raise InputError(f"{name}: {_explain(error)}") from error
    return _beside(script, name)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise InputError(f"cannot read the script {path}: {reason}; give a YAML file, or demo") from error


def _explain(error: ValidationError) -> str:
    """The first few faults, each with its place in the file."""
    faults = []
    for fault in error.errors()[:4]:
        place = ".".join(str(part) for part in fault["loc"]) or "script"
        faults.append(f"{place}: {fault['msg']}")
    return "; ".join(faults)


def _beside(script: Script, name: str | Path) -> Script:
    """A portrait named in a script is looked for beside that script."""
    if script.portrait == "default" or Path(script.portrait).is_absolute():
        return script
    return script.model_copy(update={"portrait": str(Path(name).parent / script.portrait)})
