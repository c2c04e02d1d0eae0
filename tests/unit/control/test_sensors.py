"""What a device tells, read from trees with the names real ones have."""

import platform

import pytest

from dms.control.sensors import NVPMODEL, Sensors, processor
from tests.unit.control import trees


@pytest.fixture
def nano(tmp_path):
    return Sensors(trees.orin_nano_jetpack_6(tmp_path))


@pytest.fixture
def agx(tmp_path):
    return Sensors(trees.agx_orin_jetpack_7(tmp_path))


def test_a_zone_that_fails_reads_minus_256_or_is_empty_is_unknown_not_cold(nano):
    zones = nano.temperatures_c()
    assert list(zones) == [f"{name}-thermal" for name in trees.ZONES]
    assert [name for name, celsius in zones.items() if celsius is None] == [
        "cv0-thermal", "cv1-thermal", "cv2-thermal",
    ]  # fmt: skip
    assert zones["cpu-thermal"] == 45.0
    assert nano.hottest_c() == 51.0


def test_the_hottest_of_zones_that_all_are_off_is_unknown(tmp_path):
    off = {f"{trees.THERMAL}/thermal_zone0/temp": "-256000\n", f"{trees.THERMAL}/thermal_zone0/type": "cv0\n"}
    sensors = Sensors(trees.plant(tmp_path, off))
    assert sensors.temperatures_c() == {"cv0": None}
    assert sensors.hottest_c() is None


def test_a_zone_without_a_type_has_the_name_of_its_folder(tmp_path):
    sensors = Sensors(trees.plant(tmp_path, {f"{trees.THERMAL}/thermal_zone3/temp": "-5500\n"}))
    assert sensors.temperatures_c() == {"thermal_zone3": -5.5}


def test_a_rail_is_volts_times_amperes_and_unknown_where_one_is(nano):
    rails = nano.rails_w()
    assert rails["VDD_IN"] == pytest.approx(5.040 * 1.484)
    assert rails["VDD_CPU_GPU_CV"] is None
    assert rails["VDD_SOC"] == pytest.approx(5.032 * 0.304)
    assert len(rails) == 3  # the driver's sum of shunt voltages is no rail
    assert nano.board_w() == rails["VDD_IN"]


def test_a_board_without_a_rail_for_all_of_it_tells_its_rails_and_no_total(agx):
    assert agx.rails_w() == pytest.approx(
        {"VDD_GPU_SOC": 3.8, "VDD_CPU_CV": 1.9, "VIN_SYS_5V0": 4.5, "VDDQ_VDD2_1V8AO": 0.5}
    )
    assert agx.board_w() is None


def test_clocks_and_load_of_the_gpu_not_of_its_neighbours(nano):
    assert nano.gpu_clock_mhz() == pytest.approx(1020)
    assert nano.gpu_load() == pytest.approx(0.437)
    assert nano.cpu_clocks_mhz() == {"cpu0": pytest.approx(1728), "cpu1": None}


def test_a_gpu_at_rest_has_a_load_of_none_percent_which_is_known(agx):
    assert agx.gpu_load() == 0.0
    assert agx.gpu_clock_mhz() == pytest.approx(306)


def test_what_holds_the_clocks_down_is_named_and_the_warm_housing_is_not(nano):
    assert nano.throttled_by() == ("gpu-throttle-alert", "cpufreq-cpu0")


def test_not_throttled_is_known(agx):
    assert agx.throttled_by() == ()


def test_cooling_devices_that_cannot_be_read_leave_throttling_unknown(tmp_path):
    tree = trees.cooling(cpu_throttle_alert=trees.BROKEN, hot_surface_alert="1\n")
    assert Sensors(trees.plant(tmp_path, tree)).throttled_by() is None


def test_board_release_and_power_mode(nano):
    assert nano.model() == "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super"
    assert nano.l4t() == "36.4.3"
    assert nano.power_mode() == "MAXN_SUPER"


def test_board_release_and_power_mode_of_jetpack_7(agx):
    assert (agx.model(), agx.l4t(), agx.power_mode()) == (
        "NVIDIA Jetson AGX Orin Developer Kit", "39.2.0", "MODE_30W",
    )  # fmt: skip


@pytest.mark.parametrize("answer", ["", "NV Power Mode:", "NVPM ERROR: failed to read PARAM"])
def test_an_answer_without_a_mode_is_no_mode(tmp_path, answer):
    trees.nvpmodel(tmp_path, answer)
    assert Sensors(tmp_path).power_mode() is None


def test_a_tool_that_fails_tells_no_mode(tmp_path):
    trees.nvpmodel(tmp_path, "NV Power Mode: 15W")
    tool = tmp_path / NVPMODEL
    tool.write_text(f"{tool.read_text()}exit 3\n")
    assert Sensors(tmp_path).power_mode() is None


def test_a_tool_that_may_not_be_run_tells_no_mode_and_a_jetson_is_one_all_the_same(tmp_path):
    sensors = Sensors(trees.orin_nano_jetpack_6(tmp_path))
    (tmp_path / NVPMODEL).chmod(0o644)
    assert (sensors.power_mode(), sensors.l4t()) == (None, "36.4.3")


def test_a_tool_that_is_too_slow_once_is_asked_again(tmp_path):
    trees.nvpmodel(tmp_path, "NV Power Mode: 15W")
    tool, asked = tmp_path / NVPMODEL, tmp_path / "asked"
    slow_at_first = f"[ -e {asked} ] || {{ : > {asked}; exec sleep 60; }}"
    tool.write_text(tool.read_text().replace("#!/bin/sh\n", f"#!/bin/sh\n{slow_at_first}\n"))
    assert Sensors(tmp_path, patience_s=1.0).power_mode() == "15W"


def test_a_tool_that_never_answers_is_asked_twice(tmp_path):
    trees.nvpmodel(tmp_path, "")
    asked = tmp_path / "asked"
    (tmp_path / NVPMODEL).write_text(f"#!/bin/sh\necho . >> {asked}\nexec sleep 60\n")
    assert Sensors(tmp_path, patience_s=0.5).power_mode() is None
    assert asked.read_text() == ".\n.\n"


def test_the_processor_is_named_or_its_kind_is(tmp_path):
    assert processor(tmp_path) == platform.machine()
    trees.plant(tmp_path, {"proc/cpuinfo": "processor\t: 0\nmodel name\t: A Processor: fast\nflags\t: x\n"})
    assert processor(tmp_path) == "A Processor: fast"


@pytest.mark.parametrize("release", ["", "# R36 (release)", "REVISION:", "nonsense, REVISION: 1.0"])
def test_a_release_that_cannot_be_understood_is_unknown(tmp_path, release):
    trees.plant(tmp_path, {"etc/nv_tegra_release": release})
    assert Sensors(tmp_path).l4t() is None


def test_a_pc_tells_its_processor_and_leaves_the_rest_unknown(tmp_path):
    sensors = Sensors(trees.pc(tmp_path))
    assert sensors.temperatures_c() == {"Package id 0": 62.0, "hwmon1 temp2_input": 60.0}
    assert sensors.cpu_clocks_mhz() == {"cpu0": pytest.approx(3600)}
    assert sensors.throttled_by() is None
    assert (sensors.board_w(), sensors.gpu_load(), sensors.power_mode()) == (None, None, None)


def test_nothing_there_is_unknown_throughout(tmp_path):
    sensors = Sensors(tmp_path)
    assert sensors.temperatures_c() == sensors.rails_w() == sensors.cpu_clocks_mhz() == {}
    nothing = (
        sensors.hottest_c(), sensors.board_w(), sensors.gpu_clock_mhz(), sensors.gpu_load(),
        sensors.throttled_by(), sensors.power_mode(), sensors.model(), sensors.l4t(),
    )  # fmt: skip
    assert nothing == (None,) * len(nothing)
