import io
import json
import logging
import socket
import sys
import threading
import time
from contextlib import closing

import pytest

from dms.config.sinks import MqttConfig, MqttTlsConfig
from dms.demo_broker import DemoBroker
from dms.errors import ConfigError, SinkError
from dms.sinks.mqtt import MqttSink
from dms.watch import watch
from dms.watch_screen import JsonScreen, Screen
from tests.unit.sinks import samples

HOST = "127.0.0.1"
WAIT_S = 15.0


def at(port, host=HOST, **changes):
    return MqttConfig(host=host, port=port, **changes)


def free_port():
    with socket.create_server((HOST, 0)) as server:
        return server.getsockname()[1]


@pytest.fixture
def demo():
    pytest.importorskip("amqtt", reason="the extra `demo` is not installed")
    port = free_port()
    with closing(DemoBroker.start_if_none(at(port))) as broker:
        yield broker, port


def test_it_starts_quickly_quietly_and_frees_the_port(caplog):
    pytest.importorskip("amqtt", reason="the extra `demo` is not installed")
    caplog.set_level(logging.DEBUG)
    port = free_port()
    begun_s = time.monotonic()
    broker = DemoBroker.start_if_none(at(port))
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
    assert DemoBroker.start_if_none(at(port, protocol="5")) is None


def test_it_never_plays_another_machine():
    assert DemoBroker.start_if_none(at(1883, host="192.0.2.1")) is None


@pytest.mark.parametrize("changes", [{"protocol": "5"}, {"tls": MqttTlsConfig(enabled=True)}])
def test_what_it_does_not_speak_is_refused(changes):
    with pytest.raises(ConfigError, match=r"amqtt.* 3\.1\.1 without TLS only.*mosquitto"):
        DemoBroker.start_if_none(at(free_port(), **changes))


def test_without_amqtt_it_says_which_extra_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "amqtt.broker", None)
    with pytest.raises(SinkError, match=r"pip install '\.\[demo\]'"):
        DemoBroker.start_if_none(at(free_port()))


def test_a_port_that_cannot_be_taken_is_said():
    pytest.importorskip("amqtt", reason="the extra `demo` is not installed")
    with socket.socket() as taken:
        taken.bind((HOST, 0))  # bound but not listening: nobody answers, and nobody else may have it
        port = taken.getsockname()[1]
        with pytest.raises(SinkError, match="choose another"):
            DemoBroker.start_if_none(at(port))


class Watching:
    """`watch` in a thread, and what it has written so far."""

    def __init__(self, config, vehicle=None, as_json=False, **keywords):
        self.out, self.errors, self._stop = io.StringIO(), io.StringIO(), threading.Event()
        screen = JsonScreen(self.out, self.errors) if as_json else Screen(self.out, live=False)
        self._thread = threading.Thread(
            daemon=True, target=watch, args=(config, vehicle, screen, self._stop), kwargs=keywords
        )
        self._thread.start()

    def until(self, words, told="out"):
        give_up_s = time.monotonic() + WAIT_S
        while words not in getattr(self, told).getvalue():
            assert time.monotonic() < give_up_s, (words, self.out.getvalue(), self.errors.getvalue())
            time.sleep(0.02)

    def close(self):
        self._stop.set()
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()


def test_from_the_sink_through_the_broker_to_the_watcher(demo):
    _, port = demo
    with closing(Watching(at(port), as_json=True)) as watching:
        watching.until("connected", "errors")
        with closing(MqttSink(at(port))) as sink:
            watching.until('"online"')  # so it has subscribed
            sink.publish(samples.health())
            sink.publish(samples.vitals())
            for n in range(3):
                sink.publish(samples.judgement(captured_s=float(n), alerts=[samples.alert(id=f"s-{n}")]))
            assert sink._outbox.wait_empty(WAIT_S)
        watching.until('"offline"')
    told = [json.loads(line) for line in watching.out.getvalue().splitlines()]
    assert all(line.keys() == {"topic", "payload"} for line in told)
    below = "dms/v1/vehicle/"
    assert {line["topic"].removeprefix(below) for line in told} == {
        "status",
        "state",
        "health",
        "metrics",
        "event/fatigue/microsleep",
    }
    events = [line["payload"] for line in told if "/event/" in line["topic"]]
    assert [event["id"] for event in events] == ["s-0", "s-1", "s-2"]
    assert [type(event["seq"]) for event in events] == [int] * 3


def test_all_vehicles_are_shown_with_their_names_or_only_the_one_named(demo):
    _, port = demo
    with (
        closing(MqttSink(at(port, vehicle="truck-7"))),
        closing(MqttSink(at(port, vehicle="truck-8"))),
        closing(Watching(at(port))) as every,
        closing(Watching(at(port), "truck-8")) as one,
    ):
        every.until("truck-7  dms")
        every.until("truck-8  dms")
        one.until("truck-8  dms")
    assert "truck-7" not in one.out.getvalue()


def test_where_nothing_comes_a_hint_says_what_is_listened_to(demo):
    _, port = demo
    with closing(Watching(at(port), "truck-9", hint_after_s=0.1)) as watching:
        watching.until("nothing on dms/v1/truck-9/# for 0.1 s; is the vehicle running")
        assert watching.errors.getvalue() == ""


def test_who_comes_after_a_clean_end_reads_no_old_verdict(demo):
    _, port = demo
    with closing(MqttSink(at(port))) as sink:
        sink.publish(samples.judgement(alerts=[samples.alert()]))
        assert sink._outbox.wait_empty(WAIT_S)
    with closing(Watching(at(port), as_json=True)) as late:
        late.until("dms.state/1")
    told = [json.loads(line) for line in late.out.getvalue().splitlines()]
    state = next(line["payload"] for line in told if line["topic"].endswith("/state"))
    assert (state["state"], state["valid"], state["unknown_causes"]) == ("unknown", False, ["stale"])
    assert state["alerts"] == []
    assert set(state["signals"].values()) == {None}
    assert state["captured_s"] == 11.5
