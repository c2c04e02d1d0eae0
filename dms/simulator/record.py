"""Playing a script into a video file with its truth beside it."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import cv2

from dms.errors import InputError
from dms.simulator.driver import Driver
from dms.simulator.portrait import load_portrait
from dms.simulator.script import Script

_CODEC = "mp4v"
"""MPEG-4 part 2: every OpenCV build can write and read it."""


def truth_path(video: Path) -> Path:
    """Where the truth of a simulated video lies: `clip.mp4` has `clip.truth.jsonl`."""
    return video.with_name(video.stem + ".truth.jsonl")


def simulate(
    script: Script,
    out_mp4: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
    landmarks: bool = True,
) -> Path:
    """Write the drive as MP4 and its truth as JSON lines; both appear whole or not at all.

    Args:
        script: what happens.
        out_mp4: the video to write; its folder must exist.
        progress: called with frames done and frames in all.
        landmarks: whether the truth holds the 60 points (about 0.8 kB a frame).

    Returns:
        The path of the truth.

    Raises:
        InputError: the folder is missing or cannot be written, or the name does not end in .mp4.
    """
    if out_mp4.suffix.lower() != ".mp4":
        raise InputError(f"cannot write {out_mp4}: the name must end in .mp4")
    if not out_mp4.parent.is_dir():
        raise InputError(f"cannot write {out_mp4}: there is no folder {out_mp4.parent}; create it first")
    driver = Driver(load_portrait(script.portrait), script)
    truth = truth_path(out_mp4)
    video_part, truth_part = (path.with_name(f".part-{path.name}") for path in (out_mp4, truth))
    try:
        _write(driver, video_part, truth_part, progress, landmarks)
        video_part.replace(out_mp4)
        truth_part.replace(truth)
    except OSError as error:
        raise InputError(f"cannot write {out_mp4}: {error.strerror}") from error
    finally:
        for part in (video_part, truth_part):
            with suppress(OSError):  # a disk that turned read-only refuses it even where nothing is left
                part.unlink(missing_ok=True)
    return truth


def _write(
    driver: Driver, video: Path, truth: Path, progress: Callable[[int, int], None], landmarks: bool
) -> None:
    script = driver.script
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*_CODEC), script.fps, script.size)
    if not writer.isOpened():
        raise InputError(f"cannot write a video in {video.parent}: check that the folder may be written to")
    try:
        with truth.open("w", encoding="utf-8") as lines:
            for number in range(script.frames):
                image, facts = driver.render(number / script.fps)
                writer.write(image)
                lines.write(json.dumps(facts.to_dict(landmarks), separators=(",", ":")) + "\n")
                progress(number + 1, script.frames)
    finally:
        writer.release()
