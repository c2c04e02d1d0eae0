"""The MQTT sink against a real mosquitto."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest

from dms.alerts.manager import AlertManager
from dms.alerts.profiles import load_profile
from dms.assess import SIGNALS
from dms.config.sinks import MqttConfig, MqttTlsConfig
from dms.errors import ConfigError
from dms.mqtt_client import new_client
from dms.records import Assessment, DriverState, HealthState, Phase, Signal
from dms.sinks import driver_payload, system_payload
from dms.sinks.mqtt import MqttSink
from dms.sinks.mqtt_link import EVENT_EXPIRY_S
from tests.e2e.broker import WAIT_S, Listener, Mosquitto, events, needs_mosquitto, on
from tests.unit.sinks import samples

pytestmark = needs_mosquitto
ROOT = "dms/v1/truck-7"


@contextmanager
def stopping(made):
    try:
        yield
    finally:
        made.stop()


def config(port, **changes):
    return MqttConfig(host="127.0.0.1", port=port, vehicle="truck-7", **changes)


def until(condition, timeout_s=WAIT_S):
    """Wait for what no event tells about."""
    give_up_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < give_up_s
        time.sleep(0.01)


def status(word):
    return lambda heard: heard.topic == f"{ROOT}/status" and heard.document["status"] == word


def tell(sink, n, **changes):
    sink.publish(
        samples.judgement(captured_s=n / 30, frame_id=n, alerts=[samples.alert(id=f"s-{n}", **changes)])
    )


def ids(heard):
    return [h.document["id"] for h in heard]


def test_everything_arrives_on_its_topic_with_its_qos(broker, listener):
    with closing(MqttSink(config(broker.port))) as sink:
        sink.publish(samples.health())
        tell(sink, 1)
        sink.publish(samples.vitals())
        sink.publish(samples.control())
        topics = ["status", "health", "event/fatigue/microsleep", "state", "metrics", "control"]
        heard = {topic: listener.wait(on(topic))[0] for topic in topics}
    assert all(h.topic == f"{ROOT}/{topic}" for topic, h in heard.items())
    assert all(h.qos == 1 for h in heard.values())
    assert {h.document["schema"] for h in heard.values()} == {
        f"dms.{name}/1" for name in ("status", "health", "event", "state", "metrics", "control")
    }


def test_a_late_subscriber_gets_status_state_health_and_level_but_no_event(broker, listener):
    with closing(MqttSink(config(broker.port))) as sink:
        sink.publish(samples.health())
        sink.publish(samples.control())
        tell(sink, 1)
        sink.publish(samples.vitals())
        listener.wait(events)
        listener.wait(on("state"))
        listener.wait(on("metrics"))
        listener.wait(on("control"))
        with closing(Listener(broker.port)) as late:
            late.publish("done", "{}")  # the broker sends retained messages first
            late.wait(on("done"))
            heard = late.all(on(""))[:-1]
    assert {h.topic.removeprefix(f"{ROOT}/") for h in heard} == {"status", "state", "health", "control"}
    assert all(h.retained for h in heard)


def test_the_phases_of_an_alert_arrive_in_order_with_one_id(broker, listener):
    with closing(MqttSink(config(broker.port))) as sink:
        for n, phase in enumerate([Phase.START, Phase.UPDATE, Phase.END]):
            sink.publish(samples.judgement(captured_s=n / 10, alerts=[samples.alert(phase=phase)]))
        heard = listener.wait(events, 3)
        (last,) = listener.wait(
            lambda h: on("state")(h) and h.document["alerts"] == [] and h.document["seq"] > 1
        )
    assert [(h.document["id"], h.document["phase"], h.document["seq"]) for h in heard] == [
        ("s-1", "start", 1),
        ("s-1", "update", 2),
        ("s-1", "end", 3),
    ]
    assert last.document["state"] == "attentive"


def test_state_comes_at_its_rate_and_at_once_when_it_changes(broker, listener):
    with closing(MqttSink(config(broker.port))) as sink:
        for n in range(61):
            sink.publish(samples.judgement(captured_s=n / 30, frame_id=n))
        listener.wait(lambda h: on("state")(h) and h.document["captured_s"] == 2.0)
        sink.publish(samples.judgement(captured_s=2.04, state=DriverState.DISTRACTED))
        (changed,) = listener.wait(lambda h: h.document.get("state") == "distracted")
    assert (changed.document["seq"], changed.document["captured_s"]) == (6, 2.04)


def test_all_causes_are_told_and_good_health_clears_them(broker, listener):
    with closing(MqttSink(config(broker.port))) as sink:
        sink.publish(samples.health(state=HealthState.FAULT, source_lost="gone", engine_eyes="NaN"))
        (both,) = listener.wait(lambda h: on("health")(h) and len(h.document["causes"]) == 2)
        sink.publish(samples.good_health())
        (good,) = listener.wait(lambda h: on("health")(h) and h.document["state"] == "ok")
    assert both.document["state"] == "fault"
    assert good.document["causes"] == []


def test_a_clean_end_says_offline_and_brings_no_last_will(broker, listener):
    sink = MqttSink(config(broker.port))
    listener.wait(status("online"))
    tell(sink, 1)
    sink.close()
    (offline,) = listener.wait(status("offline"))
    assert offline.document["reason"] == "closed"
    assert [h.document["state"] for h in listener.all(on("/state"))] == ["attentive", "unknown"]
    assert [h.topic.rpartition("/")[2] for h in listener.all()][-2:] == ["state", "status"]
    assert ids(listener.wait(events)) == ["s-1"]
    assert len(listener.all(status("offline"))) == 1


def test_every_change_of_level_is_told_and_a_system_that_ended_has_none(broker, listener):
    with closing(MqttSink(config(broker.port))) as sink:
        for level, previous in ((0, 0), (1, 0), (2, 1)):
            sink.publish(samples.control(level=level, previous=previous))
            listener.wait(lambda h, level=level: on("/control")(h) and h.document["level"] == level)
    listener.wait(status("offline"))
    told = [h.document for h in listener.all(on("/control"))]
    assert [(d["level"], d["previous"], d["cause"]) for d in told] == [
        (0, 0, "temperature"),
        (1, 0, "temperature"),
        (2, 1, "temperature"),
        (None, 2, "ended"),
    ]
    assert listener.all()[-1].topic.endswith("/status"), "nothing comes after `offline`"


def test_what_is_retained_after_a_clean_end_tells_when_it_was_and_that_nothing_is_known(broker):
    with closing(MqttSink(config(broker.port))) as sink:
        until(lambda: sink.connected)
        sink.publish(samples.good_health(captured_s=1.0))
        sink.publish(samples.control(captured_s=2.0))
        sink.publish(samples.judgement(captured_s=30.0))
    with closing(Listener(broker.port)) as late:
        late.wait(status("offline"))
        told = {name: late.wait(on(f"/{name}"))[0] for name in ("state", "control", "health")}
    assert all(heard.retained for heard in told.values())
    assert {heard.document["captured_s"] for heard in told.values()} == {30.0}
    assert [told["state"].document["state"], told["control"].document["level"]] == ["unknown", None]
    assert told["health"].document["state"] is None


def test_a_health_that_was_never_told_is_not_taken_back(broker, listener):
    with closing(MqttSink(config(broker.port))) as sink:
        listener.wait(status("online"))
        tell(sink, 1)
    listener.wait(status("offline"))
    assert listener.all(on("/health")) == []


def tell_now(sink, n):
    """An event and a state of a frame captured at this moment, by the machine's clock."""
    now_s = time.monotonic()
    alert = samples.alert(id=f"s-{n}", onset_s=now_s - 1.5, at_s=now_s)
    sink.publish(samples.judgement(captured_s=now_s, frame_id=n, alerts=[alert]))


def age_of(captured_s):
    return time.monotonic() - captured_s


ACKS = ("event_ack_p50_s", "event_ack_p95_s", "state_ack_p50_s", "state_ack_p95_s")


def test_the_way_from_capture_to_the_brokers_confirmation_is_timed(broker):
    with closing(MqttSink(config(broker.port), age_of=age_of)) as sink:
        until(lambda: sink.connected)
        assert not sink.figures().keys() & set(ACKS)
        for n in range(20):
            tell_now(sink, n)
            assert sink._outbox.wait_empty(WAIT_S)
        told = sink.figures()
        assert all(0 < told[name] < 2 for name in ACKS), told
        assert told["event_ack_p50_s"] <= told["event_ack_p95_s"]
        assert (told["events_waiting"], told["events_dropped"], told["oldest_unconfirmed_s"]) == (0, 0, 0)


def test_the_way_to_a_broker_that_is_away_is_unknown_and_then_as_long_as_it_was(broker):
    with closing(MqttSink(config(broker.port), age_of=age_of)) as sink:
        tell_now(sink, 0)
        until(lambda: "event_ack_p95_s" in sink.figures())
        assert sink._outbox.wait_empty(WAIT_S)
        broker.stop()
        until(lambda: not sink.connected)
        away_s = time.monotonic()
        tell_now(sink, 1)
        assert not sink.figures().keys() & set(ACKS)
        first_s = sink.figures()["oldest_unconfirmed_s"]
        until(lambda: sink.figures()["oldest_unconfirmed_s"] > first_s + 0.2)
        assert sink.figures()["events_waiting"] == 1
        broker.start()
        least_s = time.monotonic() - away_s
        assert sink._outbox.wait_empty(WAIT_S)
        assert sink.figures()["event_ack_p95_s"] > 0.9 * least_s


def test_a_recording_as_fast_as_it_goes_has_no_such_figure(broker):
    with closing(MqttSink(config(broker.port))) as sink:
        tell(sink, 1)
        assert sink._outbox.wait_empty(WAIT_S)
        assert sink.figures().keys() == {"events_waiting", "events_dropped", "oldest_unconfirmed_s"}


CHILD = """
    import sys, time
    from dms.config.sinks import MqttConfig
    from dms.sinks.mqtt import MqttSink
    sink = MqttSink(MqttConfig(host="127.0.0.1", port=int(sys.argv[1]), vehicle="truck-7"))
    sys.stdin.read()
"""


def start_child(port):
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(CHILD), str(port)], stdin=subprocess.PIPE)


def end_child(child):
    child.kill()
    child.wait(WAIT_S)
    child.stdin.close()


def test_a_killed_process_leaves_its_last_will(broker, listener):
    child = start_child(broker.port)
    listener.wait(status("online"))
    end_child(child)
    (offline,) = listener.wait(status("offline"))
    assert offline.document["reason"] == "connection lost"
    with closing(Listener(broker.port)) as late:
        assert late.wait(status("offline"))[0].retained


def test_a_dead_predecessor_cannot_say_offline_after_its_successor_came_online(broker, listener):
    child = start_child(broker.port)
    try:
        listener.wait(status("online"))
        child.send_signal(signal.SIGSTOP)  # to the broker, it is still there
        with closing(MqttSink(config(broker.port))):
            listener.wait(status("online"), 2)
            heard = [h.document["status"] for h in listener.all(on("/status"))]
            assert heard == ["online", "offline", "online"]
    finally:
        end_child(child)


def test_events_of_a_broken_connection_arrive_in_order_when_the_broker_is_back(tmp_path):
    """The subscriber has a session the broker saves, so it misses nothing that comes before it is back."""
    saved = Mosquitto(tmp_path, "persistence true", f"persistence_location {tmp_path}/").start()
    with stopping(saved), closing(MqttSink(config(saved.port))) as sink:
        first = Listener(saved.port, session="recorder")
        tell(sink, 0)
        assert ids(first.wait(events)) == ["s-0"]
        first.close()
        saved.stop()
        until(lambda: not sink.connected)
        for n in range(1, 51):
            tell(sink, n)
        assert "50 events wait, 0 dropped" in sink.fault()
        saved.start()
        with closing(Listener(saved.port, session="recorder")) as second:
            # s-0 may come again: the first listener perhaps went before it had confirmed it.
            heard = ids(second.wait(lambda h: events(h) and h.document["id"] != "s-0", 50))
        assert heard == [f"s-{n}" for n in range(1, 51)]
        assert sink.fault() is None


def test_a_broker_that_forgot_everything_is_told_status_state_and_health_again(broker):
    with closing(MqttSink(config(broker.port))) as sink:
        sink.publish(samples.health())
        tell(sink, 1)
        assert sink._outbox.wait_empty(WAIT_S)
        broker.stop()
        until(lambda: not sink.connected)
        broker.start()
        with closing(Listener(broker.port)) as listener:
            listener.wait(status("online"))
            assert listener.wait(on("/health"))[0].document["state"] == "degraded"
            assert listener.wait(on("/state"))[0].document["alerts"][0]["id"] == "s-1"
            assert listener.all(events) == []


def test_a_broker_that_freezes_holds_up_nothing_and_gets_all_when_it_thaws(broker, listener):
    with closing(MqttSink(config(broker.port))) as sink:
        listener.wait(status("online"))
        broker.freeze()
        begun_s = time.monotonic()
        for n in range(200):
            tell(sink, n)
        assert time.monotonic() - begun_s < 2
        until(lambda: "confirms nothing any more; 200 events wait" in (sink.fault() or ""))
        broker.thaw()
        assert ids(listener.wait(events, 200)) == [f"s-{n}" for n in range(200)]


def test_a_broker_that_comes_later_gets_what_was_kept(tmp_path, caplog):
    late = Mosquitto(tmp_path)
    with stopping(late), closing(MqttSink(config(late.port, queue_limit=5))) as sink:
        until(lambda: "connection refused" in (sink.fault() or ""))
        for n in range(8):
            tell(sink, n)
        assert "5 events wait, 3 dropped" in sink.fault()
        late.start()
        with closing(Listener(late.port)) as listener:
            assert ids(listener.wait(events, 5)) == ["s-3", "s-4", "s-5", "s-6", "s-7"]
            assert sink._outbox.wait_empty(WAIT_S)
            sink.publish(samples.vitals())
            (metrics,) = listener.wait(on("metrics"))
            assert metrics.document["undelivered"] == {"events_waiting": 0, "events_dropped": 3}
            assert listener.all(events)[0].document["seq"] == 4, "a gap in seq shows what is missing"
        assert sink.fault() is None
    told = [
        r.getMessage()
        for r in caplog.records
        if "cannot be reached, trying again: connection refused" in r.getMessage()
    ]
    assert len(told) == 1


def test_mqtt_5_says_how_long_an_event_is_worth_keeping(broker):
    with (
        closing(Listener(broker.port, protocol=mqtt.MQTTv5)) as listener,
        closing(MqttSink(config(broker.port, protocol="5"))) as sink,
    ):
        tell(sink, 1)
        (event,) = listener.wait(events)
        (state,) = listener.wait(on("/state"))
        assert event.properties.ContentType == "application/json"
        assert EVENT_EXPIRY_S - 5 <= event.properties.MessageExpiryInterval <= EVENT_EXPIRY_S
        assert not hasattr(state.properties, "MessageExpiryInterval")
        listener.wait(status("online"))


def test_a_mqtt_5_client_that_dies_leaves_its_will(broker, listener):
    sink = MqttSink(config(broker.port, protocol="5"))
    listener.wait(status("online"))
    sink._link._client.socket().shutdown(socket.SHUT_RDWR)
    (will,) = listener.wait(status("offline"))
    assert will.document["reason"] == "connection lost"
    listener.wait(status("online"), 2)
    sink.close()


@pytest.fixture
def password_broker(tmp_path):
    passwords = tmp_path / "passwords"
    maker = shutil.which("mosquitto_passwd")
    if maker is None:
        pytest.skip("mosquitto_passwd is not installed")
    subprocess.run([maker, "-c", "-b", passwords, "truck-7", "right"], check=True, capture_output=True)
    acl = tmp_path / "acl"
    acl.write_text("user truck-7\ntopic readwrite dms/v1/truck-7/status\ntopic write dms/v1/truck-7/state\n")
    made = Mosquitto(tmp_path, f"password_file {passwords}", f"acl_file {acl}", anonymous=False).start()
    yield made
    made.stop()


def login(tmp_path, password):
    path = tmp_path / "password"
    path.write_text(password + "\n")
    return {"username": "truck-7", "password_file": str(path)}


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_a_refused_login_is_a_fault_that_says_so(password_broker, tmp_path, protocol):
    with closing(
        MqttSink(config(password_broker.port, protocol=protocol, **login(tmp_path, "wrong")))
    ) as sink:
        until(lambda: "refused the connection: Not authorized" in (sink.fault() or ""))
        tell(sink, 1)
        assert not sink.connected
        assert "1 events wait" in sink.fault()


def test_the_right_password_gets_in(password_broker, tmp_path):
    with closing(MqttSink(config(password_broker.port, **login(tmp_path, "right")))) as sink:
        until(lambda: sink.connected)
        assert sink.fault() is None


def test_a_message_the_broker_forbids_is_a_fault(password_broker, tmp_path):
    with closing(MqttSink(config(password_broker.port, protocol="5", **login(tmp_path, "right")))) as sink:
        until(lambda: sink.connected)
        tell(sink, 1)
        until(lambda: "refuses a message: Not authorized" in (sink.fault() or ""))
        assert sink.connected


def test_the_acl_in_the_manual_lets_a_vehicle_write_below_its_own_name_only(tmp_path):
    manual = Path(__file__).parents[2] / "docs" / "mqtt.md"
    (tmp_path / "acl").write_text(manual.read_text().split("```acl\n")[1].split("```")[0])
    made = Mosquitto(tmp_path, f"acl_file {tmp_path}/acl").start()
    # Without a password file every name is taken at its word.
    (tmp_path / "any").write_text("any")
    who = {"protocol": "5", "username": "truck-7", "password_file": str(tmp_path / "any")}
    other = MqttConfig(host="127.0.0.1", port=made.port, vehicle="truck-8", **who)
    with stopping(made):
        with closing(MqttSink(config(made.port, **who))) as sink:
            tell(sink, 1)
            sink.publish(samples.health())
            sink.publish(samples.vitals())
            assert sink._outbox.wait_empty(WAIT_S)
            assert sink.fault() is None
        with closing(MqttSink(other)) as sink:
            until(lambda: "refuses a message" in (sink.fault() or ""))


def test_the_examples_in_the_manual_have_the_fields_that_are_sent():
    text = (Path(__file__).parents[2] / "docs" / "mqtt.md").read_text()
    examples = [json.loads(block.split("```")[0]) for block in text.split("```json\n")[1:]]
    judged, origin = samples.judgement(), system_payload.Origin()
    sent = [
        system_payload.status(True, "connected", None, origin),
        driver_payload.state(judged, [samples.alert()], 1, None),
        driver_payload.event(microsleep(), judged.assessment, 1, None, origin),
        system_payload.health(samples.health(), None),
        system_payload.control(samples.control(), None),
        system_payload.metrics(samples.vitals(), {}, None),
    ]
    assert [shape(example) for example in examples] == [shape(document) for document in sent]
    assert examples[2]["cause"] == sent[2]["cause"]


def microsleep():
    """The start of a real alert, with the evidence of the shipped profile."""
    manager = AlertManager([load_profile("euroncap_2026")], "s")
    signals = {name: Signal(None) for name in SIGNALS} | {"closure_s": Signal(1.5, 10.0)}
    (alert,) = manager.update(Assessment(11.5, DriverState.ASLEEP, signals=signals))
    return alert


def shape(document):
    """The names of a document and of its fixed parts."""
    fixed = ("eyes", "head", "gaze", "fatigue", "distraction", "latency_ms", "evidence", "device", "drops")
    return {name: sorted(document[name]) if name in fixed else None for name in document}


KEY_USAGE = "keyUsage=critical,keyCertSign"
# paho forgets the socket of a failed TLS handshake; Python's reference count closes it.
leaks_in_paho = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """An authority, a broker's and a client's certificate by it, and another authority."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("certificates")

    def run(*arguments):
        subprocess.run([openssl, *arguments], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    for ca in ("ca", "other"):
        files = ("-keyout", f"{ca}.key", "-out", f"{ca}.pem")
        run("req", "-x509", *key, *files, "-subj", f"/CN={ca}", "-days", "2", "-addext", KEY_USAGE)
    for name in ("broker", "client"):
        (folder / "ext").write_text("subjectAltName=IP:127.0.0.1\nauthorityKeyIdentifier=keyid\n")
        run("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        run("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-out", f"{name}.pem", "-days", "2", "-extfile", "ext")  # fmt: skip
    return folder


@pytest.fixture
def tls_broker(tmp_path, certificates):
    made = Mosquitto(
        tmp_path,
        f"cafile {certificates}/ca.pem",
        f"certfile {certificates}/broker.pem",
        f"keyfile {certificates}/broker.key",
        "require_certificate true",
    ).start()
    yield made
    made.stop()


def tls(certificates, ca="ca", **changes):
    files = {
        "ca_file": str(certificates / f"{ca}.pem"),
        "cert_file": str(certificates / "client.pem"),
        "key_file": str(certificates / "client.key"),
    }
    return MqttTlsConfig(enabled=True, **{**files, **changes})


def test_tls_with_both_certificates_gets_in(tls_broker, certificates):
    with closing(MqttSink(config(tls_broker.port, tls=tls(certificates)))) as sink:
        until(lambda: sink.connected)
        tell(sink, 1)
        assert sink._outbox.wait_empty(WAIT_S)
        assert sink._link._client.socket().getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@leaks_in_paho
def test_tls_refuses_a_broker_of_another_authority(tls_broker, certificates):
    with closing(MqttSink(config(tls_broker.port, tls=tls(certificates, ca="other")))) as sink:
        until(lambda: "CERTIFICATE_VERIFY_FAILED" in (sink.fault() or ""))
        assert not sink.connected


@leaks_in_paho
def test_tls_refuses_a_certificate_for_another_host_unless_told_otherwise(tls_broker, certificates):
    strict = MqttConfig(host="localhost", port=tls_broker.port, tls=tls(certificates))
    with closing(MqttSink(strict)) as sink:
        until(lambda: "match" in (sink.fault() or "").lower())
        assert not sink.connected
    lax = MqttConfig(host="localhost", port=tls_broker.port, tls=tls(certificates, insecure=True))
    with closing(MqttSink(lax)) as sink:
        until(lambda: sink.connected)
        assert sink.fault() is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ca_file": "/nowhere/ca.pem"}, r"tls\.ca_file /nowhere/ca\.pem does not exist; name a PEM file"),
        ({"cert_file": None}, r"tls\.key_file is set but .*cert_file is not"),
    ],
)
def test_tls_files_are_checked_at_start(certificates, changes, words):
    with pytest.raises(ConfigError, match=words):
        MqttSink(config(1, tls=tls(certificates, **changes)))


def test_a_key_that_does_not_belong_to_the_certificate_is_refused(certificates):
    with pytest.raises(ConfigError, match=r"certificates cannot be used: .*; give readable PEM files"):
        MqttSink(config(1, tls=tls(certificates, key_file=str(certificates / "broker.key"))))


def test_small_messages_go_out_at_once(broker):
    client = new_client(config(broker.port), "probe")
    connected = threading.Event()
    client.on_connect = lambda *rest: connected.set()
    client.loop_start()
    assert connected.wait(WAIT_S)
    assert client.socket().getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
    client.disconnect()
    client.loop_stop()
