"""What every sink keeps, whatever it tells whom: it never raises, never holds up the loop, closes twice."""

import math
import socket
import time
from pathlib import Path

import pytest

from dms.config import Config
from dms.config.blackbox import BlackboxConfig
from dms.config.local import GpioConfig, HookConfig, SoundConfig
from dms.config.sinks import MqttConfig, PrometheusConfig
from dms.recording.about import about
from dms.recording.blackbox import BlackBox
from dms.recording.record import RecordSink
from dms.sinks.gpio import GpioSink
from dms.sinks.hook import HookSink
from dms.sinks.jsonl import JsonlSink
from dms.sinks.log import LogSink
from dms.sinks.mqtt import MqttSink
from dms.sinks.prometheus import PrometheusServer, PrometheusSink
from dms.sinks.sound import SoundSink
from dms.sinks.system_payload import Origin
from dms.summary import SummarySink
from tests.unit.sinks import samples


def unused_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def make_jsonl(tmp_path):
    return JsonlSink(tmp_path / "frames.jsonl")


def make_jsonl_full(tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    return JsonlSink(Path("/dev/full"))


def make_mqtt_without_broker(tmp_path):
    return MqttSink(MqttConfig(host="127.0.0.1", port=unused_port(), queue_limit=10))


def make_sound_without_device(tmp_path):
    pytest.importorskip("miniaudio", reason="miniaudio is not installed: pip install 'dms[sound]'")
    return SoundSink(SoundConfig(enabled=True, backend="alsa", device="no such device"))


def make_gpio_without_chip(tmp_path):
    pytest.importorskip("gpiod", reason="gpiod is not installed: pip install 'dms[gpio]'")
    return GpioSink(GpioConfig(enabled=True, chip=str(tmp_path / "gpiochip9"), urgent_line=1))


def make_hook(*command):
    return lambda tmp_path: HookSink(HookConfig(command=command), Origin())


class PrometheusOfItsOwn(PrometheusSink):
    """A sink with its own server, which it closes."""

    def __init__(self):
        self._own = PrometheusServer(PrometheusConfig(port=0))
        super().__init__(self._own, "truck-7")

    def close(self):
        super().close()
        self._own.close()


def make_blackbox(tmp_path):
    return BlackBox(BlackboxConfig(folder=str(tmp_path / "box")), *about(Config(), Origin()))


SINKS = {
    "blackbox": make_blackbox,
    "record": lambda tmp_path: RecordSink(tmp_path / "run.dms", *about(Config(), Origin())),
    "log": lambda tmp_path: LogSink(),
    "terminal": lambda tmp_path: LogSink(lambda line: None),
    "jsonl": make_jsonl,
    "jsonl-full-disk": make_jsonl_full,
    "mqtt-no-broker": make_mqtt_without_broker,
    "mqtt5-no-broker": lambda tmp_path: MqttSink(
        MqttConfig(host="127.0.0.1", port=unused_port(), protocol="5", queue_limit=10)
    ),
    "prometheus": lambda tmp_path: PrometheusOfItsOwn(),
    "sound-no-device": make_sound_without_device,
    "gpio-no-chip": make_gpio_without_chip,
    "hook": make_hook("cat"),
    "hook-missing": make_hook("/no/such/command"),
    "hook-hanging": make_hook("sleep", "100"),
    "summary": lambda tmp_path: SummarySink(),
}


@pytest.fixture(params=SINKS)
def sink(request, tmp_path):
    made = SINKS[request.param](tmp_path)
    yield made
    made.close()


def messages():
    yield samples.health()
    for n in range(100):
        alerts = [samples.alert(id=f"s-{n}")] if n % 10 == 0 else []
        yield samples.judgement(captured_s=n / 30, frame_id=n, alerts=alerts)
    yield samples.blind()
    yield samples.vitals()
    yield samples.vitals(device=None, sinks={})
    yield samples.control()


def test_publish_takes_every_message(sink):
    for message in messages():
        assert sink.publish(message) is None


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_publish_never_raises_whatever_the_numbers(sink, value):
    for message in samples.nonsense(value):
        sink.publish(message)


def test_publish_returns_at_once(sink):
    taken_s = []
    for message in messages():
        begun_s = time.perf_counter()
        sink.publish(message)
        taken_s.append(time.perf_counter() - begun_s)
    # The median leaves out what the machine's other work takes; a frame has 33 ms.
    assert sorted(taken_s)[len(taken_s) // 2] < 0.005


def test_fault_is_a_sentence_or_none(sink):
    for message in messages():
        sink.publish(message)
    fault = sink.fault()
    assert fault is None or (isinstance(fault, str) and len(fault) > 10)


def test_figures_are_plain_numbers_by_name(sink):
    before = dict(sink.figures())
    for message in messages():
        sink.publish(message)
    after = dict(sink.figures())
    assert before.keys() <= after.keys(), "a figure that is known from the start stays"
    assert all(isinstance(name, str) and name.isidentifier() for name in after)
    assert all(math.isfinite(value) and value >= 0 for value in after.values())


def test_close_twice_and_publish_after_it(sink):
    sink.publish(samples.judgement())
    begun_s = time.monotonic()
    sink.close()
    sink.close()
    assert time.monotonic() - begun_s < 5
    sink.publish(samples.judgement())
    sink.fault()
    sink.figures()
