import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from dms.service import Notifier, StopSignal

UNIT = Path(__file__).parents[2] / "systemd" / "dms.service"


@pytest.fixture
def manager(tmp_path):
    """The service manager's end of the notification socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(5)
        yield listener


def test_each_message_is_one_datagram_of_the_protocol(manager):
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": manager.getsockname()})
    notifier.ready()
    notifier.status("watching\nat 30 fps")
    notifier.watchdog()
    notifier.stopping()
    notifier.close()
    notifier.close()
    told = [manager.recv(256) for _ in range(4)]
    assert told == [b"READY=1", b"STATUS=watching at 30 fps", b"WATCHDOG=1", b"STOPPING=1"]


def test_an_unchanged_status_is_sent_once(manager):
    notifier = Notifier(manager.getsockname())
    for text in ("degraded", "degraded", "ok"):
        notifier.status(text)
    notifier.watchdog()
    assert [manager.recv(256) for _ in range(3)] == [b"STATUS=degraded", b"STATUS=ok", b"WATCHDOG=1"]
    notifier.close()


def test_an_abstract_socket_is_reached():
    name = f"dms-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + name)
        listener.settimeout(5)
        notifier = Notifier("@" + name)
        notifier.ready()
        assert listener.recv(64) == b"READY=1"
        notifier.close()


def test_without_a_manager_nothing_is_sent_and_nothing_fails():
    notifier = Notifier.from_environment({})
    notifier.ready()
    notifier.watchdog()
    assert notifier._socket is None
    notifier.close()


def test_a_manager_that_is_gone_does_not_stop_the_work(tmp_path):
    notifier = Notifier(str(tmp_path / "nobody"))
    notifier.ready()
    notifier.watchdog()
    notifier.close()
    assert not (tmp_path / "nobody").exists()


def test_a_manager_that_does_not_read_does_not_block(manager):
    notifier = Notifier(manager.getsockname())
    for _ in range(2000):
        notifier.watchdog()
    notifier.close()
    assert manager.recv(64) == b"WATCHDOG=1"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_asks_for_a_stop_and_the_former_handler_comes_back(number):
    before = signal.getsignal(number)
    with StopSignal() as stop:
        assert not stop.is_set()
        signal.raise_signal(number)
        assert stop.is_set()
        assert stop.received is number
        assert signal.getsignal(number) is before
    assert signal.getsignal(number) is before


def test_a_second_interrupt_ends_at_once():
    with StopSignal():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_an_outer_stop_signal_hears_it_as_well():
    with StopSignal() as outer:
        with StopSignal() as inner:
            signal.raise_signal(signal.SIGINT)
        assert inner.received is outer.received is signal.SIGINT


def test_a_stop_can_be_asked_for_from_inside():
    stop = StopSignal()
    stop.set()
    assert stop.is_set()
    assert stop.received is None


@pytest.fixture
def unit(tmp_path):
    """The shipped unit with a command that exists on this machine."""
    copy = tmp_path / "dms.service"
    copy.write_text(UNIT.read_text().replace("/opt/dms/bin/dms", sys.executable))
    return copy


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_the_unit_passes_systemds_own_check(unit):
    result = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")


def test_the_unit_is_watched_restarted_and_runs_as_nobody_special():
    lines = UNIT.read_text().splitlines()
    wanted = ("Type=notify", "WatchdogSec=5", "Restart=always", "User=dms", "NoNewPrivileges=yes")
    assert [line for line in wanted if line not in lines] == []
