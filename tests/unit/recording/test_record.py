import errno
from pathlib import Path

import pytest

from dms.config import Config
from dms.errors import SinkError
from dms.recording.about import about
from dms.recording.bundle import open_bundle
from dms.recording.record import RecordSink
from dms.recording.replay import replay
from dms.records import Health, HealthState
from dms.testing import Story
from tests.unit.recording.test_blackbox import ORIGIN, judgements


def recorded_to(path, messages):
    sink = RecordSink(path, *about(Config(), ORIGIN))
    for message in messages:
        sink.publish(message)
    sink.close()
    sink.close()
    return sink


def story():
    return Story(fps=10).driving(60.0).attentive(65).look_away(5)


def test_a_run_is_kept_with_the_alerts_that_its_end_ends(tmp_path):
    messages = list(judgements(story()))
    messages.insert(5, Health(0.5, HealthState.DEGRADED, {"sink_mqtt": "no broker"}))
    sink = recorded_to(tmp_path / "drive.dms", messages)
    assert (sink.fault(), sink.figures()) == (None, {"lines_written": len(messages)})
    assert [path.name for path in tmp_path.iterdir()] == ["drive.dms"]
    assert (tmp_path / "drive.dms").stat().st_mode & 0o777 == 0o600, "figures of a face: its owner's alone"
    with open_bundle(tmp_path / "drive.dms") as bundle:
        assert bundle.manifest["alerts"] == ["story-1"]
        result = replay(bundle)
    assert (result.frames, result.difference) == (len(messages) - 1, None)


@pytest.mark.parametrize(
    ("count", "why"), [(0, "no frame was judged"), (20, "no checkpoint could be taken, see the log")]
)
def test_where_nothing_can_be_kept_it_says_so(tmp_path, monkeypatch, count, why):
    monkeypatch.setattr("dms.recording.checkpoint.Checkpoints.due", lambda *_: None)
    sink = recorded_to(tmp_path / "drive.dms", list(judgements(story()))[:count])
    assert sink.fault().endswith(f"drive.dms is not written: {why}")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_turned_read_only_is_told(tmp_path, monkeypatch):
    def refuses(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    for name in ("replace", "unlink"):
        monkeypatch.setattr(Path, name, refuses)
    sink = recorded_to(tmp_path / "drive.dms", judgements(Story(fps=10).attentive(2)))
    assert "drive.dms cannot be written: Read-only file system" in sink.fault()


def test_a_file_that_cannot_be_opened_is_told_at_start(tmp_path):
    with pytest.raises(SinkError, match="cannot be written"):
        recorded_to(tmp_path / "gone" / "drive.dms", ())
