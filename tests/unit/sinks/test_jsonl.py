import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dms.errors import SinkError
from dms.sinks import system_payload
from dms.sinks.jsonl import FLUSH_LINES, JsonlSink
from tests.unit.sinks import samples


def lines(path):
    text = path.read_text()
    assert text == "" or text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def test_one_line_a_frame_and_none_for_vitals(tmp_path):
    path = tmp_path / "frames.jsonl"
    sink = JsonlSink(path)
    for n in range(100):
        sink.publish(samples.judgement(captured_s=n / 30, frame_id=n))
        sink.publish(samples.vitals())
    sink.close()
    assert [line["frame"] for line in lines(path)] == list(range(100))


def test_changes_of_level_and_health_are_lines_between_the_frames(tmp_path):
    path = tmp_path / "frames.jsonl"
    sink = JsonlSink(path, lambda: 1_800_000_000.0)
    sink.publish(samples.judgement(frame_id=0))
    sink.publish(samples.health())
    sink.publish(samples.control())
    sink.publish(samples.judgement(frame_id=1))
    sink.publish(samples.good_health())  # the last there is: written at the end
    sink.close()
    told = lines(path)
    assert [line["schema"] for line in told] == [
        f"dms.{name}/1" for name in ("frame", "health", "control", "frame", "health")
    ]
    assert told[1] == system_payload.health(samples.health(), 1_800_000_000.0)
    assert told[2] == system_payload.control(samples.control(), 1_800_000_000.0)


def test_a_health_never_writes_for_another_thread_may_tell_it_while_the_disk_hangs(tmp_path):
    path = tmp_path / "frames.jsonl"
    sink = JsonlSink(path)
    for _ in range(2 * FLUSH_LINES):
        sink.publish(samples.health())
    assert lines(path) == []
    sink.publish(samples.judgement(frame_id=1))
    assert len(lines(path)) == 2 * FLUSH_LINES + 1
    sink.close()


def test_lines_wait_half_a_second_at_most_and_alerts_not_at_all(tmp_path):
    path = tmp_path / "frames.jsonl"
    sink = JsonlSink(path)
    sink.publish(samples.judgement(captured_s=0.0, frame_id=0))
    sink.publish(samples.judgement(captured_s=0.4, frame_id=1))
    assert lines(path) == []
    sink.publish(samples.judgement(captured_s=0.5, frame_id=2))
    assert len(lines(path)) == 3
    sink.publish(samples.judgement(captured_s=0.6, frame_id=3, alerts=[samples.alert()]))
    assert len(lines(path)) == 4
    sink.publish(samples.judgement(captured_s=0.6, frame_id=4))
    sink.publish(samples.judgement(captured_s=0.1, frame_id=5))  # a clock that jumped back
    assert len(lines(path)) == 6
    sink.close()


def test_a_former_file_is_replaced(tmp_path):
    path = tmp_path / "frames.jsonl"
    path.write_text("old")
    JsonlSink(path).close()
    assert path.read_text() == ""


@pytest.mark.parametrize(
    ("former", "kept"),
    [
        (None, []),
        ("", []),
        ('{"frame":1}\n{"frame":2}\n', [1, 2]),
        ('{"frame":1}\n{"fra', [1]),
        ('{"frame":1}\n\0\0\0', [1]),
        ('{"fra', []),
    ],
)
def test_a_former_file_is_continued_behind_its_last_whole_line(tmp_path, former, kept):
    path = tmp_path / "frames.jsonl"
    if former is not None:
        path.write_text(former)
    sink = JsonlSink(path, append=True)
    sink.publish(samples.judgement(frame_id=7))
    sink.close()
    assert [line["frame"] for line in lines(path)] == [*kept, 7]


def test_a_file_that_is_cut_to_nothing_while_open_starts_anew(tmp_path):
    """What logrotate's `copytruncate` does."""
    path = tmp_path / "frames.jsonl"
    sink = JsonlSink(path, append=True)
    sink.publish(samples.judgement(frame_id=1, alerts=[samples.alert()]))
    os.truncate(path, 0)
    sink.publish(samples.judgement(frame_id=2, alerts=[samples.alert()]))
    sink.close()
    assert [line["frame"] for line in lines(path)] == [2]


@pytest.mark.parametrize("append", [False, True])
@pytest.mark.parametrize("name", ["missing/frames.jsonl", "."])
def test_what_cannot_be_written_is_said_at_once(tmp_path, name, append):
    with pytest.raises(SinkError, match=r"cannot be written.*name a file in a folder"):
        JsonlSink(tmp_path / name, append=append)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_told_once_and_counted(caplog):
    sink = JsonlSink(Path("/dev/full"))
    for n in range(60):
        sink.publish(samples.judgement(captured_s=n / 30, frame_id=n))
    sink.close()
    assert "No space left" in sink.fault()
    assert "60 lines lost" in sink.fault()
    assert sink.figures() == {"lines_dropped": 60}
    assert len(caplog.records) == 1


def test_a_write_that_falls_short_leaves_whole_lines_and_goes_on(tmp_path):
    """A file size limit is the real thing: the kernel takes part of the lines, then none, then all again."""
    path = tmp_path / "frames.jsonl"
    script = f"""
import resource, signal
from pathlib import Path
from dms.sinks.jsonl import JsonlSink
from tests.unit.sinks import samples
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
sink = JsonlSink(Path({str(path)!r}))
for n in range(300):
    limit = 10_000 if n < 200 else resource.RLIM_INFINITY
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    sink.publish(samples.judgement(captured_s=n / 30, frame_id=n))
    if n == 199:
        assert sink.dropped, sink.dropped
        assert "lines lost" in sink.fault(), sink.fault()
sink.close()
assert sink.fault() is None
print(sink.dropped)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    frames = [line["frame"] for line in lines(path)]
    assert len(frames) == 300 - int(done.stdout)
    assert frames == sorted(frames)
    assert {0, 299} <= set(frames)


def test_a_killed_process_leaves_no_half_line(tmp_path):
    path = tmp_path / "frames.jsonl"
    script = f"""
import itertools
from pathlib import Path
from dms.sinks.jsonl import JsonlSink
from tests.unit.sinks import samples
sink = JsonlSink(Path({str(path)!r}))
for n in itertools.count():
    sink.publish(samples.judgement(captured_s=n / 30, frame_id=n))
    if n == 100:
        print("going", flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "going\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=10)
    process.stdout.close()
    frames = [line["frame"] for line in lines(path)]
    assert len(frames) >= 90
    assert frames == list(range(len(frames)))
