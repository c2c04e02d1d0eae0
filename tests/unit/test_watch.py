import io
import json
import socket
import threading
import time
from dataclasses import replace

import click
import pytest

from dms.config.sinks import MqttConfig
from dms.records import Phase, UnknownCause
from dms.sinks import driver_payload, system_payload, values
from dms.watch import watch
from dms.watch_screen import STALE_AFTER_S, Item, JsonScreen, Screen
from dms.watch_text import (
    MAX_LENGTH,
    clean,
    control_line,
    device_words,
    event_line,
    health_line,
    level_word,
    parse,
    state_line,
)
from tests.unit.sinks import samples

ORIGIN = system_payload.Origin("dms 1.2.3")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def item(name, document, retained=False, vehicle="truck-7"):
    raw = values.encode(document) if isinstance(document, dict) else document
    return Item(f"dms/v1/{vehicle}/{name}", vehicle, name, raw, retained)


def state(judged=None, active=(), **keywords):
    return item("state", driver_payload.state(judged or samples.judgement(), active, 1, None), **keywords)


def event(**changes):
    judged = samples.judgement()
    return item(
        "event/a/b", driver_payload.event(samples.alert(**changes), judged.assessment, 1, None, ORIGIN)
    )


def status(online, **keywords):
    return item("status", system_payload.status(online, "connection lost", None, ORIGIN), **keywords)


def test_without_a_terminal_only_changes_are_written_and_no_escape_codes():
    out = io.StringIO()
    screen = Screen(out, live=False)
    screen.show(status(True), 0.0)
    for n in range(10):
        screen.show(state(), n * 0.5)
        screen.tick(n * 0.5)
    screen.show(event(), 5.0)
    screen.show(state(samples.blind()), 6.0)
    screen.show(status(False), 7.0)
    screen.finish()
    assert out.getvalue().splitlines() == [
        "truck-7  dms 1.2.3 is online",
        "truck-7  ATTENTIVE     eyes 90%/80%  head +3°/-5°  learned 50%",
        "truck-7  11.5 s  URGENT    fatigue.microsleep: eyes closed for 1.5 s",
        "truck-7  UNKNOWN       cannot judge: no_face  eyes –  head –  learned 0%",
        "truck-7  OFFLINE: connection lost",
    ]


def test_on_a_terminal_the_status_line_is_redrawn_below_the_alerts():
    out = Terminal()
    screen = Screen(out, live=True)
    screen.show(state(), 0.0)
    screen.show(event(), 0.1)
    screen.tick(0.2)
    written = out.getvalue()
    assert written.count("\n") == 1
    assert "\x1b[31m" in written, "urgent is red"
    assert written.rindex("ATTENTIVE") > written.index("microsleep")


def last_drawn(out):
    return out.getvalue().rsplit("\x1b[K", 1)[1]


def test_an_old_state_is_not_shown_as_the_drivers():
    out = Terminal()
    screen = Screen(out, live=True)
    screen.show(state(), 0.0)
    screen.tick(STALE_AFTER_S)
    assert "ATTENTIVE" in last_drawn(out)
    screen.tick(STALE_AFTER_S + 0.1)
    assert "STALE" in last_drawn(out)
    assert "ATTENTIVE" not in last_drawn(out)


def test_a_retained_state_counts_as_old():
    out = Terminal()
    screen = Screen(out, live=True)
    screen.show(state(retained=True), 0.0)
    screen.tick(0.2)
    assert "STALE" in last_drawn(out)


def test_offline_replaces_the_state_until_it_is_online_again():
    out = Terminal()
    screen = Screen(out, live=True)
    screen.show(state(), 0.0)
    screen.show(status(False), 0.1)
    assert "OFFLINE (connection lost): nobody watches the driver" in last_drawn(out)
    screen.show(status(True), 0.2)
    assert "OFFLINE" not in last_drawn(out)


def control(**changes):
    return item("control", system_payload.control(samples.control(**changes), None))


def metrics(**changes):
    return item("metrics", system_payload.metrics(samples.vitals(**changes), {}, None))


def test_a_level_is_told_with_its_cause_and_stays_in_sight_until_it_is_0():
    out = Terminal()
    screen = Screen(out, live=True)
    screen.show(state(), 0.0)
    assert "level" not in last_drawn(out)
    screen.show(control(), 0.1)
    assert (
        "level 2 (the cheapest engines that passed the gate); temperature: hottest zone 88.0 C"
        in out.getvalue()
    )
    assert "level 2 (temperature)" in last_drawn(out)
    screen.show(control(level=0, previous=1), 0.2)
    assert "level" not in last_drawn(out)
    screen.show(control(level=0, previous=0, held=True), 0.3)
    assert "level 0 (temperature)" in last_drawn(out), "held: something is wrong"


def test_the_end_of_a_level():
    ended = system_payload.control_ended(samples.control(), 20.0, None)
    assert control_line(ended) == "no level: The run ended."
    assert level_word(ended) == ""


def test_temperature_and_drops_are_in_sight_and_an_unknown_one_is_called_so():
    out = Terminal()
    screen = Screen(out, live=True)
    screen.show(state(), 0.0)
    screen.show(metrics(), 0.1)
    assert "71 °C  3 dropped" in last_drawn(out)
    screen.show(item("metrics", system_payload.metrics(samples.no_frame_vitals(), {}, None)), 0.2)
    assert "71 °C  3 dropped" in last_drawn(out)
    screen.show(metrics(device=None), 0.2)
    assert "temperature unknown  3 dropped" in last_drawn(out)


def test_a_repeated_line_is_written_once():
    out = io.StringIO()
    screen = Screen(out, live=False)
    for _ in range(3):
        screen.note("waiting for the broker")
    assert out.getvalue() == "waiting for the broker\n"


def test_many_vehicles_share_the_status_line():
    out = Terminal()
    screen = Screen(out, live=True)
    screen.show(state(vehicle="truck-8"), 0.0)
    screen.show(state(vehicle="truck-7"), STALE_AFTER_S + 1)
    screen.show(status(False, vehicle="bus-1"), STALE_AFTER_S + 1)
    assert "bus-1 OFFLINE  truck-7 ATTENTIVE  truck-8 STALE" in click.unstyle(last_drawn(out))


def test_json_writes_every_message_with_its_topic_and_troubles_elsewhere():
    out, errors = io.StringIO(), io.StringIO()
    screen = JsonScreen(out, errors)
    for shown in (state(), event(), item("event/x", "{no"), status(True)):
        screen.show(shown, 0.0)
    screen.note("waiting for the broker")
    screen.note("waiting for the broker")
    told = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["topic"] for line in told] == [
        f"dms/v1/truck-7/{name}" for name in ("state", "event/a/b", "status")
    ]
    assert told[1]["payload"]["id"] == "s-1"
    assert errors.getvalue().splitlines() == [
        "dms/v1/truck-7/event/x: not understood, no JSON object",
        "waiting for the broker",
    ]


@pytest.mark.parametrize(
    "text",
    ["", "no json", "[]", "null", "1", "{", "[" * 100_000, '{"a":"' + "x" * 100_000 + '"}', "\x00\ufffd"],
)
@pytest.mark.parametrize("topic", ["state", "status", "health", "event/a/b", "control", "metrics", "else"])
def test_no_message_breaks_the_screen(topic, text):
    told = io.StringIO()
    for screen in (Screen(Terminal(), live=True), Screen(told, live=False), JsonScreen(told, told)):
        screen.show(item(topic, text), 0.0)
        screen.tick(1.0)
    assert "\x00" not in told.getvalue()


@pytest.mark.parametrize("value", ["null", "7", '"\\u001b[2J"', "[1]", "{}", "1e999", "9" * 400, "true"])
def test_no_value_breaks_a_line(value):
    names = ["state", "unknown_causes", "alerts", "eyes", "head", "calibration", "severity", "phase", "ts"]
    names += ["type", "t_detect", "duration_s", "cause", "causes"]
    names += ["level", "held", "title", "detail", "device", "dropped"]
    document = parse("{" + ",".join(f'"{name}":{value}' for name in names) + "}")
    ended = {**document, "phase": "end"}
    lines = [state_line(document), event_line(document), event_line(ended), health_line(document)]
    lines += [control_line(document), level_word(document), device_words(document)]
    lines.append(device_words({"device": {"hottest_c": document["level"]}}))
    assert all("\x1b[2J" not in line for line in lines)


def test_text_cannot_steer_the_terminal():
    assert clean("a\x1b[2Jb\r\n\x07\u202e") == "a�[2Jb����"
    assert len(clean("x" * 1000)) == MAX_LENGTH


def test_the_end_of_an_alert():
    judged = samples.judgement()
    ended = samples.alert(phase=Phase.END, at_s=14.0)
    document = driver_payload.event(ended, judged.assessment, 1, 1_800_000_000.0, ORIGIN)
    assert event_line(document) == "2027-01-15T08:00:14.000Z  ended     fatigue.microsleep after 4.0 s"


@pytest.mark.parametrize(("phase", "at_s"), [(Phase.START, 11.5), (Phase.UPDATE, 13.0), (Phase.END, 14.0)])
def test_without_a_date_each_phase_has_its_own_time(phase, at_s):
    document = driver_payload.event(
        samples.alert(phase=phase, at_s=at_s), samples.judgement().assessment, 1, None, ORIGIN
    )
    assert event_line(document).startswith(f"{at_s} s  ")


def test_health_names_its_causes():
    document = system_payload.health(samples.health(), None)
    assert health_line(document) == "system degraded (source_lost: /dev/video0: no frame)"


def test_the_health_of_a_system_that_ended_is_unknown():
    assert health_line(system_payload.health_ended(20.0, None)) == "system unknown (ended: The run ended.)"


def test_a_broker_that_is_away_is_waited_for_and_stop_ends_it():
    out, stop = io.StringIO(), threading.Event()
    screen = Screen(out, live=False)
    watcher = threading.Thread(
        daemon=True, target=watch, args=(MqttConfig(host="127.0.0.1", port=1), None, screen, stop)
    )
    watcher.start()
    stop.wait(0.5)
    stop.set()
    watcher.join(10)
    assert not watcher.is_alive()
    assert "waiting for the broker 127.0.0.1:1: connection refused" in out.getvalue()


def test_a_broker_that_refuses_the_subscription_is_told_of():
    out, stop = io.StringIO(), threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        config = MqttConfig(host="127.0.0.1", port=server.getsockname()[1])
        screen = Screen(out, live=False)
        watcher = threading.Thread(daemon=True, target=watch, args=(config, "truck-7", screen, stop))
        watcher.start()
        try:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"\x20\x02\x00\x00")  # CONNACK: come in
                subscribe = connection.recv(1000)
                connection.sendall(b"\x90\x03" + subscribe[2:4] + b"\x80")  # SUBACK: not this
                give_up_s = time.monotonic() + 10
                while "refuses to tell of dms/v1/truck-7/#: Unspecified error" not in out.getvalue():
                    assert time.monotonic() < give_up_s, out.getvalue()
                    time.sleep(0.02)
        finally:
            stop.set()
            watcher.join(10)


def test_a_state_tells_since_when_it_cannot_judge_how_unsure_it_is_and_what_was_acknowledged():
    judged = samples.judgement(captured_s=20.0, causes=[UnknownCause.EYES_HIDDEN])
    unsure = replace(judged, assessment=replace(judged.assessment, confidence=0.55))
    noted = samples.alert(type="distraction.long", acknowledged_s=19.0)
    line = click.unstyle(state_line(driver_payload.state(unsure, [noted, samples.alert()], 1, None)))
    assert "partly: eyes_hidden for 2 s" in line
    assert "confidence 55%" in line
    assert "alerts: distraction.long (acknowledged), fatigue.microsleep" in line
    sure = click.unstyle(state_line(driver_payload.state(judged, [], 1, None)))
    assert "confidence" not in sure


def test_an_acknowledgement_is_no_new_alarm():
    noted = samples.alert(phase=Phase.UPDATE, at_s=12.0, evidence={"acknowledged_by": "mqtt"})
    document = driver_payload.event(noted, samples.judgement().assessment, 1, None, ORIGIN)
    assert event_line(document) == "12.0 s  URGENT    fatigue.microsleep acknowledged by mqtt"
    for odd in (None, "x", ["acknowledged_by"], {}):
        assert "URGENT    fatigue.microsleep: eyes" in click.unstyle(
            event_line({**document, "evidence": odd})
        )


def published(topic, payload):
    """An MQTT 3.1.1 message of quality 0."""
    body = len(topic).to_bytes(2, "big") + topic.encode() + payload.encode()
    return bytes([0x30, len(body)]) + body


def test_what_others_tell_the_vehicle_is_not_shown():
    out, stop = io.StringIO(), threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        config = MqttConfig(host="127.0.0.1", port=server.getsockname()[1])
        screen = JsonScreen(out, out)
        watcher = threading.Thread(daemon=True, target=watch, args=(config, "truck-7", screen, stop))
        watcher.start()
        try:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"\x20\x02\x00\x00")  # CONNACK
                subscribe = connection.recv(1000)
                connection.sendall(b"\x90\x03" + subscribe[2:4] + b"\x01")  # SUBACK
                connection.sendall(published("dms/v1/truck-7/in/Vehicle/Speed", "52.5"))
                connection.sendall(published("dms/v1/truck-7/cmd/acknowledge", "all"))
                connection.sendall(published("dms/v1/truck-7/state", "{}"))
                give_up_s = time.monotonic() + 10
                while "truck-7/state" not in out.getvalue():
                    assert time.monotonic() < give_up_s, out.getvalue()
                    time.sleep(0.02)
        finally:
            stop.set()
            watcher.join(10)
    assert "not understood" not in out.getvalue()
