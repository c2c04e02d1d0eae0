"""A whole reading: on every board, on this machine, and of trees that fail, vanish, come late and change."""

import math
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dms.control.sensors import LOOK_EVERY_S, Sensors
from dms.control.sysfs import celsius, number, text
from tests.unit.control import boards, trees

BOARDS = [
    trees.orin_nano_jetpack_6,
    trees.agx_orin_jetpack_7,
    boards.xavier_nx_jetpack_5,
    boards.nano_jetpack_4,
    boards.raspberry_pi,
    trees.pc,
]


def assert_believable(reading):
    """What must hold of a reading on any machine."""
    celsius = [c for c in reading.temperatures_c.values() if c is not None]
    assert all(-100 < c < 150 for c in celsius)
    assert reading.hottest_c == max(celsius, default=None)
    assert reading.trip_c is None or 40 < reading.trip_c < 150
    for share in (reading.cpu_load, reading.gpu_load, reading.pressure):
        assert share is None or 0 <= share <= 1
    assert reading.over_current is None or reading.over_current >= 0
    assert reading.board_w is None or math.isfinite(reading.board_w)
    assert reading.throttled_by is None or all(reading.throttled_by)


def test_an_orin_tells_everything_in_one_reading(tmp_path):
    sensors = Sensors(trees.orin_nano_jetpack_6(tmp_path))
    sensors.read(7.0)
    trees.plant(tmp_path, trees.times(busy=150, idle=950))
    reading = sensors.read(7.5)
    assert (reading.read_s, reading.hottest_c, reading.trip_c) == (7.5, 51.0, 99.0)
    assert reading.throttled_by == ("gpu-throttle-alert", "cpufreq-cpu0")
    assert (reading.over_current, reading.pressure) == (15, 0.125)
    assert reading.board_w == pytest.approx(5.040 * 1.484)
    assert (reading.gpu_load, reading.cpu_load) == (pytest.approx(0.437), pytest.approx(0.5))
    assert reading.temperatures_c["cv0-thermal"] is None


def test_a_raspberry_pi_tells_heat_supply_and_load_and_no_power(tmp_path):
    reading = Sensors(boards.raspberry_pi(tmp_path, throttled="5", low="1")).read(0.0)
    assert reading.temperatures_c == {"cpu-thermal": 61.2}
    assert reading.throttled_by == ("under-voltage", "throttled")
    assert (reading.trip_c, reading.over_current, reading.pressure) == (80.0, 1, 0.0)
    assert (reading.board_w, reading.gpu_load) == (None, None)


def test_this_machine_tells_only_what_can_be():
    sensors = Sensors()
    for now_s in (0.0, 0.5, LOOK_EVERY_S):
        assert_believable(sensors.read(now_s))
    assert sensors.model() is None or sensors.model()
    assert sensors.processor_j() is None or sensors.processor_j() >= 0


def test_nothing_there_is_unknown_throughout(tmp_path):
    reading = Sensors(tmp_path).read(0.0)
    assert reading.temperatures_c == {}
    rest = (
        reading.trip_c, reading.throttled_by, reading.over_current, reading.board_w,
        reading.cpu_load, reading.gpu_load, reading.pressure, reading.hottest_c,
    )  # fmt: skip
    assert rest == (None,) * len(rest)


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"\xff\xfe\0", b"nan", b"9" * 400, b"-", b"1e9", b"0", b"-1"]
)
@pytest.mark.parametrize("build", BOARDS)
def test_garbage_in_every_file_of_every_board_is_survived(tmp_path, build, content):
    sensors = Sensors(build(tmp_path))
    sensors.read(0.0)
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.name not in ("nvpmodel", "model", "name", "type"):
            path.write_bytes(content)
    assert_believable(sensors.read(0.5))
    assert_believable(sensors.read(LOOK_EVERY_S))
    assert_believable(Sensors(tmp_path).read(0.0))


@pytest.mark.parametrize("build", BOARDS)
def test_a_board_whose_files_all_vanish_after_they_were_found_is_unknown(tmp_path, build):
    sensors = Sensors(build(tmp_path))
    before = sensors.read(0.0)
    (tmp_path / "sys").rename(tmp_path / "gone")
    after = sensors.read(0.5)
    assert set(after.temperatures_c) == set(before.temperatures_c)
    assert set(after.temperatures_c.values()) <= {None}
    assert (after.hottest_c, after.throttled_by, after.over_current) == (None, None, None)
    assert (after.board_w, after.gpu_load) == (None, None)


def test_a_zone_that_vanishes_between_the_listing_and_the_look_is_unknown(tmp_path):
    trees.orin_nano_jetpack_6(tmp_path)
    (tmp_path / f"{trees.THERMAL}/thermal_zone9").symlink_to(tmp_path / "gone")
    (tmp_path / f"{trees.THERMAL}/thermal_zone10").symlink_to(tmp_path / f"{trees.THERMAL}/thermal_zone10")
    reading = Sensors(tmp_path).read(0.0)
    assert reading.hottest_c == 51.0
    assert reading.temperatures_c["gone"] is None


def test_a_file_that_answers_try_again_is_unknown_and_nobody_waits_for_it(tmp_path):
    trees.orin_nano_jetpack_6(tmp_path)
    zone = tmp_path / f"{trees.THERMAL}/thermal_zone8/temp"
    zone.unlink()
    os.mkfifo(zone)
    writer = os.open(zone, os.O_RDWR | os.O_NONBLOCK)
    try:
        with pytest.raises(BlockingIOError):  # EAGAIN, as from a zone whose unit is switched off
            os.read(writer, 1)
        reading = Sensors(tmp_path).read(0.0)
        assert reading.temperatures_c["tj-thermal"] is None
        os.write(writer, b"77500\n")
        assert Sensors(tmp_path).read(0.5).temperatures_c["tj-thermal"] == 77.5
    finally:
        os.close(writer)


def test_a_pipe_that_nobody_writes_to_holds_nobody_up(tmp_path):
    os.mkfifo(tmp_path / "temp")
    assert text(tmp_path / "temp") is None


def test_a_tree_that_appears_later_is_found_within_ten_seconds(tmp_path):
    sensors = Sensors(tmp_path)
    assert sensors.read(100.0).temperatures_c == {}
    trees.orin_nano_jetpack_6(tmp_path)
    assert sensors.read(109.9).temperatures_c == {}
    reading = sensors.read(100.0 + LOOK_EVERY_S)
    assert (reading.hottest_c, reading.trip_c, reading.over_current) == (51.0, 99.0, 15)


def test_a_clock_that_runs_back_makes_it_look_anew(tmp_path):
    sensors = Sensors(tmp_path)
    sensors.read(100.0)
    trees.orin_nano_jetpack_6(tmp_path)
    assert sensors.read(3.0).hottest_c == 51.0


def test_a_number_that_goes_to_another_chip_never_tells_its_heat(tmp_path):
    chips = {
        "coretemp.0": {"name": "coretemp\n", "temp1_label": "Package id 0\n", "temp1_input": "62000\n"},
        "nvme0": {"name": "nvme\n", "temp1_input": "38850\n"},
    }
    numbers = tmp_path / "sys/class/hwmon"
    numbers.mkdir(parents=True)

    def probed(device, chip):
        folder = f"sys/devices/{device}/hwmon/hwmon{chip}"
        trees.plant(tmp_path, {f"{folder}/{name}": content for name, content in chips[device].items()})
        (numbers / f"hwmon{chip}").symlink_to(tmp_path / folder)

    def removed(device, chip):
        (numbers / f"hwmon{chip}").unlink()
        (tmp_path / "sys/devices" / device).rename(tmp_path / f"removed {device}")

    probed("coretemp.0", 1)
    sensors = Sensors(tmp_path)
    assert sensors.read(0.0).temperatures_c == {"Package id 0": 62.0}
    removed("coretemp.0", 1)
    probed("nvme0", 1)
    probed("coretemp.0", 2)
    assert sensors.read(0.5).temperatures_c == {"Package id 0": None}
    assert sensors.read(LOOK_EVERY_S).temperatures_c == {"Package id 0": 62.0}


@given(content=st.binary(max_size=64))
def test_no_bytes_make_reading_a_number_fail(tmp_path, content):
    path = tmp_path / "value"
    path.write_bytes(content)
    assert number(path) is None or isinstance(number(path), int)
    assert celsius(path) is None or -100 < celsius(path) < 150
