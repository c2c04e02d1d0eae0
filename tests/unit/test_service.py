import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from dms.service import Notifier, StopSignal

SYSTEMD = Path(__file__).parents[2] / "systemd"
UNIT, JETSON = SYSTEMD / "dms.service", SYSTEMD / "jetson.conf"


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
    """The shipped unit, its drop-in for a Jetson beside it, with a command that exists on this machine."""
    places = {UNIT: tmp_path / "dms.service", JETSON: tmp_path / "dms.service.d" / "jetson.conf"}
    for source, copy in places.items():
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(source.read_text().replace("/opt/dms/bin/dms", sys.executable))
    return places[UNIT]


def verified(unit):
    """What systemd's own check says: its exit code and its complaints."""
    result = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=60, check=False
    )
    return result.returncode, result.stderr


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_the_unit_passes_systemds_own_check_with_and_without_the_drop_in(unit):
    assert verified(unit) == (0, "")
    shutil.rmtree(unit.with_name("dms.service.d"))
    assert verified(unit) == (0, "")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemds_check_reads_the_drop_in(unit):
    drop_in = unit.with_name("dms.service.d") / "jetson.conf"
    drop_in.write_text(drop_in.read_text().replace("TimeoutStartSec=20min", "TimeoutStartSec=soon"))
    assert "TimeoutStartSec" in verified(unit)[1]


def test_the_unit_is_watched_restarted_and_runs_as_nobody_special():
    lines = UNIT.read_text().splitlines()
    wanted = ("Type=notify", "WatchdogSec=5", "Restart=always", "User=dms", "NoNewPrivileges=yes")
    assert [line for line in wanted if line not in lines] == []


def test_the_unit_keeps_what_is_built_and_tells_nobody_else():
    lines = UNIT.read_text().splitlines()
    assert "CacheDirectory=dms" in lines
    assert "Environment=ORT_DISABLE_TELEMETRY=1" in lines


def test_the_drop_in_builds_first_may_fail_at_it_and_opens_the_gpu():
    lines = JETSON.read_text().splitlines()
    assert "ExecStartPre=-/opt/dms/bin/dms engines build all --config /etc/dms/dms.yaml" in lines
    devices = [
        line.split()[0].removeprefix("DeviceAllow=") for line in lines if line.startswith("DeviceAllow=")
    ]
    assert {"/dev/nvmap", "/dev/nvgpu/igpu0/ctrl", "char-nvidia*"} <= set(devices)
    # systemd knows no wildcards in paths, only in the names of device groups.
    assert [name for name in devices if "*" in name and not name.startswith("char-")] == []


HEALTH = Path(__file__).parents[2] / "container" / "health.py"


def health(address):
    """The container's health check, with its own interpreter."""
    return subprocess.Popen([sys.executable, str(HEALTH)], env={**os.environ, "NOTIFY_SOCKET": str(address)})


def test_a_container_is_well_when_a_judged_frame_is_told(tmp_path):
    address = tmp_path / "notify"
    notifier = Notifier(str(address))
    notifier.watchdog()  # before anybody listens: nothing comes of it
    check = health(address)
    while check.poll() is None:
        notifier.status("watching")
        notifier.watchdog()
    assert check.returncode == 0
    assert not address.exists()
    notifier.close()


def test_a_container_that_judges_nothing_is_not_well(tmp_path):
    code = (
        f"import sys; sys.path.insert(0, {str(HEALTH.parent)!r}); import health; from pathlib import Path; "
    )
    code += f"sys.exit(not health.alive(Path({str(tmp_path / 'notify')!r}), 0.2))"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=30).returncode == 1
