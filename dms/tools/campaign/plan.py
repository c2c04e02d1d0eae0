"""What a campaign drives: groups that differ from the baseline in one thing, and the script of a drive."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dms.errors import InputError
from dms.simulator.script import Script

BASELINE = "baseline"
SKIN = "skin"
QUIET_S = 15.0
"""An attentive driver at the beginning: his baseline is learned in that time."""
PAUSE_S = (7.0, 10.0)
"""Between two events: longer than any alert takes to end."""


@dataclass(frozen=True)
class Group:
    """Drives under one circumstance.

    `condition` names a change of the picture (`evaluation.conditions`), `script` keys of the drive's script
    that differ from the baseline's. `portrait` is the file of another face.
    """

    factor: str
    name: str
    condition: str = "as_is"
    script: Mapping[str, Any] = field(default_factory=dict)
    portrait: str | None = None


GROUPS = (
    Group(BASELINE, "as it is"),
    Group("light", "near-infrared lamp", "near_infrared"),
    Group("light", "1 lux, full gain", "one_lux"),
    Group("light", "low sun from the side", "low_sun"),
    Group("eyewear", "clear glasses with glare", "clear_glasses"),
    Group("eyewear", "sunglasses", "sunglasses"),
    Group("face cover", "mask", "mask"),
    Group("face cover", "cap down to the brows", "cap"),
    Group("camera", "25° to the driver's left", script={"neutral_yaw_deg": 25.0}),
    Group("camera", "25° to the driver's right", script={"neutral_yaw_deg": -25.0}),
    Group("camera", "12° above", script={"neutral_pitch_deg": -12.0}),
    Group("camera", "12° below", script={"neutral_pitch_deg": 12.0}),
    Group("distance", "face 10 % of the picture's width", script={"face_width": 0.18}),
    Group("frame rate", "10 fps", script={"fps": 10.0}),
    Group("frame rate", "30 fps", script={"fps": 30.0}),
    Group("frame rate", "60 fps", script={"fps": 60.0}),
    Group("noise", "6 grey levels", script={"noise": 6.0}),
    Group("noise", "12 grey levels", script={"noise": 12.0}),
    Group("noise", "20 grey levels", script={"noise": 20.0}),
    Group("picture", "motion blur", "motion_blur"),
    Group("picture", "out of focus", "defocus"),
    Group("picture", "JPEG quality 12", "jpeg"),
)
"""One thing at a time. The baseline is 15 frames a second, a face of 18 % of the picture's width."""


def with_portraits(folder: Path) -> tuple[Group, ...]:
    """A group for every portrait of a folder; `darker-2.npz` belongs to the group `darker`.

    Raises:
        InputError: the folder holds no portrait.
    """
    found = sorted(folder.glob("*.npz"))
    if not found:
        raise InputError(
            f"{folder} holds no portrait (*.npz); fit one: python -m dms.training portrait --help"
        )
    return tuple(Group(SKIN, path.stem.partition("-")[0], portrait=str(path)) for path in found)


def chosen(groups: Sequence[Group], factors: Sequence[str]) -> list[Group]:
    """The groups of these factors with the baseline; all of them where none is named.

    Raises:
        InputError: no such factor.
    """
    known = list(dict.fromkeys(group.factor for group in groups))
    for factor in factors:
        if factor not in known:
            raise InputError(f"there is no factor {factor!r}; there are: {', '.join(known)}")
    return [group for group in groups if not factors or group.factor in (*factors, BASELINE)]


def script_of(group: Group, seed: int) -> Script:
    """The drive of a seed under a group's circumstance: the same events in the same order for every group."""
    chance = random.Random(seed)
    events, end_s = [], QUIET_S
    due = _events(chance)
    chance.shuffle(due)
    for event in due:
        events.append({"at": round(end_s, 2), **event})
        end_s += event["for"] + chance.uniform(*PAUSE_S)
    changes = {"fps": 15.0, "noise": 1.5, **group.script}
    if group.portrait:
        changes["portrait"] = group.portrait
    return Script.model_validate(
        {"title": group.name, "duration_s": round(end_s, 2), "seed": seed, "events": events, **changes}
    )


def _events(chance: random.Random) -> list[dict[str, Any]]:
    """What must be told, and in between what must not: mirrors, squints, a hand on the face."""

    def side(low: float, high: float) -> float:
        return chance.choice((-1, 1)) * round(chance.uniform(low, high), 1)

    def lasting(low: float, high: float) -> float:
        return round(chance.uniform(low, high), 2)

    return [
        {"do": "eyes_closed", "for": lasting(2.0, 2.8)},
        {"do": "eyes_closed", "for": lasting(3.6, 5.0)},
        {"do": "look", "for": lasting(3.8, 5.0), "yaw_deg": side(38, 48), "pitch_deg": -4.0},
        {"do": "look", "for": lasting(3.8, 5.0), "yaw_deg": side(12, 18), "pitch_deg": -35.0},
        {"do": "gaze", "for": lasting(3.8, 5.0), "yaw_deg": side(30, 36)},
        {"do": "phone_at_ear", "for": lasting(4.0, 6.0), "side": chance.choice(("left", "right"))},
        {"do": "phone_in_hand", "for": lasting(4.0, 6.0), "side": chance.choice(("left", "right"))},
        {"do": "yawn", "for": lasting(3.5, 6.0)},
        {"do": "look", "for": lasting(0.8, 1.3), "yaw_deg": side(26, 32), "pitch_deg": 10.0},
        {"do": "look", "for": lasting(0.8, 1.3), "yaw_deg": side(36, 42), "pitch_deg": -8.0},
        {"do": "lids", "for": lasting(1.5, 3.0), "openness": 0.5},
        {"do": "hand_on_face", "for": lasting(2.0, 4.0), "side": chance.choice(("left", "right"))},
    ]
