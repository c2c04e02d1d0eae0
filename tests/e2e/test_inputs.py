"""What comes in, through a real mosquitto and a real gpsd."""

import json
import shutil
import subprocess
import threading
import time
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest

from dms.config import Config
from dms.config.inputs import InputsConfig
from dms.config.sinks import MqttConfig, SinksConfig
from dms.inputs.hub import open_inputs
from dms.inputs.vss import VSS
from dms.records import Turn
from tests.e2e.broker import WAIT_S, Mosquitto, free_port, needs_mosquitto

ROOT = "dms/v1/truck-7"
GPSD = shutil.which("gpsd") or shutil.which("gpsd", path="/usr/sbin")
needs_gpsd = pytest.mark.skipif(
    GPSD is None or shutil.which("gpsfake") is None,
    reason="gpsd is not installed (apt install gpsd gpsd-clients)",
)


def config(port, **inputs):
    chosen = InputsConfig.model_validate({"acknowledge": {"key": {"terminal": False}}, **inputs})
    broker = SinksConfig(mqtt=MqttConfig(host="127.0.0.1", port=port, vehicle="truck-7"))
    return Config().model_copy(update={"inputs": chosen, "sinks": broker})


def listening(port, **mqtt):
    return config(port, mqtt={"signals": True, "acknowledge": True, **mqtt})


@contextmanager
def vehicle(port):
    """Somebody who publishes."""
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    yield client
    client.disconnect()
    client.loop_stop()


def send(client, topic, payload, **how):
    client.publish(f"{ROOT}/{topic}", payload, qos=1, **how).wait_for_publish(WAIT_S)


def until(hub, found):
    """The first context of which `found` is true; asks as a loop does, again and again."""
    give_up_s = time.monotonic() + WAIT_S
    while not found(context := hub.context()):
        assert time.monotonic() < give_up_s, context
        time.sleep(0.002)
    return context


def heard(hub, client):
    """Wait until the input has subscribed: before, a message would reach nobody."""
    give_up_s = time.monotonic() + WAIT_S
    while hub.context().vehicle.driver_side is None:
        assert time.monotonic() < give_up_s, hub.context()
        send(client, "in/Vehicle/Cabin/DriverPosition", "LEFT")
        time.sleep(0.05)


def refused(reason):
    return lambda context: reason in context.vehicle.faults.get("mqtt", "")


@pytest.fixture
def talk(broker):
    """A hub that listens, and somebody who publishes."""
    with open_inputs(listening(broker.port)) as hub, vehicle(broker.port) as client:
        heard(hub, client)
        yield hub, client


@needs_mosquitto
def test_every_signal_arrives_by_either_spelling(talk):
    hub, client = talk
    send(client, "in/Vehicle/Speed", "12.5")
    send(client, "in/Vehicle.Powertrain.Transmission.CurrentGear", "-1")
    send(client, "in/Vehicle/Powertrain/Transmission/SelectedGear", "-1")
    send(client, "in/Vehicle/Body/Lights/DirectionIndicator/Left/IsSignaling", "true")
    send(client, "in/Vehicle.Body.Lights.DirectionIndicator.Right.IsSignaling", "false")
    send(client, "in/Vehicle/Body/Lights/Hazard/IsSignaling", '{"value": false}')
    send(client, "in/Vehicle/Chassis/SteeringWheel/Angle", "-12")
    seen = until(hub, lambda context: context.vehicle.steering_deg is not None)
    told = seen.vehicle
    assert (told.speed_kmh, told.speed_source, told.gear, told.reversing) == (12.5, "mqtt", -1, True)
    assert (told.turn, told.steering_deg, told.driver_side) == (Turn.LEFT, -12.0, "left")
    assert seen.configured
    assert not told.faults
    assert len(VSS) == 8, "all of them are above"


@needs_mosquitto
def test_the_age_of_a_stamped_speed_is_its_own(talk):
    hub, client = talk
    send(client, "in/Vehicle/Speed", json.dumps({"value": 60, "ts": time.time() - 1.5}))
    seen = until(hub, lambda context: context.vehicle.speed_kmh == 60.0)
    assert 1.4 < seen.vehicle.speed_age_s <= 2.0
    until(hub, lambda context: context.vehicle.speed_kmh is None)
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    send(client, "in/Vehicle/Speed", json.dumps({"value": 61, "ts": now}))
    until(hub, lambda context: context.vehicle.speed_kmh == 61.0)


@needs_mosquitto
@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ("fast!", "malformed"),
        ('{"value": 80, "lat": 48.1}', "malformed"),
        ("true", "malformed"),
        ("-5", "absurd"),
        ("1e9", "absurd"),
        ("300", "absurd"),
        ("NaN", "malformed"),
        ("9" * 1000, "malformed"),
        (json.dumps({"value": 80, "ts": 1_600_000_000}), "stale"),
        (json.dumps({"value": 80, "ts": 4_000_000_000}), "stale"),
    ],
)
def test_a_bad_speed_is_refused_and_told(talk, payload, reason):
    hub, client = talk
    send(client, "in/Vehicle/Speed", payload)
    assert until(hub, refused(f"1 {reason}")).vehicle.speed_kmh is None


@needs_mosquitto
def test_an_unknown_signal_is_told(talk):
    hub, client = talk
    send(client, "in/Vehicle/Sped", "80")
    assert "Vehicle/Sped" in until(hub, refused("1 unknown")).vehicle.faults["mqtt"]


@needs_mosquitto
def test_a_replayed_speed_is_refused(talk):
    hub, client = talk
    stamped = json.dumps({"value": 60, "ts": time.time()})
    send(client, "in/Vehicle/Speed", stamped)
    send(client, "in/Vehicle/Speed", stamped)
    assert until(hub, refused("1 replayed")).vehicle.speed_kmh in (60.0, None)


@needs_mosquitto
def test_an_absurd_jump_does_not_displace_the_true_speed(talk):
    hub, client = talk
    send(client, "in/Vehicle/Speed", "60")
    until(hub, lambda context: context.vehicle.speed_kmh == 60.0)
    send(client, "in/Vehicle/Speed", "240")
    assert until(hub, refused("1 implausible")).vehicle.speed_kmh in (60.0, None)


@needs_mosquitto
def test_a_retained_speed_is_refused(broker):
    with vehicle(broker.port) as client:
        send(client, "in/Vehicle/Speed", "60", retain=True)
        with open_inputs(listening(broker.port)) as hub:
            assert until(hub, refused("1 replayed")).vehicle.speed_kmh is None


@needs_mosquitto
def test_a_flood_is_refused_and_what_comes_at_the_right_rate_is_still_heard(broker):
    with open_inputs(listening(broker.port, rate_limit_hz=20.0)) as hub, vehicle(broker.port) as client:
        heard(hub, client)
        for _ in range(400):
            client.publish(f"{ROOT}/in/Vehicle/Speed", "50")
        send(client, "in/Vehicle/Chassis/SteeringWheel/Angle", "7")  # another topic, with a limit of its own
        seen = until(hub, lambda context: context.vehicle.steering_deg == 7.0)
    assert "flood" in seen.vehicle.faults["mqtt"]


@needs_mosquitto
def test_acknowledgements_come_once_and_by_id_or_for_all(talk):
    hub, client = talk
    for payload in ("3f2a9c01-12", "all", '{"value": "all"}', "two words", "12"):
        send(client, "cmd/acknowledge", payload)
    send(client, "cmd/acknowledge", "last")
    told = []
    until(
        hub, lambda context: told.extend(context.acknowledgements) or any(a.alert_id == "last" for a in told)
    )
    assert [each.alert_id for each in told] == ["3f2a9c01-12", None, None, "last"]
    assert {each.by for each in told} == {"mqtt"}
    assert refused("2 malformed")(hub.context())
    assert hub.context().acknowledgements == ()


@needs_mosquitto
def test_a_retained_acknowledgement_acknowledges_nothing(broker):
    with vehicle(broker.port) as client:
        send(client, "cmd/acknowledge", "all", retain=True)
        with open_inputs(listening(broker.port)) as hub:
            seen = until(hub, refused("1 replayed"))
    assert seen.acknowledgements == ()


@needs_mosquitto
def test_what_is_not_asked_for_is_not_listened_to(broker):
    with open_inputs(config(broker.port, mqtt={"acknowledge": True})) as hub, vehicle(broker.port) as client:
        give_up_s = time.monotonic() + WAIT_S
        while not hub.context().acknowledgements:
            assert time.monotonic() < give_up_s
            send(client, "in/Vehicle/Speed", "50")
            send(client, "cmd/acknowledge", "all")
            time.sleep(0.02)
        assert hub.context().vehicle.speed_kmh is None
        assert not hub.context().configured


@needs_mosquitto
def test_the_broker_may_come_late_go_and_come_back(tmp_path):
    made = Mosquitto(tmp_path)
    with open_inputs(listening(made.port)) as hub:
        until(hub, lambda context: "cannot be reached" in context.vehicle.faults.get("mqtt", ""))
        made.start()
        try:
            with vehicle(made.port) as client:
                heard(hub, client)
                assert not hub.context().vehicle.faults
            made.stop()
            until(hub, lambda context: "mqtt" in context.vehicle.faults)
            made.start()
            until(hub, lambda context: not context.vehicle.faults)
        finally:
            made.stop()
    assert not [thread.name for thread in threading.enumerate() if "inputs" in thread.name]


@needs_mosquitto
def test_a_broker_that_forbids_the_topic_is_told(tmp_path):
    rules = tmp_path / "rules"
    rules.write_text("topic read dms/v1/truck-7/state\n")
    rules.chmod(0o600)
    made = Mosquitto(tmp_path, f"acl_file {rules}").start()
    try:
        with open_inputs(config(made.port, mqtt={"signals": True}, missing_after_s=1.0)) as hub:
            seen = until(hub, lambda context: "mqtt" in context.vehicle.faults)
    finally:
        made.stop()
    # mosquitto 2.0 accepts a forbidden subscription and sends nothing: the silence is what is told
    assert "nothing was heard" in seen.vehicle.faults["mqtt"]


def nmea(body):
    check = 0
    for character in body:
        check ^= ord(character)
    return f"${body}*{check:02X}\r\n"


def drive(path, seconds, knots):
    """A receiver's log: a fix a second at one speed."""
    lines = []
    for n in range(seconds):
        at = f"{12 + n // 3600:02d}{n // 60 % 60:02d}{n % 60:02d}.00"
        lines.append(nmea(f"GPRMC,{at},A,4807.038,N,01131.000,E,{knots:05.1f},084.4,201126,,,A"))
        lines.append(nmea(f"GPGGA,{at},4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,"))
    path.write_text("".join(lines), newline="")
    return path


@needs_gpsd
@pytest.mark.slow
def test_a_real_gpsd_tells_the_speed(tmp_path):
    port = free_port()
    log = drive(tmp_path / "drive.nmea", 600, knots=43.2)
    gpsfake = subprocess.Popen(
        ["gpsfake", "-q", "-c", "0.2", "-P", str(port), str(log)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={"PATH": f"{Path(GPSD).parent}:/usr/sbin:/usr/bin:/bin", "HOME": str(tmp_path)},
        start_new_session=True,
    )
    try:
        with open_inputs(config(1, gnss={"enabled": True, "gpsd_port": port})) as hub:
            seen = until(hub, lambda context: context.vehicle.speed_kmh is not None)
    finally:
        gpsfake.terminate()
        gpsfake.wait(WAIT_S)
    assert seen.vehicle.speed_kmh == pytest.approx(43.2 * 1.852, abs=0.1)
    assert seen.vehicle.speed_source == "gnss"
