import errno
import logging
import math
import os
import threading
import time
from collections import deque
from dataclasses import replace
from pathlib import Path

import pytest

from dms.config import Config
from dms.config.blackbox import BlackboxConfig
from dms.errors import SinkError
from dms.pipeline import judged
from dms.recording import blackbox
from dms.recording.about import about
from dms.recording.blackbox import BlackBox
from dms.recording.bundle import Moment, open_bundle
from dms.recording.checkpoint import Checkpoints
from dms.recording.replay import replay
from dms.recording.shelf import shelved, tidy
from dms.records import Control, Health, HealthState, Judgement, Phase
from dms.sinks.system_payload import Origin
from dms.testing import Story
from tests.unit.recording import recorded
from tests.unit.sinks import samples

ORIGIN = Origin("dms 1.2.3", {"eyes": "1.1 int8"})


def opened(folder, config=None, **settings):
    return BlackBox(BlackboxConfig(folder=str(folder), **settings), *about(config or Config(), ORIGIN))


def judgements(story, every_s=30.0):
    judges, takes = recorded.new_judges(), Checkpoints(every_s)
    for seen in story.observations():
        state = takes.due(seen.captured_s, judges.assessor, judges.alerts, bool(judges.alerts.active))
        last = Judgement(seen, *judged(seen, judges.assessor, judges.alerts), {}, state)
        yield last
    if ends := judges.alerts.close(seen.captured_s):
        yield replace(last, observation=replace(seen, frame_id=-1), alerts=ends, checkpoint=None)


def drive(box, story, **more):
    for message in judgements(story, **more):
        box.publish(message)
    box.close()


def long_drive():
    story = Story(fps=15).driving(60.0).attentive(150).look_away(4).attentive(40).closed(2).attentive(40)
    return story.closed(4)


def test_each_alert_gets_a_bundle_that_is_judged_again_identically(tmp_path):
    box = opened(tmp_path)
    drive(box, long_drive())
    assert box.fault() is None
    found = {}
    for item in shelved(tmp_path):
        with open_bundle(item.path) as bundle:
            result = replay(bundle)
            assert result.difference is None
            times_s = [
                line.content.observation.captured_s
                for line in bundle.lines()
                if isinstance(line.content, Moment)
            ]
            found[bundle.manifest["alert"]["id"]] = (bundle.manifest, times_s)
    assert set(found) == {"story-1", "story-2", "story-3"}
    manifest, times_s = found["story-1"]
    onset_s = manifest["alert"]["t_onset"]
    assert 30 <= onset_s - times_s[0] <= 65, "the checkpoint lies up to one interval further back"
    assert 5 <= times_s[-1] - (onset_s + 4) <= 8, "the end of the alert and some seconds more"
    assert manifest["alerts"] == ["story-1"]
    assert manifest["profiles"][0]["hash"]
    assert found["story-3"][0]["alert"]["type"] == "fatigue.sleep", "the run ended during this one"


def test_what_is_told_between_the_frames_is_kept(tmp_path):
    box = opened(tmp_path)
    for number, message in enumerate(judgements(recorded.sleeper())):
        if number == 1000:
            box.publish(Health(166.0, HealthState.DEGRADED, {"sink_mqtt": "no broker"}))
            box.publish(Control(166.0, 2, 1, "latency", "late"))
        box.publish(message)
    box.close()
    with open_bundle(tmp_path / "story-1.dms") as bundle:
        told = [line.content["schema"] for line in bundle.lines() if not isinstance(line.content, Moment)]
    assert told == ["dms.health/1", "dms.control/1"]


def test_nothing_is_written_without_an_alert(tmp_path):
    drive(opened(tmp_path), Story(fps=10).driving(60.0).attentive(60))
    assert list(tmp_path.iterdir()) == []


def test_memory_is_bounded_and_a_long_alert_is_written_before_its_end(tmp_path):
    story = Story(fps=5).driving(60.0).attentive(70).closed(60).attentive(200)
    box = opened(tmp_path, longest_s=20.0, checkpoint_every_s=10.0, before_s=10.0)
    held = []
    for message in judgements(story, every_s=10.0):
        box.publish(message)
        held.append(box.figures()["moments_held"])
    box.close()
    assert max(held) <= 5 * (10 + 2 * 10 + 10) + 5
    with open_bundle(tmp_path / "story-1.dms") as bundle:
        assert replay(bundle).difference is None
        phases = {a.phase.value for line in bundle.lines() for a in line.content.alerts}
    assert "end" not in phases


def test_a_clock_that_stands_still_or_goes_back_fills_no_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(blackbox, "MOST_MOMENTS", 50)
    box = opened(tmp_path)
    first = next(judgements(Story(fps=10).attentive(1)))
    for _ in range(500):
        box.publish(replace(first, checkpoint=None) if box.figures()["moments_held"] else first)
        assert box.figures()["moments_held"] <= 50
    box.close()


def test_the_loop_never_waits_for_the_disk(tmp_path, monkeypatch):
    gate = threading.Event()
    monkeypatch.setattr(blackbox, "save", lambda *a: gate.wait() and 0)
    monkeypatch.setattr(blackbox, "BEHIND_S", 30.0)
    box = opened(tmp_path, before_s=1.0, after_s=0.0)
    slowest_s = 0.0
    story = Story(fps=10).driving(60.0).attentive(65)
    for _ in range(8):
        story.look_away(4).attentive(6)
    for message in judgements(story):
        begun_s = time.perf_counter()
        box.publish(message)
        slowest_s = max(slowest_s, time.perf_counter() - begun_s)
    assert "alerts come faster" in box.fault()
    assert slowest_s < 0.5
    gate.set()
    box.close()


def test_alerts_that_end_together_all_get_a_bundle(tmp_path, monkeypatch):
    gate, real = threading.Event(), blackbox.save
    monkeypatch.setattr(blackbox, "save", lambda *a: gate.wait() and real(*a))
    box = opened(tmp_path, after_s=0.0)
    messages = list(judgements(Story(fps=10).attentive(3)))
    alerts = tuple(samples.alert(id=f"a-{n}") for n in range(12))
    box.publish(messages[0])
    box.publish(replace(messages[1], alerts=alerts))
    box.publish(replace(messages[2], alerts=tuple(replace(a, phase=Phase.END) for a in alerts)))
    gate.set()
    box.close()
    assert (box.written, box.lost, box.fault()) == (12, 0, None)


def test_at_the_end_all_that_is_open_is_written_without_pauses(tmp_path, monkeypatch):
    monkeypatch.setattr(blackbox, "PAUSE_S", 60.0)
    box = opened(tmp_path)
    first, second, *_ = judgements(Story(fps=10).attentive(3))
    box.publish(first)
    box.publish(replace(second, alerts=tuple(samples.alert(id=f"a-{n}") for n in range(8))))
    box.close()
    assert (box.written, box.lost) == (8, 0)


def test_what_a_disk_does_not_take_at_the_end_is_told(tmp_path, monkeypatch, caplog):
    gate = threading.Event()
    monkeypatch.setattr(blackbox, "save", lambda *a: gate.wait() and 0)
    monkeypatch.setattr(blackbox, "CLOSE_WITHIN_S", 0.1)
    box = opened(tmp_path)
    first, second, *_ = judgements(Story(fps=10).attentive(3))
    box.publish(first)
    box.publish(replace(second, alerts=tuple(samples.alert(id=f"a-{n}") for n in range(3))))
    box.close()
    gate.set()
    assert box.lost == 3
    assert "3 bundles are lost" in caplog.text


def test_what_nobody_judged_is_no_moment(tmp_path):
    """The watchdog speaks for a camera that hangs: no replay could come to what it says."""
    box = opened(tmp_path)
    for number, message in enumerate(judgements(recorded.sleeper())):
        if number == 1000:
            box.publish(replace(message, assessment=samples.blind().assessment, alerts=(), stand_in=True))
        box.publish(message)
    box.close()
    for item in shelved(tmp_path):
        with open_bundle(item.path) as bundle:
            assert replay(bundle).difference is None


def test_a_folder_it_makes_is_its_owners_alone(tmp_path):
    (tmp_path / "there").mkdir(mode=0o750)
    for name, mode in (("new", 0o700), ("there", 0o750)):
        opened(tmp_path / name).close()
        assert (tmp_path / name).stat().st_mode & 0o777 == mode


def test_a_full_disk_is_told_and_lived_through(tmp_path, monkeypatch, caplog):
    real, full = blackbox.save, [True]

    def save(path, *rest):
        if full.pop() if full else False:
            return real(tmp_path / "gone" / path.name, *rest)
        return real(path, *rest)

    monkeypatch.setattr(blackbox, "save", save)
    box = opened(tmp_path)
    with caplog.at_level(logging.ERROR):
        drive(box, long_drive())
    assert box.figures()["bundles_lost"] == 1
    assert box.figures()["bundles_written"] == 2
    assert "bundles are lost" in caplog.text
    assert box.fault() is None, "the next one was written: all is well again"


def test_a_disk_that_turned_read_only_costs_bundles_and_no_more(tmp_path, monkeypatch):
    def refuses(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    box = opened(tmp_path)
    with monkeypatch.context() as broken:
        for name in ("write_bytes", "unlink"):
            broken.setattr(Path, name, refuses)
        drive(box, long_drive())
    assert (box.written, box.lost) == (0, 3)
    assert "Read-only file system" in box.fault()


def test_a_thread_that_died_is_told_and_what_waited_for_it(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(blackbox, "save", lambda *a: 1 / 0)
    monkeypatch.setattr(threading, "excepthook", lambda *a: None)
    box = opened(tmp_path, after_s=0.0)
    first, second, third, *_ = judgements(Story(fps=10).attentive(3))
    box.publish(first)
    assert box.fault() is None
    box.publish(replace(second, alerts=(samples.alert(id="a-1"), samples.alert(id="a-2"))))
    box.publish(replace(third, alerts=(samples.alert(id="a-1", phase=Phase.END),)))
    box._thread.join(10.0)
    assert "its thread has ended" in box.fault()
    box.close()
    assert box.lost == 2
    assert "2 bundles are lost" in caplog.text


def test_an_alert_without_a_checkpoint_is_told_as_lost(tmp_path, caplog):
    box = opened(tmp_path)
    for message in judgements(long_drive()):
        box.publish(replace(message, checkpoint=None))
    box.close()
    assert box.figures() == {"bundles_written": 0, "bundles_lost": 3, "moments_held": 0}
    assert "no checkpoint" in box.fault()
    assert list(tmp_path.iterdir()) == []


def test_the_queue_may_shrink_at_any_moment(tmp_path, monkeypatch):
    """The writing thread takes from it while the loop looks at it."""
    box = opened(tmp_path)

    class Shrinking(deque):
        def __getitem__(self, index):
            self.clear()
            return super().__getitem__(index)

        def __iter__(self):
            raise RuntimeError("deque mutated during iteration")

    monkeypatch.setattr(box, "_waiting_s", Shrinking([1.0]))
    assert box._behind_s() == 0.0
    box.close()


def test_a_stamp_that_is_no_number_ends_no_bundle(tmp_path):
    box = opened(tmp_path)
    judges, takes = recorded.new_judges(), Checkpoints(30.0)
    for number, seen in enumerate(recorded.sleeper().observations()):
        if number % 10 == 0:
            seen = replace(seen, captured_s=math.nan)
        state = takes.due(seen.captured_s, judges.assessor, judges.alerts, False)
        verdict = judged(seen, judges.assessor, judges.alerts)
        box.publish(Judgement(seen, *verdict, {}, state))
    box.close()
    found = shelved(tmp_path)
    assert found
    for item in found:
        with open_bundle(item.path) as bundle:
            assert replay(bundle).difference is None
            phases = {
                alert.phase
                for line in bundle.lines()
                for alert in line.content.alerts
                if alert.id == item.path.stem
            }
        assert Phase.END in phases


def test_moments_that_are_not_kept_leave_no_gap_in_a_bundle(tmp_path, monkeypatch):
    """A segment that is full is let go with all that is open: the next begins with another state."""
    monkeypatch.setattr(blackbox, "MOST_MOMENTS", 1100)
    drive(opened(tmp_path, after_s=30.0), recorded.sleeper(), every_s=80.0)
    with open_bundle(tmp_path / "story-1.dms") as bundle:
        assert replay(bundle).difference is None
        assert bundle.manifest["lines"] == 1100


def test_old_many_and_large_bundles_are_deleted(tmp_path):
    now_s = 1_800_000_000.0
    for number in range(6):
        path = tmp_path / f"a-{number}.dms"
        path.write_bytes(b"x" * 1_000_000)
        os.utime(path, (now_s - number * 86_400, now_s - number * 86_400))
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / ".a-9.dms.1-ff.partial").write_text("left by a crash")
    os.utime(tmp_path / ".a-9.dms.1-ff.partial", (0, 0))
    config = BlackboxConfig(folder=str(tmp_path), keep_days=4.5, keep_bundles=4, keep_mb=2.5)
    assert tidy(tmp_path, config.model_copy(update={"keep_bundles": 99, "keep_mb": 99.0}), now_s) == 1
    assert tidy(tmp_path, config.model_copy(update={"keep_mb": 99.0}), now_s) == 1
    assert tidy(tmp_path, config, now_s) == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a-0.dms", "a-1.dms", "notes.txt"]


def test_a_folder_that_cannot_be_made_is_told_at_start(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match="black box"):
        opened(tmp_path / "file" / "folder")


def test_nothing_that_names_a_person_or_a_place_is_in_a_bundle(tmp_path, monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "truck-host-77")
    monkeypatch.setattr("getpass.getuser", lambda: "erika")
    config = Config.model_validate(
        {
            "source": {"uri": "rtsp://erika:geheim@camera.example/main"},
            "sinks": {"mqtt": {"host": "broker.example", "username": "erika-m", "vehicle": "plate-b-1234"}},
            "engines": {"folder": "/home/erika/engines"},
        }
    )
    secrets = (
        "erika", "geheim", "camera.example", "broker.example", "plate-b-1234", "truck-host-77", "/home",
        "192.168", str(tmp_path),
    )  # fmt: skip
    box = opened(tmp_path / "box", config)
    fault = (
        f"no broker.example:1883 for erika on truck-host-77, see {tmp_path}/log of plate-b-1234; "
        "camera.example (192.168.7.20) refused geheim"
    )
    for number, message in enumerate(judgements(recorded.sleeper(), every_s=20.0)):
        vehicle = replace(message.observation.context.vehicle, faults={"mqtt": fault})
        context = replace(message.observation.context, vehicle=vehicle)
        seen = replace(message.observation, faults={"face": fault}, context=context)
        box.publish(
            replace(message, observation=seen, assessment=replace(message.assessment, context=context))
        )
        if number % 100 == 0:
            box.publish(Health(1.0, HealthState.DEGRADED, {"sink_mqtt": fault}))
    box.close()
    files = [item.path for item in shelved(tmp_path / "box")]
    assert files
    for path in files:
        with open_bundle(path) as bundle:
            lines = [str(line.written) for line in bundle.lines()]
            text = "".join([str(bundle.manifest), str(bundle.checkpoint), *lines])
        assert [secret for secret in secrets if secret in text] == []
        assert "1883" in text, "the rest of the fault is told"
        arrays = text.count("'array': ")
        assert arrays == text.count("'shape': [60, 2]") + text.count("'shape': [60]"), (
            "landmarks and no picture"
        )
