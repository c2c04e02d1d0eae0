"""Source, cameras, broker, Prometheus, and where a run writes."""

import socket
import sys

import cv2
import numpy as np
import pytest

from dms.config import SourceConfig
from dms.config.file import load_config
from dms.doctor import disk, outside
from dms.doctor.check import Grade
from dms.doctor.machine import Machine
from dms.records import Frame
from dms.testing import ScriptedSource
from tests.unit.doctor.trees import answers


def config(*overrides):
    return load_config([], overrides)


@pytest.fixture
def listener():
    """Something that accepts connections, as a broker would."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.fixture
def free_port():
    """A port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return port


def test_a_source_that_gives_frames_is_well(tmp_path):
    for i in range(3):
        cv2.imwrite(str(tmp_path / f"{i}.png"), np.full((48, 64), 40 * i, np.uint8))
    check = outside.source("source", SourceConfig(uri=str(tmp_path)))
    assert check.grade is Grade.OK
    assert "64x48" in check.detail


@pytest.mark.parametrize("name", ["gone.mp4", "words.mp4"])
def test_a_source_that_does_not_open_is_named(tmp_path, name):
    (tmp_path / "words.mp4").write_text("no video at all\n" * 100)
    check = outside.source("source", SourceConfig(uri=str(tmp_path / name)))
    assert check.grade is Grade.FAIL
    assert name in check.detail


def test_a_camera_that_is_not_there_is_told_within_its_timeout():
    check = outside.source("source", SourceConfig(uri="/dev/video99", open_timeout_s=0.5))
    assert check.grade is Grade.FAIL
    assert "/dev/video99" in check.detail


def test_a_camera_that_the_running_service_has_is_left_alone(tmp_path):
    running = Machine(tmp_path, answers(systemctl="active\n"))
    checks = {c.name: c for c in outside.checks(config("source.uri=/dev/video0"), running)}
    assert (checks["source"].grade, "running service" in checks["source"].detail) == (Grade.OK, True)
    stopped = {
        c.name: c for c in outside.checks(config("source.uri=/dev/video99"), Machine(tmp_path, answers()))
    }
    assert stopped["source"].grade is Grade.FAIL


def test_each_camera_is_tried_under_its_name_and_the_source_is_not(pc):
    front = "{uri: /dev/video97, open_timeout_s: 0.5}"
    checks = outside.checks(config(f"cameras={{front: {front}, rear: {{uri: demo}}}}"), pc)
    found = {check.name: check for check in checks}
    assert "source" not in found
    assert (found["camera front"].grade, found["camera rear"].grade) == (Grade.FAIL, Grade.OK)
    assert "/dev/video97" in found["camera front"].detail
    assert "cameras.front.uri" in found["camera front"].cure
    assert found["cameras"].grade is Grade.WARN  # wanted, and none is there


def test_a_source_beside_cameras_is_told_as_not_used(pc):
    unused, front, *_ = outside.checks(config("cameras={front: {uri: demo}}", "source.uri=/dev/video97"), pc)
    assert (unused.name, unused.grade) == ("source", Grade.WARN)
    assert "/dev/video97 is not used" in unused.detail
    assert (front.name, front.grade) == ("camera front", Grade.OK)


def prometheus(running=False, **keys):
    given = [f"sinks.prometheus.{key}={value}" for key, value in keys.items()]
    return outside.prometheus(config(*given), running)


def test_the_endpoint_for_prometheus_is_tried(listener, free_port):
    pytest.importorskip("prometheus_client", reason="needs dms[metrics]")
    assert "off" in prometheus().detail
    check = prometheus(enabled="true", port=free_port)
    assert (check.grade, f":{free_port}/metrics" in check.detail) == (Grade.OK, True)
    taken = listener.getsockname()[1]
    check = prometheus(enabled="true", port=taken)
    assert (check.grade, f"127.0.0.1:{taken}" in check.detail) == (Grade.FAIL, True)
    assert prometheus(running=True, enabled="true", port=taken).grade is Grade.OK


def test_a_missing_client_of_prometheus_fails(monkeypatch):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    check = prometheus(enabled="true")
    assert (check.grade, "dms[metrics]" in check.cure) == (Grade.FAIL, True)
    assert prometheus().grade is Grade.OK


@pytest.mark.parametrize("fps", [10, 30])
def test_the_rate_of_a_camera_is_that_of_its_frames(fps):
    frames = [Frame(i, 7.0 + i / fps, np.zeros((2, 2), np.uint8)) for i in range(100)]
    assert outside.rate_hz(ScriptedSource(frames, live=True)) == pytest.approx(fps)


def test_cameras_are_listed(tmp_path):
    assert outside.cameras(tmp_path, wanted=True).grade is Grade.WARN
    assert outside.cameras(tmp_path, wanted=False).grade is Grade.OK
    (tmp_path / "video0").touch()
    (tmp_path / "video1").touch()
    check = outside.cameras(tmp_path, wanted=True)
    assert (check.grade, check.detail) == (Grade.OK, f"{tmp_path}/video0, {tmp_path}/video1")


def test_the_broker_is_tried(listener, free_port):
    address = "sinks.mqtt={enabled: true, host: 127.0.0.1, port: %d}"
    assert outside.broker(config()).detail == "MQTT is off (sinks.mqtt.enabled)"
    assert outside.broker(config(address % listener.getsockname()[1])).grade is Grade.OK
    refused = outside.broker(config(address % free_port))
    assert refused.grade is Grade.FAIL
    assert "refused" in refused.detail
    assert "mosquitto" in refused.cure
    demo = outside.broker(config(address % free_port, "sinks.mqtt.demo_broker=true"))
    assert demo.grade is Grade.OK


def test_outputs_that_cannot_be_written_are_found(tmp_path):
    assert disk.outputs(config(f"sinks.jsonl.path={tmp_path}/x.jsonl")).grade is not Grade.FAIL
    for path, why in (
        (tmp_path, "it is a folder"),
        (tmp_path / "missing" / "x.jsonl", "its folder is missing"),
    ):
        check = disk.outputs(config(f"sinks.jsonl.path={path}"))
        assert (check.grade, check.detail) == (Grade.FAIL, f"{path} cannot be written: {why}")


def test_the_cache_need_not_be_there_yet(tmp_path):
    check = disk.cache(config(f"engines.cache={tmp_path}/deep/down"))
    assert check.grade is Grade.OK
    assert not (tmp_path / "deep").exists()


def test_a_file_in_place_of_the_cache_is_told(tmp_path):
    (tmp_path / "cache").write_text("")
    for path in (tmp_path / "cache", tmp_path / "cache" / "deep"):
        check = disk.cache(config(f"engines.cache={path}"))
        assert check.grade is Grade.WARN
        assert check.detail == f"{tmp_path}/cache is a file: nothing that is built here can be kept"


def test_a_cache_where_nobody_may_write_is_told():
    # Where nobody may write, root neither.
    check = disk.cache(config("engines.cache=/proc/1/dms"))
    assert check.grade is Grade.WARN
    assert "/proc/1/dms cannot be written" in check.detail
    assert "engines.cache" in check.cure
