"""Real commands, well behaved and otherwise."""

import json
import os
import time
from pathlib import Path

import pytest

from dms.config.local import HookConfig
from dms.sinks.hook import WAITING, HookSink
from dms.sinks.system_payload import Origin
from tests.pulse import until
from tests.unit.sinks import samples


def tell(sink, id="a", **changes):
    sink.publish(samples.judgement(alerts=[samples.alert(id=id, **changes)]))


@pytest.fixture
def hook(tmp_path):
    made = []

    def make(script, **changes):
        program = tmp_path / "hook.sh"
        program.write_text(f"#!/bin/sh\ncd {tmp_path}\n{script}\n")
        program.chmod(0o755)
        made.append(HookSink(HookConfig(command=(str(program),), **changes), Origin()))
        return made[-1]

    yield make
    for sink in made:
        sink.close()


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_the_event_is_on_stdin_and_in_the_environment(hook, tmp_path):
    sink = hook('cat > event.json; echo "$DMS_EVENT_TYPE $DMS_EVENT_PHASE $DMS_EVENT_SEVERITY" > done')
    tell(sink, "s-7")
    until(lambda: (tmp_path / "done").exists() and (tmp_path / "done").read_text())
    assert (tmp_path / "done").read_text() == "fatigue.microsleep start urgent\n"
    event = json.loads((tmp_path / "event.json").read_text())
    assert (event["schema"], event["id"]) == ("dms.event/1", "s-7")
    until(lambda: sink.figures()["runs"] == 1)
    assert sink.fault() is None


def test_events_are_counted_from_one_as_over_mqtt(hook, tmp_path):
    sink = hook("cat >> events", at_most=1)
    for name in "ab":
        tell(sink, name)
    until(lambda: sink.figures()["runs"] == 2)
    events = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    assert [(event["id"], event["seq"]) for event in events] == [("a", 1), ("b", 2)]


def test_nothing_but_alerts_runs_it(hook, tmp_path):
    sink = hook("touch ran")
    for message in (samples.judgement(), samples.health(), samples.vitals(), samples.control()):
        sink.publish(message)
    sink.close()
    assert not (tmp_path / "ran").exists()


def test_no_shell_reads_the_arguments(tmp_path):
    sink = HookSink(HookConfig(command=("touch", f"{tmp_path}/a; touch {tmp_path}/b")), Origin())
    tell(sink)
    until(lambda: sink.figures()["runs"] == 1)
    sink.close()
    assert not (tmp_path / "b").exists()


def test_a_failure_is_told_until_it_succeeds_again(hook, tmp_path):
    sink = hook("test -e good || exit 3")
    tell(sink)
    assert "code 3" in until(sink.fault)
    (tmp_path / "good").touch()
    tell(sink)
    until(lambda: sink.fault() is None)
    assert sink.figures()["runs_failed"] == 1


def test_a_command_that_dies_by_a_signal_is_a_failure(hook):
    sink = hook("kill -SEGV $$")
    tell(sink)
    assert "code -11" in until(sink.fault)


def test_a_command_that_hangs_is_killed_with_its_children(hook, tmp_path):
    sink = hook("sleep 100 & echo $! > pid; wait", timeout_s=0.3)
    tell(sink)
    assert "was killed" in until(sink.fault)
    pid = int((tmp_path / "pid").read_text())
    until(lambda: not alive(pid))


def test_a_flood_waits_in_a_bounded_queue_and_is_counted(hook, tmp_path):
    sink = hook("echo x >> ran; until test -e go; do sleep 0.02; done", at_most=2, timeout_s=60)
    until(lambda: not tell(sink) and (tmp_path / "ran").exists() and len((tmp_path / "ran").read_text()) == 4)
    begun_s = time.monotonic()
    for _ in range(1000):
        tell(sink)
    assert time.monotonic() - begun_s < 2
    dropped = sink.figures()["events_dropped"]
    assert dropped >= 1000 - WAITING
    assert "dropped" in sink.fault()
    assert (tmp_path / "ran").read_text() == "x\n" * 2, "two at once"
    (tmp_path / "go").touch()
    until(lambda: sink.fault() is None)


def test_missing_or_not_executable_is_told_at_once_and_cleared_when_mended(tmp_path, monkeypatch):
    monkeypatch.setattr("dms.sinks.hook.RETEST_S", 0.05)
    program = tmp_path / "hook"
    program.write_text("#!/bin/sh\n")
    sink = HookSink(HookConfig(command=(str(program),)), Origin())
    assert "may not run it" in sink.fault()
    program.chmod(0o755)
    until(lambda: sink.fault() is None)
    sink.close()


def test_the_test_call_shows_a_fault_before_any_alert(hook, tmp_path):
    sink = hook('test "$DMS_EVENT_PHASE" != test || exit 1', test_call=True)
    assert "code 1" in sink.fault()


def test_closing_kills_what_still_runs(hook, tmp_path):
    sink = hook("echo $$ > pid; exec sleep 100", timeout_s=60)
    tell(sink)
    pid = int(until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text()))
    begun_s = time.monotonic()
    sink.close()
    assert time.monotonic() - begun_s < 4
    assert not alive(pid)
    tell(sink)
    assert os.path.exists(tmp_path)


def test_closing_lets_what_waits_run(hook, tmp_path):
    sink = hook("echo $DMS_EVENT_ID >> ran", at_most=1)
    for number in range(5):
        tell(sink, f"e{number}")
    sink.close()
    assert (tmp_path / "ran").read_text().split() == [f"e{n}" for n in range(5)]


def test_events_that_still_wait_at_the_end_are_counted_and_told_once(hook, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("dms.sinks.hook.CLOSED_WITHIN_S", 0.2)
    sink = hook("touch ran; sleep 100", at_most=1, timeout_s=60)
    for number in range(4):
        tell(sink, f"e{number}")
    until((tmp_path / "ran").exists)
    sink.close()
    until(lambda: sink.figures()["runs"] == 1)
    figures = sink.figures()
    assert (figures["runs"], figures["runs_failed"], figures["events_dropped"]) == (1, 1, 3)
    assert [r.message for r in caplog.records if "dropped" in r.message] == [
        "hook: 3 events were waiting when dms ended, and are dropped"
    ]
