"""What the doctor finds of the inputs."""

import socket
import threading

import pytest

from dms.config import Config
from dms.config.inputs import CanInputConfig, GnssInputConfig, InputsConfig
from dms.doctor import inputs
from dms.doctor.check import Grade


def by_name(config):
    return {check.name: check for check in inputs.checks(config)}


def with_inputs(port=1, **chosen):
    broker = {"sinks": {"mqtt": {"host": "127.0.0.1", "port": port}}}
    return Config.model_validate({**broker, "inputs": chosen})


@pytest.fixture
def listener():
    """A server that greets whoever comes; set `greeting`."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        greeted = Greeter(server)
        yield greeted
        greeted.thread.join(5)


class Greeter:
    greeting = b'{"class":"VERSION","release":"3.22"}\r\n'

    def __init__(self, server):
        self.port = server.getsockname()[1]
        server.settimeout(2)
        self.thread = threading.Thread(target=self._greet, args=(server,))
        self.thread.start()

    def _greet(self, server):
        client, _ = server.accept()
        with client:
            client.sendall(self.greeting)


def test_nothing_set_up_is_told_and_wants_no_cure():
    found = by_name(Config())
    assert {check.grade for check in found.values()} == {Grade.OK}
    assert "no source is set up" in found["speed"].detail
    assert "no lockout, no standstill" in found["speed"].detail


def test_a_broker_that_is_not_there_fails():
    assert by_name(with_inputs(mqtt={"acknowledge": True}))["input mqtt"].grade is Grade.FAIL


@pytest.mark.parametrize(("require_ts", "grade"), [(False, Grade.WARN), (True, Grade.OK)])
def test_messages_without_a_time_are_worth_knowing(listener, require_ts, grade):
    config = with_inputs(listener.port, mqtt={"signals": True, "require_ts": require_ts})
    found = by_name(config)
    assert found["input mqtt"].grade is grade
    assert "mqtt" in found["speed"].detail


def test_a_gpsd_that_greets_is_well(listener):
    check = inputs.gnss(GnssInputConfig(enabled=True, gpsd_port=listener.port))
    assert check.grade is Grade.OK


def test_something_else_is_no_gpsd(listener):
    listener.greeting = b"220 ready\r\n"
    check = inputs.gnss(GnssInputConfig(enabled=True, gpsd_port=listener.port))
    assert (check.grade, "is not gpsd" in check.detail) == (Grade.FAIL, True)


def test_an_absent_gpsd_fails():
    assert inputs.gnss(GnssInputConfig(enabled=True, gpsd_port=1)).grade is Grade.FAIL


def test_an_absent_bus_fails_with_the_command_that_brings_it_up():
    pytest.importorskip("can", reason="python-can is not installed (pip install 'dms[can]')")
    check = inputs.can(CanInputConfig(enabled=True, channel="can-nobody"))
    assert check.grade is Grade.FAIL
    assert "listen-only on" in check.cure


@pytest.mark.parametrize(
    ("link", "grade", "words"),
    [
        ({"flags": ["NOARP"]}, Grade.FAIL, "is down"),
        ({"flags": ["UP"], "linkinfo": {"info_kind": "vcan"}}, Grade.WARN, "confirms"),
        (
            {"flags": ["UP"], "linkinfo": {"info_data": {"ctrlmode": ["LISTEN-ONLY"]}}},
            Grade.OK,
            "listen-only",
        ),
    ],
)
def test_what_the_kernel_tells_of_a_bus(monkeypatch, link, grade, words):
    pytest.importorskip("can", reason="python-can is not installed (pip install 'dms[can]')")
    monkeypatch.setattr(inputs, "_link", lambda name: link)
    check = inputs.can(CanInputConfig(enabled=True))
    assert (check.grade, words in check.detail) == (grade, True)


def test_the_link_of_this_machine_is_read():
    assert inputs._link("no-such-link") is None
    loopback = inputs._link("lo")
    assert loopback is None or "LOOPBACK" in loopback["flags"], "None where there is no `ip`"
    assert InputsConfig().sources == []
