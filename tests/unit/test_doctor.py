import json
import socket

import pytest

from dms.config import Config
from dms.config.file import load_config
from dms.doctor import examine, host, parts
from dms.doctor.check import Check, Grade, passed, to_dict, to_text
from dms.errors import ConfigError


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


def test_this_machine_passes_what_every_machine_must():
    checks = {check.name: check for check in host.checks()}
    for name in ("python", *host.CORE_PACKAGES, "onnxruntime providers", "clock"):
        assert checks[name].grade is Grade.OK, checks[name]
    assert "CPUExecutionProvider" in checks["onnxruntime providers"].detail


def test_whatever_is_not_well_names_its_cure(tmp_path):
    checks = examine(lambda: config(f"engines.folder={tmp_path}", f"source.uri={tmp_path}/none.mp4"))
    assert [check for check in checks if check.grade is not Grade.OK and not check.cure] == []
    assert [check for check in checks if check.grade is Grade.OK and check.cure] == []


def test_missing_engines_are_found(tmp_path):
    checks = list(parts.engines(config(f"engines.folder={tmp_path}")))
    assert [check.name for check in checks] == [f"engine {name}" for name in parts.ENGINES]
    assert {check.grade for check in checks} == {Grade.FAIL}
    assert str(tmp_path) in checks[0].detail


def test_the_shipped_engines_load_and_run():
    checks = list(parts.engines(Config()))
    assert [check for check in checks if check.grade is not Grade.OK] == []
    assert all("int8 on ort, hash verified" in check.detail for check in checks)


def test_a_wrong_configuration_is_a_finding_and_the_rest_is_still_checked():
    def load():
        raise ConfigError("my.yaml:3: source.fsp: unknown key\nmy.yaml:4: more")

    checks = examine(load)
    finding = next(check for check in checks if check.name == "configuration")
    assert finding.grade is Grade.FAIL
    assert finding.detail == "my.yaml:3: source.fsp: unknown key; my.yaml:4: more"
    assert "broker" in [check.name for check in checks]


def test_a_source_that_gives_frames_is_well(tmp_path):
    import cv2
    import numpy as np

    for i in range(3):
        cv2.imwrite(str(tmp_path / f"{i}.png"), np.full((48, 64), 40 * i, np.uint8))
    check = parts.source(config(f"source.uri={tmp_path}"))
    assert check.grade is Grade.OK
    assert "64x48" in check.detail


@pytest.mark.parametrize("name", ["gone.mp4", "words.mp4"])
def test_a_source_that_does_not_open_is_named(tmp_path, name):
    (tmp_path / "words.mp4").write_text("no video at all\n" * 100)
    check = parts.source(config(f"source.uri={tmp_path / name}"))
    assert check.grade is Grade.FAIL
    assert name in check.detail


def test_a_camera_that_is_not_there_is_told_within_its_timeout():
    check = parts.source(config("source.uri=/dev/video99", "source.open_timeout_s=0.5"))
    assert check.grade is Grade.FAIL
    assert "/dev/video99" in check.detail


def test_cameras_are_listed(tmp_path):
    assert parts.cameras(tmp_path).grade is Grade.WARN
    (tmp_path / "video0").touch()
    (tmp_path / "video1").touch()
    check = parts.cameras(tmp_path)
    assert (check.grade, check.detail) == (Grade.OK, f"{tmp_path}/video0, {tmp_path}/video1")


def test_the_broker_is_tried(listener, free_port):
    address = "sinks.mqtt={enabled: true, host: 127.0.0.1, port: %d}"
    assert parts.broker(config()).detail == "MQTT is off (sinks.mqtt.enabled)"
    assert parts.broker(config(address % listener.getsockname()[1])).grade is Grade.OK
    refused = parts.broker(config(address % free_port))
    assert refused.grade is Grade.FAIL
    assert "refused" in refused.detail
    assert "mosquitto" in refused.cure
    demo = parts.broker(config(address % free_port, "sinks.mqtt.demo_broker=true"))
    assert demo.grade is Grade.OK


def test_outputs_that_cannot_be_written_are_found(tmp_path):
    assert parts.outputs(config(f"sinks.jsonl.path={tmp_path}/x.jsonl")).grade is not Grade.FAIL
    for path in (tmp_path, tmp_path / "missing" / "x.jsonl"):
        check = parts.outputs(config(f"sinks.jsonl.path={path}"))
        assert check.grade is Grade.FAIL
        assert str(path) in check.detail


def zone(sysfs, number, text):
    folder = sysfs / f"class/thermal/thermal_zone{number}"
    folder.mkdir(parents=True)
    if text is not None:
        (folder / "temp").write_text(text)


def test_the_hottest_readable_zone_counts(tmp_path):
    assert host.temperature(tmp_path).grade is Grade.WARN
    for number, text in enumerate(["45000\n", "61500\n", "-256000\n", "", None]):
        zone(tmp_path, number, text)
    check = host.temperature(tmp_path)
    assert check.grade is Grade.OK
    assert check.detail.startswith("62 °C")
    zone(tmp_path, 9, "91000\n")
    assert host.temperature(tmp_path).grade is Grade.WARN


def test_a_wall_clock_that_was_never_set_is_a_warning():
    assert host.clock(lambda: 3600.0).grade is Grade.WARN
    assert "1970" in host.clock(lambda: 3600.0).detail


def test_systemd_is_looked_for(tmp_path):
    assert host.service_manager(tmp_path).grade is Grade.OK
    assert host.service_manager(tmp_path / "none").grade is Grade.WARN


FINDINGS = [
    Check("python", Grade.OK, "3.12"),
    Check("cameras", Grade.WARN, "none", "plug one in"),
    Check("engine face", Grade.FAIL, "gone", "restore it"),
]


def test_only_a_failure_fails():
    assert passed(FINDINGS[:2])
    assert not passed(FINDINGS)


def test_the_table_shows_grade_detail_cure_and_a_sum():
    assert to_text(FINDINGS).splitlines() == [
        "ok    python       3.12",
        "warn  cameras      none",
        "                   cure: plug one in",
        "fail  engine face  gone",
        "                   cure: restore it",
        "3 checks: 1 ok, 1 to know, 1 failed",
    ]


def test_the_json_view_holds_the_same():
    view = json.loads(json.dumps(to_dict(FINDINGS)))
    assert (view["schema"], view["ok"]) == ("dms.doctor/1", False)
    assert view["checks"][1] == {"name": "cameras", "grade": "warn", "detail": "none", "cure": "plug one in"}
