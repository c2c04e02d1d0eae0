"""What a message of an untrusted sender must pass."""

import contextlib
import json
import math
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dms.config.inputs import InputsConfig, MqttInputConfig
from dms.inputs.gate import AHEAD_LIMIT_S, PAYLOAD_LIMIT_BYTES, Gate, Refused, Stamped, parse, shown, unix_s
from dms.inputs.reading import Quantity
from dms.inputs.vss import VSS, quantity_of

EPOCH_S = 1_790_000_000.0
"""Unix time when the monotonic clock of these tests is 0."""


def gate(**changes):
    return Gate(InputsConfig(mqtt=MqttInputConfig(signals=True, **changes)), 0.0)


def admit(gate, payload, now_s, retained=False, epoch_s=EPOCH_S):
    return gate.admit(payload, retained, now_s, epoch_s + now_s)


def refused(reason, gate, payload, now_s, **how):
    with pytest.raises(Refused) as caught:
        admit(gate, payload, now_s, **how)
    assert caught.value.reason == reason
    return caught.value.detail


def taken_or_refused(gate, payload, now_s):
    """The value, and why there is none."""
    try:
        return admit(gate, payload, now_s)[0], ""
    except Refused as e:
        return None, e.detail


def stamped(value, ts):
    return json.dumps({"value": value, "ts": ts}).encode()


@pytest.mark.parametrize(
    ("payload", "meant"),
    [
        (b"80.5", Stamped(80.5)),
        (b" 80\n", Stamped(80.0)),
        (b"true", Stamped(True)),
        (b'"LEFT"', Stamped("LEFT")),
        (b"LEFT", Stamped("LEFT")),
        (b"3f2a9c01-12", Stamped("3f2a9c01-12")),
        (b'{"value": 80}', Stamped(80.0)),
        (b'{"value": 80, "ts": 12.5}', Stamped(80.0, 12.5)),
        (b'{"value": false, "ts": "2026-11-20T13:36:00.500Z"}', Stamped(False, 1795181760.5)),
    ],
)
def test_forms_that_are_understood(payload, meant):
    assert parse(payload) == meant


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[80]",
        b"NaN",
        b"1e999",
        b"-Infinity",
        b"{}",
        b'{"speed": 80}',
        b'{"value": 80, "unit": "mph"}',
        b'{"value": [80]}',
        b'{"value": null}',
        b'{"value": 80, "ts": "yesterday"}',
        b'{"value": 80, "ts": "2026-11-20T13:36:00"}',
        b'{"value": 80, "ts": true}',
        b'{"value": 80, "ts": Infinity}',
        b"\xff\xfe",
        "８０".encode(),
        b"[" * PAYLOAD_LIMIT_BYTES,
        b"8" * (PAYLOAD_LIMIT_BYTES + 1),
        b"two words",
        b"\x00\x01",
    ],
)
def test_malformed_messages_are_refused(payload):
    assert refused("malformed", gate(), payload, 1.0)


@given(st.binary(max_size=300))
def test_no_bytes_do_worse_than_be_refused(payload):
    value, detail = taken_or_refused(gate(), payload, 1.0)
    assert isinstance(value, (bool, float, str)) or value is None
    assert detail.isascii()
    assert detail.isprintable()


scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.datetimes().map(str)
)


@given(st.dictionaries(st.sampled_from(["value", "ts", "lat"]), scalars | st.lists(scalars, max_size=3)))
def test_no_document_does_worse_than_be_refused(document):
    value, detail = taken_or_refused(gate(), json.dumps(document).encode(), 1.0)
    assert value is None or (
        math.isfinite(value) if isinstance(value, float) else isinstance(value, (bool, str))
    )
    assert len(detail) < 120
    assert "lat" not in document or value is None


@pytest.mark.parametrize("path", VSS)
@given(value=st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=70))
def test_no_value_does_worse_at_any_path(path, value):
    with contextlib.suppress(Refused):
        assert math.isfinite(quantity_of(path, value)[1])


def test_a_message_without_a_time_is_of_now_unless_a_time_is_required():
    assert admit(gate(), b"80", 1.0) == (80.0, 1.0)
    refused("malformed", gate(require_ts=True), b"80", 1.0)


def test_a_message_is_as_old_as_it_says():
    value, at_s = admit(gate(), stamped(80, EPOCH_S + 3.5), 5.0)
    assert (value, at_s) == (80.0, pytest.approx(3.5))


@pytest.mark.parametrize(("age_s", "taken"), [(1.9, True), (2.1, False), (-1.9, True), (-2.1, False)])
def test_old_and_future_messages_are_refused(age_s, taken):
    payload = stamped(80, EPOCH_S + 10.0 - age_s)
    if taken:
        assert admit(gate(), payload, 10.0)[1] <= 10.0
    else:
        refused("stale", gate(), payload, 10.0)


def test_the_same_or_an_older_time_is_a_replay():
    one = gate()
    admit(one, stamped(80, EPOCH_S + 1.0), 1.0)
    assert refused("replayed", one, stamped(80, EPOCH_S + 1.0), 1.1)
    assert refused("replayed", one, stamped(70, EPOCH_S + 0.9), 1.1)
    admit(one, stamped(81, EPOCH_S + 1.1), 1.1)


def test_a_retained_message_is_refused():
    assert "retain" in refused("replayed", gate(), b"80", 1.0, retained=True)


def test_a_clock_set_back_does_not_silence_a_sender():
    one = gate()
    admit(one, stamped(80, EPOCH_S + 1.0), 1.0)
    assert admit(one, stamped(80, EPOCH_S - 3598.0), 2.0, epoch_s=EPOCH_S - 3600)[0] == 80.0
    assert AHEAD_LIMIT_S < 3600


def test_a_flood_is_cut_to_the_limit_and_ends_with_it():
    one = gate(rate_limit_hz=10.0)
    told = [taken_or_refused(one, b"80", 1 + n / 100) for n in range(1000)]  # 100 a second for 10 s
    assert {detail for _, detail in told} == {"", "more than 10 messages a second"}
    assert 100 <= sum(value is not None for value, _ in told) <= 111, (
        "ten a second, and one second's worth at once in the beginning"
    )
    assert admit(one, b"80", 12.0)


def test_no_limit_lets_nothing_in_for_ever():
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        gate(rate_limit_hz=0.99)
    one = gate(rate_limit_hz=1.0)
    assert [taken_or_refused(one, b"80", float(second))[0] for second in range(1, 6)] == [80.0] * 5


def test_what_is_shown_of_a_stranger_is_short_and_printable():
    assert shown("\x1b[2Jé\n" * 50).isprintable()
    assert len(shown("x" * 10_000)) < 60


@pytest.mark.parametrize(
    ("path", "value", "meant"),
    [
        ("Vehicle.Speed", 80.5, (Quantity.SPEED, 80.5)),
        ("Vehicle.Powertrain.Transmission.CurrentGear", -1.0, (Quantity.GEAR, -1.0)),
        ("Vehicle.Powertrain.Transmission.SelectedGear", -1.0, (Quantity.REVERSE, 1.0)),
        ("Vehicle.Powertrain.Transmission.SelectedGear", 126.0, (Quantity.REVERSE, 0.0)),
        ("Vehicle.Powertrain.Transmission.SelectedGear", 127.0, (Quantity.REVERSE, 0.0)),
        ("Vehicle.Body.Lights.DirectionIndicator.Left.IsSignaling", True, (Quantity.TURN_LEFT, 1.0)),
        ("Vehicle.Body.Lights.DirectionIndicator.Right.IsSignaling", False, (Quantity.TURN_RIGHT, 0.0)),
        ("Vehicle.Body.Lights.Hazard.IsSignaling", True, (Quantity.HAZARD, 1.0)),
        ("Vehicle.Chassis.SteeringWheel.Angle", -45.0, (Quantity.STEERING, -45.0)),
        ("Vehicle.Cabin.DriverPosition", "RIGHT", (Quantity.DRIVER_SIDE, -1.0)),
    ],
)
def test_paths_and_what_they_mean(path, value, meant):
    assert quantity_of(path, value) == meant


@pytest.mark.parametrize("path", VSS)
def test_a_value_of_another_type_is_refused(path):
    wrong = 0.5 if "Lights" in path or "Gear" in path or "Position" in path else True
    with pytest.raises(Refused):
        quantity_of(path, wrong)
    with pytest.raises(Refused):
        quantity_of(path, "fast")


@given(st.datetimes(min_value=datetime(1990, 1, 1)))
def test_a_time_reads_the_same_as_text_and_as_number(moment):
    moment = moment.replace(tzinfo=timezone.utc, microsecond=moment.microsecond // 1000 * 1000)
    text = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert unix_s(text) == pytest.approx(moment.timestamp(), abs=1e-3)
