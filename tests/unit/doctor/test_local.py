"""What the doctor finds of sound, lines, command, and of the folders a run makes."""

import sys

import pytest

from dms.config.file import load_config
from dms.doctor import disk, local
from dms.doctor.check import Grade


def found(name, *overrides, running=False):
    checks = local.checks(load_config([], overrides), running)
    return next(check for check in checks if check.name == name)


@pytest.mark.parametrize("name", ["hook", "sound", "gpio"])
def test_what_is_off_is_well(name):
    assert found(name).grade is Grade.OK


def test_a_command_that_is_not_there_fails(tmp_path):
    script = tmp_path / "tell.sh"
    script.write_text("#!/bin/sh\n")
    override = f"sinks.hook.command=[{script}]"
    assert found("hook", override).grade is Grade.FAIL
    script.chmod(0o755)
    assert found("hook", override).grade is Grade.OK


def test_a_sound_device_that_is_not_there_fails():
    pytest.importorskip("miniaudio", reason="miniaudio is not installed (pip install 'dms[sound]')")
    wanted = ("sinks.sound.enabled=true", "sinks.sound.backend=pulseaudio", "sinks.sound.device=nobody's")
    check = found("sound", *wanted)
    assert (check.grade, bool(check.cure)) == (Grade.FAIL, True)
    assert found("sound", *wanted, running=True).grade is Grade.OK


LAMP = ("sinks.gpio.enabled=true", "sinks.gpio.urgent_line=3")
BUTTON = ("inputs.acknowledge.gpio.line=4",)


@pytest.mark.parametrize(
    ("wanted", "section"), [(LAMP, "sinks.gpio"), (BUTTON, "inputs.acknowledge.gpio")], ids=["lamp", "button"]
)
def test_a_chip_that_is_not_there_fails(tmp_path, wanted, section):
    pytest.importorskip("gpiod", reason="gpiod is not installed (pip install 'dms[gpio]')")
    chip = tmp_path / "gpiochip0"
    check = found("gpio", *wanted, f"{section}.chip={chip}")
    assert (check.grade, f"{section}.chip" in check.cure) == (Grade.FAIL, True)
    chip.touch()
    assert found("gpio", *wanted, f"{section}.chip={chip}").grade is Grade.OK


def test_lines_without_the_package_name_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "gpiod", None)
    assert "dms[gpio]" in found("gpio", *LAMP).cure


FOLDERS = {"black box": ("sinks.blackbox.folder",), "seat": ("seat.folder", "seat.consent=true")}


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_that_a_run_could_not_make_fails_and_none_is_left_behind(tmp_path, name):
    key, *more = FOLDERS[name]

    def at(folder):
        checks = disk.checks(load_config([], [f"{key}={folder}", *more]))
        return next(check for check in checks if check.name == name)

    assert at(tmp_path / "new" / "box").grade is Grade.OK
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    for wrong in ("/proc/nope", tmp_path / "file", tmp_path / "file" / "box"):
        check = at(wrong)
        assert check.grade is Grade.FAIL, wrong
        assert f"{key} names another place" in check.cure
