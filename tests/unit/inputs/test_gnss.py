"""The GNSS input against a TCP server on loopback that speaks as gpsd does."""

import json
import socket
import threading
import time
from contextlib import closing

import pytest

from dms.config import Config
from dms.config.inputs import GnssInputConfig, InputsConfig
from dms.inputs.gnss import LINE_LIMIT_BYTES, GnssInput, speed_of
from dms.inputs.reading import Quantity, Reading, Refusal
from tests.pulse import until
from tests.unit.inputs.hearing import WAIT_S, Heard

VERSION = {"class": "VERSION", "release": "3.22", "rev": "3.22", "proto_major": 3, "proto_minor": 14}


class Gpsd:
    """A server for one client at a time that says what it is told to."""

    def __init__(self, port=0):
        self._server = socket.create_server(("127.0.0.1", port))
        self._server.settimeout(WAIT_S)
        self.port = self._server.getsockname()[1]
        self.client = None

    def accept(self):
        """Greet a client and wait until it has asked for reports."""
        self.hang_up()
        self.client, _ = self._server.accept()
        self.client.settimeout(WAIT_S)
        self.report(VERSION)
        asked = self.client.recv(1024)
        assert json.loads(asked.removeprefix(b"?WATCH=")) == {"enable": True, "json": True}
        return self

    def report(self, report):
        self.send(json.dumps(report).encode() + b"\r\n")

    def send(self, data):
        self.client.sendall(data)

    def hang_up(self):
        if self.client:
            self.client.close()

    def close(self):
        self.hang_up()
        self._server.close()


def tpv(second, speed_mps, **more):
    at = f"2026-11-20T13:36:{second:02d}.000Z"
    return {"class": "TPV", "mode": 3, "time": at, "lat": 48.1, "lon": 11.5, "speed": speed_mps, **more}


def config(port):
    return Config().model_copy(
        update={"inputs": InputsConfig(gnss=GnssInputConfig(enabled=True, gpsd_port=port))}
    )


@pytest.fixture
def gpsd():
    with closing(Gpsd()) as server:
        yield server


def speeds(heard):
    return [round(told.value, 3) for told in heard.all() if isinstance(told, Reading)]


def test_the_speed_of_a_fix_is_told_in_kmh(gpsd):
    heard = Heard()
    with closing(GnssInput(config(gpsd.port), heard)) as opened:
        gpsd.accept().report(tpv(1, 10.0, eps=0.5))
        (told,) = heard.wait(lambda told: True)
        assert opened.fault() is None
    assert (told.source, told.quantity, told.value) == ("gnss", Quantity.SPEED, pytest.approx(36.0))
    assert 0 <= time.monotonic() - told.at_s < WAIT_S


def test_reports_in_pieces_and_several_at_once_are_read(gpsd):
    heard = Heard()
    lines = b"".join(json.dumps(tpv(n, float(n))).encode() + b"\r\n" for n in range(1, 4))
    with closing(GnssInput(config(gpsd.port), heard)):
        gpsd.accept().report({"class": "SKY", "satellites": [{"PRN": n} for n in range(100)]})
        gpsd.send(lines[:50])
        gpsd.send(lines[50:])
        heard.wait(lambda told: True, 3)
    assert speeds(heard) == [3.6, 7.2, 10.8]


@pytest.mark.parametrize(
    "changes",
    [
        {"mode": 1.0},
        {"mode": 0.0},
        {"mode": "3"},
        {"eps": 5.0},
        {"eps": -1.0},
        {"speed": None},
        {"speed": "fast"},
        {"speed": True},
        {"speed": float("nan")},
        {"speed": 1e400},
        {"eps": float("nan")},
    ],
)
def test_without_a_good_fix_there_is_no_speed(changes):
    fix = {**tpv(1, 10.0), "mode": 3.0}
    assert speed_of(fix, error_limit_kmh=10.0) == pytest.approx(36.0)
    assert speed_of({**fix, **changes}, error_limit_kmh=10.0) is None


def test_a_receiver_that_hangs_is_not_heard_again_and_again(gpsd):
    heard = Heard()
    with closing(GnssInput(config(gpsd.port), heard)):
        gpsd.accept()
        for second in (1, 1, 1, 2):
            gpsd.report(tpv(second, 10.0 + second))
        heard.wait(lambda told: told.value > 43)
    assert speeds(heard) == [39.6, 43.2]


def test_garbage_is_refused_and_read_over(gpsd):
    heard = Heard()
    with closing(GnssInput(config(gpsd.port), heard)):
        gpsd.accept().send(b"\x00\xff garbage\n[1, 2]\n" + b"[" * 5000 + b"\n")
        gpsd.report(tpv(1, 10.0))
        heard.wait(lambda told: isinstance(told, Reading))
    assert [told.reason for told in heard.all() if isinstance(told, Refusal)] == ["malformed"] * 2


@pytest.mark.parametrize("name", ["speed", "mode", "eps"])
@pytest.mark.parametrize("digits", [400, 10_000])
def test_a_number_beyond_all_bounds_ends_nothing(gpsd, name, digits):
    heard = Heard()
    with closing(GnssInput(config(gpsd.port), heard)) as opened:
        gpsd.accept().send(json.dumps(tpv(1, 10.0, **{name: 7})).replace(": 7", ": " + "7" * digits).encode())
        gpsd.send(b"\n")
        gpsd.report(tpv(2, 12.0))
        heard.wait(lambda told: told.value == pytest.approx(43.2))
        assert opened.fault() is None


def test_what_is_no_host_name_is_a_fault():
    gnss = GnssInputConfig(enabled=True, gpsd_host="a..b")
    with closing(
        GnssInput(Config().model_copy(update={"inputs": InputsConfig(gnss=gnss)}), Heard())
    ) as opened:
        assert "a..b:2947 cannot be reached" in opened.fault()


def test_a_line_without_end_is_not_gathered(gpsd):
    heard = Heard()
    with closing(GnssInput(config(gpsd.port), heard)):
        gpsd.accept()
        try:
            for _ in range(1000):
                gpsd.send(b"x" * LINE_LIMIT_BYTES)
        except OSError:
            pass  # hung up on
        else:
            raise AssertionError("64 MB were taken without a line")
        gpsd.accept().report(tpv(1, 10.0))
        assert heard.wait(lambda told: isinstance(told, Reading))


def test_a_lost_connection_is_told_and_made_again(gpsd, monkeypatch):
    monkeypatch.setattr("dms.keeper.STEADY_AFTER_S", 0.3)
    heard = Heard()
    with closing(GnssInput(config(gpsd.port), heard)) as opened:
        gpsd.accept().hang_up()
        give_up_s = time.monotonic() + WAIT_S
        while (fault := opened.fault()) is None:
            assert time.monotonic() < give_up_s
        assert "closed the connection" in fault
        gpsd.accept().report(tpv(1, 10.0))
        heard.wait(lambda told: True)
        until(lambda: opened.fault() is None)


def test_no_position_is_told_or_logged(gpsd, caplog):
    caplog.set_level("DEBUG")
    heard = Heard()
    with closing(GnssInput(config(gpsd.port), heard)):
        gpsd.accept().report(tpv(1, 10.0))
        gpsd.send(b'{"class":"TPV","lat":48.1,\n')
        heard.wait(lambda told: isinstance(told, Refusal))
    assert "48.1" not in caplog.text + repr(heard.all())


def test_closing_ends_the_thread_though_gpsd_is_silent(gpsd):
    opened = GnssInput(config(gpsd.port), Heard())
    gpsd.accept()
    opened.close()
    assert "dms-gnss" not in {thread.name for thread in threading.enumerate()}
    assert opened.fault() is None
