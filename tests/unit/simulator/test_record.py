import errno
import json
from importlib import resources
from pathlib import Path

import cv2
import pytest

from dms.errors import InputError
from dms.simulator.record import simulate, truth_path
from dms.simulator.script import Script, load_script

SCRIPT = Script.model_validate(
    {
        "duration_s": 1,
        "fps": 10.0,
        "size": [160, 120],
        "events": [{"at": 0.2, "for": 0.5, "do": "eyes_closed"}],
    }
)


def frames_of(path):
    video = cv2.VideoCapture(str(path))
    count = 0
    while video.read()[0]:
        count += 1
    video.release()
    return count


def test_video_and_truth_go_together(tmp_path):
    seen = []
    truth = simulate(SCRIPT, tmp_path / "clip.mp4", lambda done, total: seen.append((done, total)))
    rows = [json.loads(line) for line in truth.read_text().splitlines()]
    assert frames_of(tmp_path / "clip.mp4") == len(rows) == 10
    assert seen[-1] == (10, 10)
    assert rows[5]["openness"] == [0.0, 0.0]
    assert rows[5]["captured_s"] == 0.5
    assert sorted(p.name for p in tmp_path.iterdir()) == ["clip.mp4", "clip.truth.jsonl"]


def test_a_disk_that_turned_read_only_is_told(tmp_path, monkeypatch):
    def refuses(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    for name in ("replace", "unlink"):
        monkeypatch.setattr(Path, name, refuses)
    with pytest.raises(InputError, match="Read-only file system"):
        simulate(SCRIPT, tmp_path / "clip.mp4")


def test_nothing_half_written_stays_behind(tmp_path):
    def stop(done, total):
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(SCRIPT, tmp_path / "clip.mp4", stop)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "says"), [("none/clip.mp4", "create it first"), ("clip.avi", "end in .mp4")]
)
def test_where_it_cannot_write(tmp_path, name, says):
    with pytest.raises(InputError, match=says):
        simulate(SCRIPT, tmp_path / name)


def test_the_shipped_demo_matches_its_script_and_stays_small():
    assets = resources.files("dms.assets")
    script = load_script("demo")
    with resources.as_file(assets.joinpath("demo.mp4")) as video:
        assert frames_of(video) == script.frames
        assert video.stat().st_size < 3_000_000
        rows = [json.loads(line) for line in truth_path(video).read_text().splitlines()]
    assert [row["frame"] for row in rows] == list(range(script.frames))
    for event in script.events:
        during = rows[round((event.at_s + 0.5 * event.for_s) * script.fps)]
        assert event.do in during["events"]
