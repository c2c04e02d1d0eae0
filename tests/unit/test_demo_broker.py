import io
import json
import logging
import socket
import sys
import threading
import time
from contextlib import closing

import pytest

from dms.config.sinks import MqttConfig
from dms.demo_broker import DemoBroker
from dms.errors import SinkError
from dms.sinks.mqtt import MqttSink
from dms.watch import watch
from tests.unit.sinks import samples

HOST = "127.0.0.1"
WAIT_S = 15.0


def free_port():
    with socket.create_server((HOST, 0)) as server:
        return server.getsockname()[1]


@pytest.fixture
def demo():
    pytest.importorskip("amqtt", reason="the extra `demo` is not installed")
    port = free_port()
    with closing(DemoBroker.start_if_none(HOST, port)) as broker:
        yield broker, port


def test_it_starts_quickly_quietly_and_frees_the_port(caplog):
    pytest.importorskip("amqtt", reason="the extra `demo` is not installed")
    caplog.set_level(logging.DEBUG)
    port = free_port()
    begun_s = time.monotonic()
    broker = DemoBroker.start_if_none(HOST, port)
    assert time.monotonic() - begun_s < 5  # the first import of amqtt included
    socket.create_connection((HOST, port), 1).close()
    broker.close()
    broker.close()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((HOST, port), 1)
    told = [r for r in caplog.records if r.levelno > logging.DEBUG]
    assert [r.name for r in told] == ["dms.demo_broker"]


def test_it_leaves_a_broker_that_listens_alone(demo):
    _, port = demo
    assert DemoBroker.start_if_none(HOST, port) is None


def test_it_never_plays_another_machine():
    assert DemoBroker.start_if_none("192.0.2.1", 1883) is None


def test_without_amqtt_it_says_which_extra_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "amqtt.broker", None)
    with pytest.raises(SinkError, match=r"pip install 'dms\[demo\]'"):
        DemoBroker.start_if_none(HOST, free_port())


def test_a_port_that_cannot_be_taken_is_said():
    pytest.importorskip("amqtt", reason="the extra `demo` is not installed")
    with socket.socket() as taken:
        taken.bind((HOST, 0))  # bound but not listening: nobody answers, and nobody else may have it
        port = taken.getsockname()[1]
        with pytest.raises(SinkError, match="choose another"):
            DemoBroker.start_if_none(HOST, port)


def test_from_the_sink_through_the_broker_to_the_watcher(demo):
    _, port = demo
    config = MqttConfig(host=HOST, port=port)
    out, stop = io.StringIO(), threading.Event()
    watcher = threading.Thread(target=watch, args=(config, out, stop), kwargs={"as_json": True, "limit": 3})
    with closing(MqttSink(config)) as sink:
        watcher.start()
        give_up_s = time.monotonic() + WAIT_S
        n = 0
        while watcher.is_alive() and time.monotonic() < give_up_s:  # events before it has subscribed are lost
            sink.publish(samples.judgement(captured_s=n / 10, alerts=[samples.alert(id=f"s-{n}")]))
            n += 1
            watcher.join(0.1)
    stop.set()
    watcher.join(WAIT_S)
    ids = [int(json.loads(line)["id"].removeprefix("s-")) for line in out.getvalue().splitlines()]
    assert len(ids) == 3
    assert ids == list(range(ids[0], ids[0] + 3))


def test_a_late_subscriber_gets_the_retained_state(demo):
    _, port = demo
    config = MqttConfig(host=HOST, port=port)
    with closing(MqttSink(config)) as sink:
        sink.publish(samples.judgement())
        assert sink._outbox.wait_empty(WAIT_S)
        out, stop = io.StringIO(), threading.Event()
        watcher = threading.Thread(target=watch, args=(config, out, stop))
        watcher.start()
        give_up_s = time.monotonic() + WAIT_S
        while "is online" not in out.getvalue():
            assert time.monotonic() < give_up_s
            time.sleep(0.02)
        stop.set()
        watcher.join(WAIT_S)
