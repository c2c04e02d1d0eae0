"""Loads, waiting, power and supply."""

import pytest

from dms.control.load import CpuLoad
from dms.control.power import ProcessorEnergy, Supply
from dms.control.sensors import Sensors
from tests.unit.control import boards, trees


@pytest.mark.parametrize(
    ("build", "load", "watts"),
    [
        (boards.xavier_nx_jetpack_5, 0.25, 4.992 * 0.8),
        (boards.nano_jetpack_4, 0.99, 2.875),
        (boards.raspberry_pi, None, None),
    ],
)
def test_older_and_other_boards_tell_gpu_and_power_where_they_have_them(tmp_path, build, load, watts):
    reading = Sensors(build(tmp_path)).read(0.0)
    assert reading.gpu_load == load
    assert reading.board_w == (None if watts is None else pytest.approx(watts))


def test_the_nano_tells_its_rails_by_name(tmp_path):
    rails = Sensors(boards.nano_jetpack_4(tmp_path)).rails_w()
    assert rails == pytest.approx({"POM_5V_IN": 2.875, "POM_5V_GPU": 0.164, "POM_5V_CPU": 0.905})


@pytest.mark.parametrize("load", ["1500\n", "-1\n"])
def test_a_gpu_load_that_cannot_be_is_unknown(tmp_path, load):
    trees.plant(tmp_path, {"sys/devices/gpu.0/load": load})
    assert Sensors(tmp_path).gpu_load() is None


def test_the_load_is_the_busy_share_since_the_last_look(tmp_path):
    load = CpuLoad()
    seen = []
    for busy, idle in [(100, 900), (130, 970), (130, 1070), (230, 1070)]:
        seen.append(load.read(trees.plant(tmp_path, trees.times(busy, idle))))
    assert seen == [None, pytest.approx(0.3), 0.0, 1.0]


def test_the_load_of_no_time_of_time_run_back_and_of_a_lost_file_is_unknown(tmp_path):
    load = CpuLoad()
    load.read(trees.plant(tmp_path, trees.times(100, 900)))
    assert load.read(tmp_path) is None
    assert load.read(trees.plant(tmp_path, trees.times(50, 800))) is None
    (tmp_path / "proc/stat").unlink()
    assert load.read(tmp_path) is None
    assert load.read(trees.plant(tmp_path, trees.times(100, 900))) is None
    assert load.read(trees.plant(tmp_path, trees.times(150, 950))) == pytest.approx(0.5)


@pytest.mark.parametrize(
    "stat", ["", "cpu\n", "cpu  1 2 3 4\n", "cpu  a b c d e f\n", "cpu0 1 2 3 4 5 6 7 8\n"]
)
def test_a_table_of_times_that_is_none_tells_no_load(tmp_path, stat):
    load = CpuLoad()
    trees.plant(tmp_path, {"proc/stat": stat})
    assert [load.read(tmp_path), load.read(tmp_path)] == [None, None]


@pytest.mark.parametrize(("told", "share"), [(trees.psi(12.5), 0.125), (trees.psi(0.0), 0.0), ({}, None)])
def test_pressure_is_the_share_of_ten_seconds_in_which_some_task_waited(tmp_path, told, share):
    assert Sensors(trees.plant(tmp_path, told)).pressure() == share


@pytest.mark.parametrize("told", ["some avg10=x\n", "full avg10=1.00\n", "some avg10=1.2.3\n", ""])
def test_pressure_that_cannot_be_understood_is_unknown_or_what_it_says(tmp_path, told):
    pressure = Sensors(trees.plant(tmp_path, {"proc/pressure/cpu": told})).pressure()
    assert pressure in (None, 0.012)


def test_the_third_counter_of_an_orin_is_no_fault(tmp_path):
    sensors = Sensors(trees.plant(tmp_path, trees.over_current(3, 2, 15, 27_390)))
    assert sensors.over_current() == 17


def test_a_counter_that_cannot_be_read_leaves_the_sum_unknown(tmp_path):
    trees.plant(tmp_path, trees.over_current(3, 2, 15, 0))
    (tmp_path / "sys/class/hwmon/hwmon3/oc1_event_cnt").write_text("\n")
    assert Sensors(tmp_path).over_current() is None


def test_an_under_voltage_of_a_raspberry_pi_counts_once_each_time_it_begins(tmp_path):
    supply = Supply()
    alarm = boards.raspberry_pi(tmp_path) / "sys/class/hwmon/hwmon1/in0_lcrit_alarm"
    supply.look(tmp_path)
    seen = []
    for state in ("0", "1", "1", "", "1", "0", "1"):
        alarm.write_text(state)
        supply.look(tmp_path)
        seen.append(supply.read())
    assert seen == [0, 1, 1, None, 1, 1, 2]


def test_no_counter_no_count(tmp_path):
    assert Sensors(trees.pc(tmp_path)).over_current() is None


def test_energy_of_a_pc_is_that_of_its_packages_since_the_first_look_even_when_the_counter_is_full(tmp_path):
    energy, used = ProcessorEnergy(), []
    trees.pc(tmp_path)
    for count_uj in (9_000_000, 9_500_000, 250_000, 250_000):
        (tmp_path / trees.RAPL / "energy_uj").write_text(f"{count_uj}\n")
        used.append(energy.read(tmp_path))
    assert used == pytest.approx([0.0, 0.5, 1.25, 1.25])


def test_energy_that_only_root_may_read_is_unknown_and_that_of_a_jetson_is_not_claimed(tmp_path):
    pc = trees.pc(tmp_path / "pc")
    (pc / trees.RAPL / "energy_uj").unlink()
    assert Sensors(pc).processor_j() is None
    assert Sensors(trees.orin_nano_jetpack_6(tmp_path / "orin")).processor_j() is None


def test_an_engine_of_energy_without_its_range_counts_no_jump(tmp_path):
    energy = ProcessorEnergy()
    trees.pc(tmp_path)
    (tmp_path / trees.RAPL / "max_energy_range_uj").unlink()
    energy.read(tmp_path)
    (tmp_path / trees.RAPL / "energy_uj").write_text("1\n")
    assert energy.read(tmp_path) == 0.0
