"""Several cameras in one process: what happens to one is told of it, and touches no other."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from dms.alerts import AlertManager, load_profile
from dms.assess import Assessor
from dms.config import Config, ScheduleConfig, ServiceConfig
from dms.config.assess import AssessConfig
from dms.control.levels import LEVELS
from dms.errors import ConfigError, InputError, SourceLost
from dms.fleet import Fleet, camera_config, run
from dms.fleet.camera import Camera
from dms.fleet.guarded import Guarded
from dms.fleet.heart import Heart
from dms.fleet.sharing import Shared, open_shared
from dms.pipeline import Pipeline
from dms.recording.blackbox import BlackBox
from dms.records import DriverState, Frame, Health, HealthState, Judgement, Message, UnknownCause, Vitals
from dms.scheduler import Scheduler
from dms.service import Notifier
from dms.testing import MemorySink

WAIT_S = 15.0
PICTURE = np.random.default_rng(0).integers(0, 255, (90, 160), dtype=np.uint8)


class Watchdog(Notifier):
    """A notifier that counts."""

    def __init__(self) -> None:
        super().__init__(None)
        self.readies = 0
        self.fed = 0

    def ready(self) -> None:
        self.readies += 1

    def watchdog(self) -> None:
        self.fed += 1


class Source:
    """A live source that sends a frame each 20 ms; a test makes it fail, hang or end."""

    live = True
    fps = 50.0

    def __init__(self) -> None:
        self.dropped = 0
        self.closed = False
        self.error: Exception | None = None
        self.hung = threading.Event()
        self.released = threading.Event()
        self.released.set()
        self._next = 0

    def newest(self, timeout_s: float) -> Frame:
        if not self.released.is_set():
            self.hung.set()
            self.released.wait(WAIT_S)
        time.sleep(0.02)
        if self.error is not None:
            raise self.error
        self._next += 1
        return Frame(self._next, time.monotonic(), PICTURE)

    def now_s(self) -> float:
        return time.monotonic()

    def close(self) -> None:
        self.closed = True


class Rig:
    """A running fleet of cameras whose sources a test plays with."""

    def __init__(self, shared: Shared, config: Config, **sources: Source) -> None:
        self.sources = sources
        self.sinks = {name: MemorySink() for name in sources}
        self.watchdog = Watchdog()
        self.asked = threading.Event()
        self.outcome: object = None
        own = {name: camera_config(config, name) for name in sources}
        self.fleet = Fleet(own, self.watchdog, self.asked.is_set)
        for name, source in sources.items():
            self.fleet.add(name, source, shared, [self.sinks[name]])
        self._thread = threading.Thread(target=self._judge)
        self._thread.start()

    def _judge(self) -> None:
        try:
            self.outcome = self.fleet.judge()
        except SourceLost as error:
            self.outcome = error

    def causes(self, name: str) -> list[set[str]]:
        return [set(m.causes) for m in self.sinks[name].messages if isinstance(m, Health)]

    def judged(self, name: str) -> int:
        messages = self.sinks[name].messages
        return sum(isinstance(m, Judgement) and m.observation.frame_id >= 0 for m in messages)

    def goes_on(self, name: str) -> None:
        """Wait until ten more frames were judged."""
        before = self.judged(name)
        until(lambda: self.judged(name) >= before + 10)

    def end(self) -> None:
        self.asked.set()
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()


def until(condition: Callable[[], bool]) -> None:
    """Wait for what no event tells about."""
    give_up_s = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < give_up_s, "it never came"
        time.sleep(0.005)


def config_for(*names: str, **source: object) -> Config:
    return Config.model_validate({"cameras": dict.fromkeys(names, source), "control": {"enabled": False}})


@pytest.fixture(scope="module")
def shared() -> Iterator[Shared]:
    with open_shared(config_for(), lambda line: None) as opened:
        yield opened


@pytest.fixture
def start(shared: Shared) -> Iterator[Callable[..., Rig]]:
    rigs: list[Rig] = []

    def started(config: Config | None = None, **sources: Source) -> Rig:
        rigs.append(Rig(shared, config or config_for(*sources), **sources))
        return rigs[-1]

    yield started
    for rig in rigs:
        for source in rig.sources.values():
            source.released.set()
        rig.end()


def test_each_camera_speaks_for_itself_and_closes_its_own(start: Callable[..., Rig]) -> None:
    rig = start(front=Source(), rear=Source())
    for name in rig.sources:
        until(lambda name=name: rig.judged(name) >= 10)
    rig.end()
    assert rig.causes("front")[0] == rig.causes("rear")[0] == set()
    assert all(sink.closed for sink in rig.sinks.values())
    assert all(source.closed for source in rig.sources.values())
    summary = rig.outcome
    assert set(summary.cameras) == {"front", "rear"}
    assert summary.cameras["front"].frames == rig.judged("front")
    assert summary.failures == {}
    assert json.dumps(summary.to_dict())


def test_a_camera_that_is_lost_silences_no_other(start: Callable[..., Rig]) -> None:
    rig = start(config_for("front", "rear", lost_after_s=0.05), front=Source(), rear=Source())
    until(lambda: rig.judged("front") > 0)
    rig.sources["front"].error = SourceLost("the cable is out")
    until(lambda: {"source_lost"} in rig.causes("front"))
    rig.goes_on("rear")
    rig.sources["front"].error = None
    rig.goes_on("front")
    assert rig.causes("front")[-1] == set()
    assert {"source_lost"} not in rig.causes("rear")


def test_a_camera_that_comes_later_is_waited_for_and_told(start: Callable[..., Rig]) -> None:
    late = Source()
    late.error = SourceLost("nothing there")
    rig = start(front=late, rear=Source())
    until(lambda: {"source_lost"} in rig.causes("front"))
    rig.goes_on("rear")
    fed = rig.watchdog.fed
    until(lambda: rig.watchdog.fed > fed + 1)
    late.error = None
    rig.goes_on("front")
    assert rig.causes("front") == [{"source_lost"}, set()]


def test_an_unforeseen_failure_is_told_and_the_source_opened_anew(
    start: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fresh = Source()
    monkeypatch.setattr("dms.fleet.open_source", lambda config: fresh)
    rig = start(front=Source(), rear=Source())
    until(lambda: rig.judged("front") > 0)
    old = rig.sources["front"]
    with caplog.at_level(logging.CRITICAL, "dms.fleet.camera"):
        old.error = ValueError("the driver returned nonsense")
        until(lambda: {"internal_fault"} in rig.causes("front"))
    rig.goes_on("rear")
    rig.goes_on("front")
    assert old.closed
    assert rig.causes("front")[-1] == set()
    fault = next(m for m in rig.sinks["front"].messages if isinstance(m, Health) and m.causes)
    assert fault.state is HealthState.FAULT
    assert "nonsense" in fault.causes["internal_fault"]
    assert rig.causes("rear") == [set()]
    rig.end()
    assert rig.outcome.failures == {}


def test_a_hung_camera_is_told_stops_the_watchdog_and_may_come_back(
    start: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dms.fleet.camera.HUNG_AFTER_S", 0.3)
    rig = start(front=Source(), rear=Source())
    until(lambda: rig.watchdog.fed > 2)
    rig.sources["front"].released.clear()
    assert rig.sources["front"].hung.wait(WAIT_S)
    until(lambda: {"camera_hung"} in rig.causes("front"))
    last = [m for m in rig.sinks["front"].messages if isinstance(m, Judgement)][-1]
    assert last.observation.frame_id < 0
    assert last.assessment.state is DriverState.UNKNOWN
    assert last.assessment.unknown_causes == (UnknownCause.STALE,)
    assert last.stand_in
    assert last.assessment.signals
    assert all(signal.value is None for signal in last.assessment.signals.values())
    fed = rig.watchdog.fed
    rig.goes_on("rear")
    assert rig.watchdog.fed <= fed + 1
    rig.sources["front"].released.set()
    until(lambda: rig.causes("front")[-1] == set())
    until(lambda: rig.watchdog.fed > fed + 2)
    rig.goes_on("front")


def test_a_sink_that_hangs_holds_up_nobody_who_watches() -> None:
    hangs, free = threading.Event(), threading.Event()

    class Hanging(MemorySink):
        def publish(self, message: Message) -> None:
            hangs.set()
            free.wait(WAIT_S)
            super().publish(message)

    inner = Hanging()
    sink = Guarded(inner)
    health = Health(0.0, HealthState.OK)
    thread = threading.Thread(target=sink.publish, args=(health,))
    thread.start()
    assert hangs.wait(WAIT_S)
    sink.publish_if_free(health)  # returns, and the message is lost
    free.set()
    thread.join(WAIT_S)
    assert len(inner.messages) == 1
    sink.publish_if_free(health)
    assert len(inner.messages) == 2


def test_counts_go_on_after_a_failure_and_the_summary_tells_all_of_them(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("dms.fleet.camera.RETRY_EVERY_S", 0.1)
    scheduler = Scheduler(ScheduleConfig(), 1 / 50)
    scheduler.use(LEVELS[4])
    alerts = AlertManager([load_profile("euroncap_2026")], "test")
    pipeline = Pipeline([], scheduler, Assessor(AssessConfig()), alerts, time.perf_counter)
    config = Config(service=ServiceConfig(vitals_every_s=0.1))
    sink, stop, old, fresh = MemorySink(), threading.Event(), Source(), Source()
    old.dropped = 40
    heart = Heart(Watchdog(), ["front"])
    tries = iter([InputError("the script was deleted"), fresh])

    def reopen() -> Source:
        opened = next(tries)
        if isinstance(opened, InputError):
            raise opened
        return opened

    camera = Camera("front", config, old, reopen, pipeline, None, [sink], heart, stop)

    def vitals() -> list[Vitals]:
        return [m for m in sink.messages if isinstance(m, Vitals)]

    with caplog.at_level(logging.CRITICAL, "dms.fleet.camera"):
        camera.start()
        until(lambda: len(vitals()) >= 3)
        old.error = ValueError("the driver returned nonsense")
        until(lambda: old.closed)
        before = len(vitals())
        until(lambda: len(vitals()) >= before + 3)
    stop.set()
    assert camera.join(WAIT_S)
    for earlier, later in pairwise(vitals()):
        assert earlier.frames <= later.frames
        assert all(earlier.drops[reason] <= later.drops[reason] for reason in earlier.drops)
    told = [m.causes.get("internal_fault", "") for m in sink.messages if isinstance(m, Health)]
    assert any("nonsense" in why for why in told)
    assert next(tries, None) is None  # the first try failed, the next one did not
    assert vitals()[-1].drops["newer"] == 40
    assert vitals()[-1].drops["level"] > 0
    assert camera.summary().dropped >= vitals()[-1].dropped


def test_without_any_first_frame_the_run_fails_and_names_each(start: Callable[..., Rig]) -> None:
    sources = {name: Source() for name in ("front", "rear")}
    for name, source in sources.items():
        source.error = SourceLost(f"no {name}")
    rig = start(config_for("front", "rear", open_timeout_s=0.1), **sources)
    until(lambda: rig.outcome is not None)
    assert str(rig.outcome) == "no camera sent a first frame. front: no front; rear: no rear"


def test_the_watchdog_is_fed_by_all_cameras_together() -> None:
    watchdog = Watchdog()
    heart = Heart(watchdog, ["front", "rear"])
    for _ in range(3):
        heart.spoke("front")
        heart.judged()
    assert (watchdog.readies, watchdog.fed) == (1, 0)
    heart.spoke("rear")
    assert watchdog.fed == 1
    heart.spoke("rear")
    heart.spoke("front")
    assert watchdog.fed == 1  # both live, but nobody judged
    heart.judged()
    assert watchdog.fed == 2
    heart.left("rear")
    heart.spoke("front")
    heart.judged()
    assert watchdog.fed == 3


def test_a_camera_has_its_own_vehicle_and_file() -> None:
    config = config_for("front").model_copy(
        update={
            "sinks": Config.model_validate(
                {"sinks": {"mqtt": {"vehicle": "bus7"}, "jsonl": {"path": "out/demo.jsonl"}}}
            ).sinks
        }
    )
    own = camera_config(config, "front")
    assert own.source == config.cameras["front"]
    assert own.sinks.mqtt.vehicle == "bus7-front"
    assert own.sinks.jsonl.path == "out/demo.front.jsonl"


def test_a_vehicle_too_long_for_a_topic_fails_at_start() -> None:
    config = Config.model_validate({"cameras": {"front": {}}, "sinks": {"mqtt": {"vehicle": "v" * 64}}})
    with pytest.raises(ConfigError, match=r"shorten sinks\.mqtt\.vehicle"):
        camera_config(config, "front")


def test_a_missing_file_names_its_camera() -> None:
    with pytest.raises(InputError, match=r"cameras: rear: source 'missing\.mp4'"):
        run(config_for("rear", uri="missing.mp4"), print)


def test_the_black_box_of_each_camera_gets_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    got: dict[BlackBox, list[Judgement]] = {}

    def publish(box: BlackBox, message: Message) -> None:
        if isinstance(message, Judgement):
            got.setdefault(box, []).append(message)

    monkeypatch.setattr(BlackBox, "publish", publish)
    script = tmp_path / "short.yaml"
    script.write_text("duration_s: 1\n")
    config = Config.model_validate(
        {
            "cameras": {name: {"uri": "sim:" + str(script), "realtime": False} for name in ("front", "rear")},
            "sinks": {"blackbox": {"folder": str(tmp_path / "box")}},
        }
    )
    run(config, lambda line: None)
    assert [told[0].checkpoint is not None for told in got.values()] == [True, True]


def test_recordings_run_to_their_ends_each_into_its_own_file(tmp_path: Path) -> None:
    script = tmp_path / "short.yaml"
    script.write_text("duration_s: 1\n")
    config = Config.model_validate(
        {
            "cameras": {name: {"uri": "sim:" + str(script), "realtime": False} for name in ("front", "rear")},
            "sinks": {"jsonl": {"path": str(tmp_path / "run.jsonl")}},
        }
    )
    lines: list[str] = []
    summary = run(config, lines.append)
    for name in ("front", "rear"):
        written = (tmp_path / f"run.{name}.jsonl").read_text().splitlines()
        assert len(written) >= summary.cameras[name].frames > 0
        assert any(line.startswith(f"{name}: ") for line in lines)
    assert not summary.cameras["front"].interrupted
