from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from dms.config import Config
from dms.errors import InputError, SinkError
from dms.resources import demo_clip
from dms.tools.analyze import analyze


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i in range(5):
        cv2.imwrite(str(folder / f"{i:03d}.png"), np.full((36, 64), 40 * i, np.uint8))
    return folder


def test_every_output_is_written_and_agrees(pictures: Path, tmp_path: Path) -> None:
    out, summary, overlay = (tmp_path / name for name in ("o.jsonl", "s.json", "v.mp4"))
    result = analyze(Config(), str(pictures), out, summary, overlay)
    assert result.frames == 5
    schemas = [json.loads(line)["schema"] for line in out.read_text().splitlines()]
    assert schemas.count("dms.frame/1") == 5
    assert json.loads(summary.read_text())["frames"] == 5
    video = cv2.VideoCapture(str(overlay))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 5
    video.release()


def test_progress_is_told_in_recorded_seconds(pictures: Path) -> None:
    told: list[float] = []
    analyze(Config(), str(pictures), progress=told.append)
    assert told == sorted(told)
    assert len(told) == 5


def test_an_output_never_overwrites_the_recording_or_another(pictures: Path, tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(demo_clip().read_bytes())
    with pytest.raises(InputError, match="given twice"):
        analyze(Config(), str(clip), out=clip)
    with pytest.raises(InputError, match="given twice"):
        analyze(Config(), str(pictures), out=tmp_path / "x", summary=tmp_path / "." / "x")
    assert clip.read_bytes() == demo_clip().read_bytes()


def test_an_output_that_is_a_folder_is_refused_before_the_work(pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="folder"):
        analyze(Config(), str(pictures), summary=tmp_path)


def test_a_camera_is_no_recording() -> None:
    with pytest.raises(InputError, match="never ends"):
        analyze(Config(), "/dev/video99")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_lost_lines_are_an_error(pictures: Path) -> None:
    with pytest.raises(SinkError, match="lines lost"):
        analyze(Config(), str(pictures), out=Path("/dev/full"))
