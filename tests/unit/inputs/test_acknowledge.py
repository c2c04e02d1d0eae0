"""Acknowledgement on the spot: a terminal (a pty), an input device (a FIFO), a line (a stand-in)."""

import os
import pty
import sys
import threading
import time

import pytest

from dms.config import Config
from dms.errors import ConfigError
from dms.inputs.gpio import GpioInput
from dms.inputs.key import EV_KEY, EVENT, KeyInput
from dms.inputs.press import Presses
from dms.records import Acknowledgement
from tests.gpio_stand_in import board  # noqa: F401 - a fixture
from tests.pulse import until

ENTER = 28


def configured(**acknowledge):
    return Config.model_validate({"inputs": {"acknowledge": acknowledge}})


@pytest.fixture(autouse=True)
def soon_trusted_again(monkeypatch):
    """How long that takes is shown in test_keeper.py."""
    monkeypatch.setattr("dms.keeper.STEADY_AFTER_S", 0.2)


@pytest.fixture
def told():
    return []


@pytest.fixture
def opened():
    """Closes what a test opens."""
    made = []
    yield lambda one: made.append(one) or one
    for one in made:
        one.close()


@pytest.fixture
def device(tmp_path):
    """An input device: path, and a function that tells key, value."""
    path = tmp_path / "event7"
    os.mkfifo(path)
    descriptor = os.open(path, os.O_RDWR)

    def tell(*events):
        os.write(descriptor, b"".join(EVENT.pack(0, 0, *event) for event in events))

    yield str(path), tell
    os.close(descriptor)


@pytest.fixture
def terminal(monkeypatch):
    """The master of a pty whose slave is the standard input."""
    master, slave = pty.openpty()
    with os.fdopen(slave) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield master
    os.close(master)


def test_a_press_is_one_acknowledgement(opened, told, device):
    path, tell = device
    key = opened(KeyInput(configured(key={"device": path}), told.append))
    tell((EV_KEY, ENTER, 1), (0, 0, 0))
    for _ in range(50):
        tell((EV_KEY, ENTER, 2))
    tell((EV_KEY, ENTER, 0), (EV_KEY, ENTER, 1))
    until(lambda: len(told) == 2)
    assert told == [Acknowledgement("key")] * 2
    assert key.fault() is None


def test_only_the_key_asked_for(opened, told, device):
    path, tell = device
    opened(KeyInput(configured(key={"device": path, "code": 164}), told.append))
    tell((EV_KEY, ENTER, 1), (EV_KEY, ENTER, 0), (EV_KEY, 164, 1))
    until(lambda: told)
    assert len(told) == 1


def test_a_key_that_stays_down_is_a_fault_until_it_comes_up(opened, told, device):
    path, tell = device
    key = opened(KeyInput(configured(key={"device": path}, stuck_after_s=0.2), told.append))
    tell((EV_KEY, ENTER, 1))
    assert "stuck" in until(key.fault)
    assert len(told) == 1
    tell((EV_KEY, ENTER, 0))
    until(lambda: key.fault() is None)


def test_a_device_that_is_not_there_is_found_when_it_comes(opened, told, tmp_path):
    path = tmp_path / "event9"
    key = opened(KeyInput(configured(key={"device": str(path)}), told.append))
    assert "event9 cannot be opened" in until(key.fault)
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR)
    until(lambda: key.fault() is None)
    os.write(writer, EVENT.pack(0, 0, EV_KEY, ENTER, 1))
    until(lambda: told)
    os.close(writer)


def test_what_is_no_input_device_is_a_fault(opened, told):
    key = opened(KeyInput(configured(key={"device": "/dev/null"}), told.append))
    assert "no input device" in until(key.fault)


def test_enter_in_the_terminal(opened, told, terminal):
    key = opened(KeyInput(configured(), told.append))
    os.write(terminal, b"what the driver types is of no interest\n")
    until(lambda: told)
    assert told == [Acknowledgement("key")]
    assert key.fault() is None


def test_enter_held_down_is_one_acknowledgement_then_a_fault(opened, told, terminal):
    key = opened(KeyInput(configured(stuck_after_s=0.5), told.append))
    ends_s = time.monotonic() + 1.0
    while time.monotonic() < ends_s:
        os.write(terminal, b"\n")
        time.sleep(0.03)
    assert "stuck" in key.fault()
    assert len(told) == 1
    until(lambda: key.fault() is None)
    os.write(terminal, b"\n")
    until(lambda: len(told) == 2)


def test_without_a_terminal_nothing_is_read(opened, told, monkeypatch):
    reader, writer = os.pipe()
    with os.fdopen(reader) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        key = opened(KeyInput(configured(), told.append))
        os.write(writer, b"\n")
        assert not [thread for thread in threading.enumerate() if thread.name == "dms-key-terminal"]
        assert key.fault() is None
        assert stdin.read(1) == "\n"
    os.close(writer)


def test_a_button_on_a_line(opened, told, board):  # noqa: F811
    button = opened(GpioInput(configured(gpio={"line": 17, "debounce_s": 0.03}), told.append))
    settings = board.requests[0].settings
    assert settings.bias is board.line.Bias.PULL_UP
    assert settings.active_low
    assert settings.debounce_period.total_seconds() == 0.03
    for _ in range(2):
        board.press()
        board.release()
    until(lambda: len(told) == 2)
    assert told == [Acknowledgement("gpio")] * 2
    assert button.fault() is None


def test_a_button_down_from_the_start_is_no_press_but_a_fault(opened, told, board):  # noqa: F811
    original = board.request_lines

    def down(path, consumer, config):
        request = original(path, consumer, config)
        board.values[17] = board.line.Value.ACTIVE
        return request

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gpiod.request_lines", down)
        button = opened(GpioInput(configured(gpio={"line": 17}, stuck_after_s=0.2), told.append))
        assert "stuck" in until(button.fault)
    board.release()
    until(lambda: button.fault() is None)
    assert told == []


def test_a_chip_that_goes_is_told_and_opened_anew(opened, told, board):  # noqa: F811
    button = opened(GpioInput(configured(gpio={"line": 17}), told.append))
    board.broken = True
    assert "/dev/gpiochip0" in until(button.fault)
    board.broken = False
    until(lambda: button.fault() is None)
    board.press()
    until(lambda: told)


def test_without_the_package_the_error_names_the_extra(told, monkeypatch):
    monkeypatch.setitem(sys.modules, "gpiod", None)
    with pytest.raises(ConfigError, match=r"dms\[gpio\]"):
        GpioInput(configured(gpio={"line": 17}), told.append)


def test_presses():
    presses = Presses(stuck_after_s=10)
    assert presses.down(1.0)
    assert not presses.down(2.0)
    assert presses.stuck_s(11.0) is None
    assert presses.stuck_s(11.5) == pytest.approx(10.5)
    presses.up()
    assert presses.stuck_s(100) is None
    assert presses.down(100.0)
