"""Recordings of what the engines saw on real clips, and the timelines of what was made of it."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterable, Iterator
from dataclasses import replace
from difflib import unified_diff
from pathlib import Path
from typing import Any

import numpy as np

from dms.alerts import AlertManager, load_profile
from dms.app import judge_recording
from dms.assess import Assessor
from dms.config import Config
from dms.config.assess import AssessConfig
from dms.config.cabin_file import read_cabin
from dms.recording.codec import decode, encode
from dms.records import Alert, Assessment, Frame, Judgement, Observation
from dms.resources import configs_folder
from dms.sources import open_source

FOLDER = Path(__file__).parent
PROFILES = ("attend", "eu_addw", "eu_ddaw", "euroncap_2026", "fleet_guardian", "r171_like")
CLIPS = {
    "demo": "demo",
    "incluit_video1": "incluit_video1.mp4",
    "incluit_video2": "incluit_video2.mp4",
    "intel_headpose_female": "intel_headpose_female.mp4",
}
"""Recordings, and the source or the file each is made from."""
_DECIMALS = 4


def timeline(name: str) -> list[str]:
    """What is made of a recording, one line an event: changes of the state, and all phases of all alerts."""
    assessor = Assessor(AssessConfig(), read_cabin("saloon", configs_folder() / "cabins"))
    manager = AlertManager([load_profile(profile) for profile in PROFILES], name)
    lines: list[str] = []
    told = ""
    now_s = 0.0
    for observation in load(name):
        now_s = observation.captured_s
        assessment = assessor.update(observation)
        if told != (state := _state(assessment)):
            lines.append(f"{now_s:9.4f}  {state}")
            told = state
        lines += map(_line, manager.update(assessment))
    return [*lines, *map(_line, manager.close(now_s))]


def expected(name: str) -> list[str]:
    """The timeline that was accepted last; nothing if none was."""
    path = _timeline_path(name)
    return path.read_text("utf-8").splitlines() if path.exists() else []


def difference(name: str, now: list[str]) -> str:
    """What has changed since the timeline was accepted; empty = nothing."""
    return "\n".join(unified_diff(expected(name), now, "accepted", "now", lineterm="", n=1))


def accept(name: str, now: list[str]) -> None:
    """From now on this is expected."""
    _timeline_path(name).write_text("\n".join(now) + "\n", "utf-8")


def load(name: str) -> Iterator[Observation]:
    """The observations of a recording."""
    with lzma.open(_recording_path(name), "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            yield decode(Observation, json.loads(line), f"{name}:{number}")


def record(name: str, clips: Path) -> None:
    """Let the engines see the clip anew: rounded figures, no landmarks, no picture."""
    uri = CLIPS[name] if name == "demo" else str(clips / CLIPS[name])
    config = Config()
    source = open_source(config.source.model_copy(update={"uri": uri, "realtime": False}))
    seen: list[Observation] = []

    def observe(_: Frame, judgement: Judgement) -> None:
        seen.append(judgement.observation)

    try:
        judge_recording(config, source, lambda origin: [], lambda: False, observe)
    finally:
        source.close()
    _save(name, seen)


def _save(name: str, seen: Iterable[Observation]) -> None:
    with lzma.open(_recording_path(name), "wt", encoding="utf-8", preset=9) as lines:
        for observation in seen:
            lines.write(json.dumps(_rounded(encode(_bare(observation))), separators=(",", ":")) + "\n")


def _bare(observation: Observation) -> Observation:
    """Without landmarks: the judgement only asks whether they are finite."""
    eyes = observation.eyes
    if eyes is None:
        return observation
    points, sigmas = np.zeros_like(eyes.landmarks), np.zeros_like(eyes.landmark_sigma)
    return replace(observation, eyes=replace(eyes, landmarks=points, landmark_sigma=sigmas))


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, _DECIMALS)
    if isinstance(value, dict):
        return {key: None if key == "base64" else _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list) else value


def _state(assessment: Assessment) -> str:
    causes = ", ".join(cause.value for cause in assessment.unknown_causes)
    return f"{assessment.state.value} ({causes})" if causes else assessment.state.value


def _line(alert: Alert) -> str:
    what = f"{alert.profile}: {alert.type}, {alert.severity.value}, since {alert.onset_s:.4f}"
    return f"{alert.captured_s:9.4f}  {alert.phase.value:6} {what}: {alert.cause}"


def _recording_path(name: str) -> Path:
    return FOLDER / "recordings" / f"{name}.jsonl.xz"


def _timeline_path(name: str) -> Path:
    return FOLDER / f"{name}.timeline.txt"
