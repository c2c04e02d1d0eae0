"""All of it together, and how it is shown."""

import json
import logging

import pytest

from dms.config.file import load_config
from dms.doctor import examine
from dms.doctor.check import WIDTH, Check, Grade, passed, to_dict, to_text
from dms.doctor.machine import Machine, ask
from dms.errors import ConfigError

GROUPS = ["machine", "runtimes", "engines", "device", "outside", "inputs", "service"]


def config(*overrides):
    return load_config([], overrides)


def test_findings_come_in_the_order_of_a_deployment(pc):
    checks = examine(config, pc)
    assert list(dict.fromkeys(check.group for check in checks)) == GROUPS


def test_a_computer_without_a_gpu_has_nothing_to_cure_of_a_jetson(pc, tmp_path):
    checks = examine(lambda: config(f"engines.cache={tmp_path}"), pc)
    assert passed(checks)
    assert [check.name for check in checks if check.grade is Grade.WARN] == ["gate", "systemd"]
    board = next(check for check in checks if check.name == "board")
    assert "not a Jetson" in board.detail


def test_an_orin_is_looked_at_as_one(device):
    checks = {check.name: check for check in examine(config, device)}
    assert {"board", "gpu", "temperature", "throttling", "power mode", "clocks", "rights"} <= set(checks)
    wrong = [c for c in checks.values() if c.group in ("device", "service") and c.grade is not Grade.OK]
    assert wrong == []


def test_whatever_is_not_well_names_its_cure(device, tmp_path):
    wrong = (f"engines.folder={tmp_path}", f"source.uri={tmp_path}/none.mp4", "engines.face.backend=trt")
    checks = examine(lambda: config(*wrong), device)
    assert [check for check in checks if check.grade is not Grade.OK and not check.cure] == []
    assert [check for check in checks if check.grade is Grade.OK and check.cure] == []


def test_a_wrong_configuration_is_a_finding_and_the_rest_is_still_checked(pc):
    def load():
        raise ConfigError("my.yaml:3: source.fsp: unknown key\nmy.yaml:4: more")

    checks = examine(load, pc)
    finding = next(check for check in checks if check.name == "configuration")
    assert finding.grade is Grade.FAIL
    assert finding.detail == "my.yaml:3: source.fsp: unknown key; my.yaml:4: more"
    assert "broker" in [check.name for check in checks]


def test_nothing_is_printed_or_left_behind_in_the_log(pc, capfd):
    before = logging.getLogger("dms").handlers[:]
    examine(lambda: config("engines.face.backend=trt"), pc)
    assert capfd.readouterr().err == ""
    assert logging.getLogger("dms").handlers == before


def test_a_command_answers_or_is_none():
    assert ask("sh", "-c", "echo here") == "here\n"
    assert ask("sh", "-c", "echo here; exit 1") is None
    assert ask("no-such-command-at-all") is None


def test_files_are_read_below_the_root(tmp_path):
    (tmp_path / "model").write_bytes(b"Orin\0\n")
    machine = Machine(tmp_path)
    assert (machine.read("model"), machine.read("none")) == ("Orin", "")
    assert machine.number("model") is None


FINDINGS = [
    Check("python", Grade.OK, "3.12", group="machine"),
    Check("cameras", Grade.WARN, "none", "plug one in", "outside"),
    Check("engine face", Grade.FAIL, "gone", "restore it", "outside"),
]


def test_only_a_failure_fails():
    assert passed(FINDINGS[:2])
    assert not passed(FINDINGS)


def test_the_table_shows_groups_grade_detail_cure_and_a_sum():
    assert to_text(FINDINGS).splitlines() == [
        "machine",
        "  ok    python       3.12",
        "",
        "outside",
        "  warn  cameras      none",
        "        cure: plug one in",
        "  fail  engine face  gone",
        "        cure: restore it",
        "",
        "3 checks: 1 ok, 1 to know (cameras), 1 failed (engine face)",
    ]


@pytest.mark.parametrize("words", [40, 400])
def test_the_table_fits_its_width_and_breaks_no_word(words):
    text = " ".join(f"word{i}" for i in range(words))
    shown = to_text([Check("x", Grade.WARN, text, text, "machine")])
    assert max(map(len, shown.splitlines())) <= WIDTH
    assert shown.split().count("word39") == 2


def test_the_json_view_holds_the_same():
    view = json.loads(json.dumps(to_dict(FINDINGS)))
    assert (view["schema"], view["ok"]) == ("dms.doctor/1", False)
    assert view["checks"][1] == {
        "name": "cameras", "grade": "warn", "detail": "none", "cure": "plug one in", "group": "outside",
    }  # fmt: skip
