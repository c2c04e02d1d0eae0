import json
import math
import struct
from dataclasses import fields, is_dataclass, replace
from enum import Enum

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dms.errors import InputError
from dms.recording.codec import decode, encode
from dms.records import (
    Acknowledgement,
    Alert,
    Assessment,
    Box,
    Context,
    DriverState,
    ImageQuality,
    Observation,
    Signal,
    Turn,
    UnknownCause,
    Vehicle,
)
from tests.unit.sinks import samples

ANY_FLOAT = st.floats(allow_nan=True, allow_infinity=True, width=64)


def travelled(value):
    return json.loads(json.dumps(encode(value), allow_nan=False))


def same(one, other):
    """Alike to the last bit, type by type."""
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    if isinstance(one, float) and type(other) is float:
        bits = [struct.pack("<d", value) for value in (one, other)]
        return bits[0] == bits[1] or (math.isnan(one) and math.isnan(other))
    if isinstance(one, Enum):
        return one is other
    if is_dataclass(one):
        return type(one) is type(other) and all(
            same(getattr(one, f.name), getattr(other, f.name)) for f in fields(one)
        )
    if isinstance(one, tuple | list):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    return type(one) is type(other) and one == other


@st.composite
def observations(draw):
    seen = samples.judgement().observation
    numbers = draw(st.lists(st.floats(width=32, allow_nan=True), min_size=180, max_size=180))
    eyes = replace(
        seen.eyes,
        landmarks=np.array(numbers[:120], np.float32).reshape(60, 2),
        landmark_sigma=np.array(numbers[120:], np.float32),
    )
    vehicle = Vehicle(
        speed_kmh=draw(st.none() | ANY_FLOAT),
        reversing=draw(st.none() | st.booleans()),
        gear=draw(st.none() | st.integers(-1, 12)),
        turn=draw(st.none() | st.sampled_from(Turn)),
        faults=draw(st.dictionaries(st.text(), st.text())),
    )
    given = draw(st.lists(st.builds(Acknowledgement, by=st.text(), alert_id=st.none() | st.text())))
    return replace(
        seen,
        captured_s=draw(ANY_FLOAT),
        quality=ImageQuality(draw(ANY_FLOAT), view=draw(st.none() | ANY_FLOAT)),
        face=draw(st.none() | st.just(seen.face)),
        eyes=draw(st.none() | st.just(eyes)),
        faults=draw(st.dictionaries(st.text(), st.text())),
        context=Context(vehicle, tuple(given), draw(st.booleans())),
        age_s=draw(ANY_FLOAT),
        level=draw(st.integers(0, 4)),
    )


@given(observations())
def test_any_observation_comes_back_to_the_last_bit(seen):
    assert same(decode(Observation, travelled(seen), "line 1"), seen)


def test_assessments_and_alerts_come_back_too():
    judged = samples.judgement(causes=[UnknownCause.DARK], state=DriverState.FAULT)
    alert = samples.alert(acknowledged_s=3.0, evidence={"a": math.nan, "b": "text", "c": None, "d": -0.0})
    assert same(decode(Assessment, travelled(judged.assessment), "x"), judged.assessment)
    assert same(decode(Alert, travelled(alert), "x"), alert)


def test_a_float_that_is_whole_and_a_negative_zero_keep_their_kind():
    for value in (1, 1.0, -0.0, 5e-324, math.inf):
        assert same(decode(Signal, travelled(Signal(value)), "x").value, value)


def test_what_a_later_version_added_takes_its_default():
    written = travelled(samples.judgement().observation)
    del written["level"], written["context"]
    assert decode(Observation, written, "x").level == 0


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("captured_s",), "1.0", "line 7.captured_s: expected a number, got '1.0'"),
        (("captured_s",), {"float": "1.0"}, "expected a number"),
        (("frame_id",), 1.5, "line 7.frame_id: expected a whole number"),
        (("eyes", "right", "openness"), None, "line 7.eyes.right.openness: expected a number"),
        (("eyes", "landmarks"), [1.0, 2.0], "expected an array"),
        (("eyes", "landmarks", "shape"), [10**6, 10**6], "no array of landmarks"),
        (("eyes", "landmarks", "array"), "|O", "no array of landmarks"),
        (("eyes", "landmarks", "base64"), "####", "the array is damaged"),
        (("eyes", "landmarks", "base64"), "AAAA", "the array is damaged"),
        (("context", "vehicle", "turn"), "up", "'up' is no Turn"),
        (("context", "acknowledgements"), {}, "expected an array"),
        (("faults",), {"eyes": 3}, "line 7.faults.eyes: expected a text"),
        (("picture",), "AAAA", "Observation has no picture"),
        (("face", "box"), [1, 2, 3, 4], "line 7.face.box: expected an object"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(path, value, message):
    written = travelled(replace(samples.judgement().observation, faults={"eyes": "NaN"}))
    place = written
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    with pytest.raises(InputError) as refusal:
        decode(Observation, written, "line 7")
    assert message in str(refusal.value)


def test_a_field_that_lacks_is_named():
    with pytest.raises(InputError, match="Box lacks y2"):
        decode(Box, {"x1": 0.0, "y1": 0.0, "x2": 1.0}, "x")


@pytest.mark.parametrize("value", [object(), b"bytes", np.zeros((360, 640), np.uint8), {1: 2}, lambda: 0])
def test_what_no_record_holds_cannot_be_written(value):
    with pytest.raises(InputError, match="a record cannot"):
        encode(value)
