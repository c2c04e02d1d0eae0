"""A labelled folder of the simulated driver, with his exact truth."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2

from dms import landmarks as lm
from dms.simulator.driver import Driver
from dms.simulator.portrait import load_portrait
from dms.simulator.script import load_script
from dms.simulator.truth import Truth

LABELS = (
    "path", "person", "split", "x1", "y1", "x2", "y2", "eyes", "yawn", "activity",
    "head_yaw_deg", "head_pitch_deg", "head_roll_deg", "gaze_yaw_deg", "gaze_pitch_deg",
    "openness_right", "openness_left",
)  # fmt: skip
MARKS = ("path", *(f"{name}_{axis}" for name in lm.NAMES for axis in "xy"))
TIMES_S = (1.0, 3.0, 5.0, 8.0, 20.0, 21.0, 28.8, 29.2, 36.5, 37.5, 46.0, 47.0, 56.0, 57.0, 80.0, 82.0)
"""Of the demonstration: ahead, a look aside, closed eyes, a yawn, a phone, closed eyes, ahead."""


def labelled_folder(folder: Path) -> Path:
    """Sixteen pictures, `labels.csv` and `landmarks.csv`."""
    script = load_script("demo")
    driver = Driver(load_portrait(script.portrait), script)
    folder.mkdir(parents=True, exist_ok=True)
    labels: list[dict[str, object]] = []
    marks: list[dict[str, object]] = []
    for k, time_s in enumerate(TIMES_S):
        image, facts = driver.render(time_s)
        path = f"{k}.png"
        assert cv2.imwrite(str(folder / path), image)
        labels.append(_label(facts, path, f"driver{k // 2}"))
        points = facts.landmarks.ravel().round(2).tolist()
        marks.append(dict(zip(MARKS, [path, *points], strict=True)))
    _write(folder / "labels.csv", LABELS, labels)
    _write(folder / "landmarks.csv", MARKS, marks)
    return folder


def _label(facts: Truth, path: str, person: str) -> dict[str, object]:
    shut = max(facts.openness) < 0.1
    yaw, pitch, roll = facts.head
    return {
        "path": path, "person": person, "split": "",
        "x1": facts.box.x1, "y1": facts.box.y1, "x2": facts.box.x2, "y2": facts.box.y2,
        "eyes": "closed" if shut else "open" if min(facts.openness) > 0.7 else "",
        "yawn": int(facts.mouth_open > 0.5),
        "activity": "phone_at_ear" if facts.phone == "ear" else "none",
        "head_yaw_deg": yaw, "head_pitch_deg": pitch, "head_roll_deg": roll,
        "gaze_yaw_deg": facts.gaze[0], "gaze_pitch_deg": facts.gaze[1],
        "openness_right": facts.openness[0], "openness_left": facts.openness[1],
    }  # fmt: skip


def _write(path: Path, names: tuple[str, ...], rows: list[dict[str, object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
