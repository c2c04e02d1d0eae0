"""What CAN frames tell: OBD-II, J1939 and configured signals, against bits laid out one by one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dms.config.inputs import CanInputConfig, CanSignalConfig
from dms.inputs.can_frames import Decoder, raw_value
from dms.inputs.reading import Quantity

BUS = CanInputConfig(enabled=True)


def decoded(can_id, extended, data, config=BUS):
    return list(Decoder(config).decode(can_id, extended, bytes(data)))


@pytest.mark.parametrize("can_id", [0x7E8, 0x7EF])
def test_an_obd_reply_tells_the_speed(can_id):
    assert decoded(can_id, False, [3, 0x41, 0x0D, 88, 0, 0, 0, 0]) == [(Quantity.SPEED, 88.0)]


@pytest.mark.parametrize(
    ("can_id", "extended", "data"),
    [
        (0x7E7, False, [3, 0x41, 0x0D, 88]),
        (0x7F0, False, [3, 0x41, 0x0D, 88]),
        (0x7E8, True, [3, 0x41, 0x0D, 88]),
        (0x7E8, False, [3, 0x41, 0x0C, 88]),
        (0x7E8, False, [3, 0x7F, 0x0D, 88]),
        (0x7E8, False, [0x10, 0x41, 0x0D, 88]),
        (0x7E8, False, [2, 0x41, 0x0D, 88]),
        (0x7E8, False, [3, 0x41, 0x0D]),
        (0x7E8, False, []),
        (0x7DF, False, [2, 1, 0x0D, 0]),
    ],
)
def test_other_frames_tell_nothing(can_id, extended, data):
    assert decoded(can_id, extended, data) == []


@pytest.mark.parametrize("can_id", [0x18FEF100, 0x0CFEF117])
def test_ccvs1_tells_the_wheel_based_speed_whatever_its_priority_and_sender(can_id):
    raw = int(88.5 * 256)
    assert decoded(can_id, True, [0xFF, raw & 0xFF, raw >> 8, 0, 0, 0, 0, 0]) == [(Quantity.SPEED, 88.5)]


@pytest.mark.parametrize("raw", [0xFB00, 0xFE00, 0xFFFF])
def test_a_ccvs1_without_a_speed_tells_nothing(raw):
    assert decoded(0x18FEF100, True, [0xFF, raw & 0xFF, raw >> 8]) == []
    assert decoded(0x18FEF100, True, [0xFF, 0]) == []


def test_another_pgn_or_a_standard_frame_is_no_ccvs1():
    assert decoded(0x18FEF200, True, [0, 0, 20, 0, 0, 0, 0, 0]) == []
    assert decoded(0x19FEF100, True, [0, 0, 20, 0, 0, 0, 0, 0]) == []  # the data page is part of the PGN


def bits_of(signal, size):
    """Place (byte, bit) of each bit of a signal, the lowest first, as DBC files number them."""
    if signal.byte_order == "little":
        return [divmod(signal.start_bit + n, 8) for n in range(signal.length_bits)]
    byte, bit = divmod(signal.start_bit, 8)
    places = []
    for _ in range(signal.length_bits):
        places.append((byte, bit))
        byte, bit = (byte + 1, 7) if bit == 0 else (byte, bit - 1)
    return places[::-1]


@given(
    st.binary(min_size=1, max_size=8),
    st.integers(0, 63),
    st.integers(1, 64),
    st.sampled_from(["little", "big"]),
    st.booleans(),
)
def test_a_signal_is_read_as_its_bits_lie(data, start_bit, length_bits, byte_order, signed):
    signal = CanSignalConfig(
        id=1, start_bit=start_bit, length_bits=length_bits, byte_order=byte_order, signed=signed
    )
    places = bits_of(signal, len(data))
    if max(byte for byte, _ in places) >= len(data):
        assert raw_value(signal, data) is None
        return
    expected = sum((data[byte] >> bit & 1) << n for n, (byte, bit) in enumerate(places))
    if signed and expected >> (length_bits - 1):
        expected -= 1 << length_bits
    assert raw_value(signal, data) == expected


def configured(quantity, **layout):
    layout = {"id": 0x123, "start_bit": 0, "length_bits": 8, **layout}
    return CanInputConfig(enabled=True, signals={quantity: CanSignalConfig(**layout)})


@pytest.mark.parametrize(
    ("config", "data", "told"),
    [
        (configured("speed", length_bits=16, scale=0.01), [0x10, 0x27], [(Quantity.SPEED, 100.0)]),
        (configured("speed", length_bits=16, scale=0.01, invalid_from=0xFFFE), [0xFF, 0xFF], []),
        (configured("speed", length_bits=16), [1], []),
        (configured("gear", offset=-1.0), [0], [(Quantity.GEAR, -1.0)]),
        (configured("reverse", length_bits=4, on_value=7), [7], [(Quantity.REVERSE, 1.0)]),
        (configured("reverse", length_bits=4, on_value=7), [6], [(Quantity.REVERSE, 0.0)]),
        (configured("turn_left", start_bit=3, length_bits=1), [8], [(Quantity.TURN_LEFT, 1.0)]),
        (
            configured("steering", start_bit=7, length_bits=16, byte_order="big", signed=True, scale=-0.1),
            [0xFF, 0x9C],
            [(Quantity.STEERING, 10.0)],
        ),
    ],
)
def test_configured_signals(config, data, told):
    assert decoded(0x123, False, data, config) == told
    assert decoded(0x123, True, data, config) == []


def test_only_wanted_frames_are_let_through():
    config = configured("gear", id=0x3E9).model_copy(update={"j1939": False})
    wanted = Decoder(config).filters()

    def passes(can_id, extended):
        return any(
            f["extended"] == extended and can_id & f["can_mask"] == f["can_id"] & f["can_mask"]
            for f in wanted
        )

    assert passes(0x3E9, False)
    assert all(passes(can_id, False) for can_id in range(0x7E8, 0x7F0))
    assert not any(passes(can_id, False) for can_id in (0x3E8, 0x7DF, 0x7E0, 0x7F0))
    assert not passes(0x18FEF100, True)


@pytest.mark.parametrize(
    "layout",
    [
        {"id": 0x800, "start_bit": 0, "length_bits": 8},
        {"id": 1, "start_bit": 511, "length_bits": 2},
        {"id": 1, "start_bit": 0, "length_bits": 8, "scale": 0.0},
    ],
)
def test_a_layout_that_cannot_be_is_refused(layout):
    with pytest.raises(ValueError, match=r"bits|frame|scale"):
        CanSignalConfig(**layout)
