"""From where a device's clocks are held down, what holds them, and which zones count."""

import pytest

from dms.control.sensors import Sensors
from tests.unit.control import boards, trees


@pytest.mark.parametrize(
    ("build", "trip_c"),
    [
        (trees.orin_nano_jetpack_6, 99.0),  # not 70 °C, where only the housing is told to be hot
        (boards.xavier_nx_jetpack_5, 95.5),  # not 50 °C of the power chip
        (boards.nano_jetpack_4, 97.0),  # not 70 °C, which is for the memory, nor 66 °C of an active trip
        (boards.raspberry_pi, 80.0),  # its trip points only drive the fan
        (trees.pc, 100.0),  # TjMax, not the 80 °C from which the fan is to run
        (trees.agx_orin_jetpack_7, None),  # planted without trip points
    ],
)
def test_each_board_tells_from_where_its_clocks_go_down(tmp_path, build, trip_c):
    assert Sensors(build(tmp_path)).trip_c() == trip_c
    assert Sensors(tmp_path).read(0.0).trip_c == trip_c


@pytest.mark.parametrize(
    "model", ["Raspberry Pi 3 Model B Plus Rev 1.3", "Raspberry Pi 3 Model A Plus Rev 1.0"]
)
def test_a_raspberry_pi_3_plus_slows_down_from_60_degrees_on(tmp_path, model):
    assert Sensors(boards.raspberry_pi(tmp_path, model)).trip_c() == 60.0


def trip(tmp_path, *points, kind="cpu-thermal"):
    return Sensors(trees.plant(tmp_path, trees.trips(0, *points, kind=kind, temp="50000\n"))).trip_c()


def test_the_lowest_of_the_trip_points_that_bind_clocks_counts(tmp_path):
    points = [("passive", 97_000, "devfreq-gpu"), ("passive", 87_000, "cpu-throttle-alert")]
    assert trip(tmp_path, *points, ("passive", 60_000, "pwm-fan")) == 87.0


def test_a_trip_point_that_nobody_knows_the_use_of_counts_if_no_other_does(tmp_path):
    assert trip(tmp_path, ("passive", 85_000, None), ("passive", 70_000, "hot-surface-alert")) == 85.0


def test_a_trip_point_known_to_bind_clocks_outweighs_a_lower_one_of_unknown_use(tmp_path):
    assert trip(tmp_path, ("passive", 60_000, None), ("passive", 95_000, "cpufreq-cpu0")) == 95.0


@pytest.mark.parametrize("heat_mc", [0, -32_768_000, 256_000])
def test_a_trip_point_that_is_not_set_is_none(tmp_path, heat_mc):
    assert trip(tmp_path, ("passive", heat_mc, "Processor")) is None


@pytest.mark.parametrize("kind", ["hot", "critical", "active"])
def test_only_passive_trip_points_count(tmp_path, kind):
    assert trip(tmp_path, (kind, 90_000, "cpufreq-cpu0")) is None


def test_what_binds_a_trip_point_that_cannot_be_read_is_unknown(tmp_path):
    trees.plant(tmp_path, trees.trips(0, ("passive", 91_000, "cpufreq-cpu0"), kind="cpu", temp="1\n"))
    (tmp_path / f"{trees.THERMAL}/thermal_zone0/cdev0/type").unlink()
    assert Sensors(tmp_path).trip_c() == 91.0
    (tmp_path / f"{trees.THERMAL}/thermal_zone0/trip_point_0_temp").unlink()
    assert Sensors(tmp_path).trip_c() is None


@pytest.mark.parametrize(
    "kind",
    ["PMIC-Die", "thermal-fan-est", "BAT0", "battery", "charger-skin", "iwlwifi_1", "pch_cannonlake",
     "INT3400 Thermal", "SEN3", "TSKN", "Tboard_tegra"],
)  # fmt: skip
def test_zones_that_tell_nothing_of_the_processor_are_left_out(tmp_path, kind):
    trees.plant(tmp_path, trees.trips(0, ("passive", 45_000, "cpufreq-cpu0"), kind=kind, temp="100000\n"))
    assert Sensors(tmp_path).temperatures_c() == {}
    assert Sensors(tmp_path).trip_c() is None


@pytest.mark.parametrize(
    "kind", ["cpu-thermal", "tj-thermal", "CPU-therm", "x86_pkg_temp", "acpitz", "soc0-thermal"]
)
def test_zones_of_the_processor_are_kept(tmp_path, kind):
    trees.plant(tmp_path, trees.trips(0, kind=kind, temp="45500\n"))
    assert Sensors(tmp_path).temperatures_c() == {kind: 45.5}


def test_two_zones_of_one_name_are_both_told(tmp_path):
    trees.plant(tmp_path, trees.trips(0, kind="acpitz", temp="90000\n"))
    trees.plant(tmp_path, trees.trips(1, kind="acpitz", temp="30000\n"))
    assert Sensors(tmp_path).temperatures_c() == {"acpitz": 90.0, "acpitz (thermal_zone1)": 30.0}
    assert Sensors(tmp_path).hottest_c() == 90.0


def test_no_processor_is_hotter_than_150_degrees(tmp_path):
    trees.plant(tmp_path, trees.trips(0, kind="cpu", temp="262144\n"))
    assert Sensors(tmp_path).temperatures_c() == {"cpu": None}


def test_older_boards_name_what_holds_their_clocks(tmp_path):
    assert Sensors(boards.xavier_nx_jetpack_5(tmp_path / "xavier")).throttled_by() == ("thermal-devfreq-0",)
    nano = boards.nano_jetpack_4(tmp_path / "nano")
    assert Sensors(nano).throttled_by() == ()
    trees.plant(nano, trees.cooling(cpu_balanced="1\n"))
    assert Sensors(nano).throttled_by() == ("cpu-balanced",)


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("0", ()),
        ("f0000", ()),  # it was so, it is not
        ("50005", ("under-voltage", "throttled")),
        ("0xe0008", ("soft-temperature-limit",)),
        ("2", ("frequency-cap",)),
        ("", None),
        ("throttled=0x0", None),
    ],
)
def test_the_firmware_of_a_raspberry_pi_tells_what_holds_the_clocks_now(tmp_path, word, told):
    assert Sensors(boards.raspberry_pi(tmp_path, throttled=word)).throttled_by() == told


def test_a_pc_whose_brakes_rest_may_still_be_held_by_its_hardware(tmp_path):
    sensors = Sensors(trees.pc(tmp_path))
    assert sensors.throttled_by() is None
    trees.plant(tmp_path, trees.cooling(Processor="3\n"))
    assert sensors.throttled_by() == ("Processor",)


def test_brakes_of_a_pc_that_let_go_tell_so_after_a_new_look_at_the_files_too(tmp_path):
    """Unknown ever after would hold the level for good."""
    sensors = Sensors(trees.pc(tmp_path))
    told = []
    for now_s, state in enumerate(("0", "3", "0", "0")):
        trees.plant(tmp_path, trees.cooling(Processor=f"{state}\n"))
        told.append(sensors.read(20.0 * now_s).throttled_by)
    assert told == [None, ("Processor",), (), ()]
