"""The board: its GPU, heat, clocks and power mode, and the service on it."""

import pytest

from dms.config.file import load_config
from dms.control.sensors import Sensors
from dms.doctor import host, jetson, unit
from dms.doctor.check import Grade
from dms.doctor.machine import Machine
from tests.unit.doctor.trees import answers, orin, systemctl, write, zone


def named(checks, name):
    return next(check for check in checks if check.name == name)


def test_the_release_tells_the_jetpack(device, jetpack):
    assert f", JetPack {jetpack}" in jetson.board(Sensors(device.root)).detail


def test_jetpack_5_is_too_old(tmp_path):
    write(tmp_path, "etc/nv_tegra_release", "# R35 (release), REVISION: 6.0, GCID: 1\n")
    assert jetson.board(Sensors(tmp_path)).grade is Grade.WARN


def test_a_jetson_without_its_gpu_is_told(device):
    assert jetson.gpu_nodes(device).grade is Grade.OK
    for node in jetson.GPU_NODES:
        (device.root / node).unlink(missing_ok=True)
    assert jetson.gpu_nodes(device).grade is Grade.WARN


def test_the_brake_is_the_lowest_passive_trip_that_is_not_the_housing_alarm(device):
    assert "; clocks go down at 99 °C" in jetson.temperature(Sensors(device.root)).detail


def test_without_trip_points_the_limit_is_taken_from_measurements(tmp_path):
    zone(tmp_path, 0, "cpu-thermal", 61.5)
    check = jetson.temperature(Sensors(tmp_path))
    assert check.grade is Grade.OK
    assert check.detail.startswith("62 °C at cpu-thermal")
    assert "taken to go down at 99 °C" in check.detail


@pytest.mark.parametrize(("celsius", "grade"), [(84.9, Grade.OK), (85.1, Grade.WARN)])
def test_heat_is_judged_against_the_trip_point(device, celsius, grade):
    zone(device.root, 5, "tj-thermal", celsius)
    check = jetson.temperature(Sensors(device.root))
    assert check.grade is grade
    assert "at tj-thermal" in check.detail


def test_a_lower_trip_point_lowers_the_alarm(device):
    zone(device.root, 5, "tj-thermal", 75, (("passive", 87, "cpufreq-cpu4"),))
    assert jetson.temperature(Sensors(device.root)).grade is Grade.WARN


def test_a_jetson_whose_zones_are_silent_is_told_a_pc_is_left_in_peace(device, pc):
    for path in device.root.glob("sys/class/thermal/thermal_zone*/temp"):
        path.unlink()
    assert jetson.temperature(Sensors(device.root)).grade is Grade.WARN
    (device.root / "etc/nv_tegra_release").unlink()
    assert jetson.temperature(Sensors(device.root)).grade is Grade.OK


def test_what_holds_the_clocks_down_is_named(device):
    assert named(jetson.checks(device), "throttling").grade is Grade.OK
    write(device.root, "sys/class/thermal/cooling_device0/cur_state", "3\n")
    check = named(jetson.checks(device), "throttling")
    assert (check.grade, check.detail) == (Grade.WARN, "clocks are held down by cpufreq-cpu0")


def test_a_supply_that_keeps_up_is_well_and_one_that_does_not_is_told(device):
    write(device.root, "sys/class/hwmon/hwmon3/name", "soctherm_oc\n")
    for count in ("oc1_event_cnt", "oc2_event_cnt", "oc3_event_cnt"):
        write(device.root, f"sys/class/hwmon/hwmon3/{count}", "0\n")
    assert named(jetson.checks(device), "supply").grade is Grade.OK
    write(device.root, "sys/class/hwmon/hwmon3/oc3_event_cnt", "27390\n")
    assert named(jetson.checks(device), "supply").grade is Grade.OK
    write(device.root, "sys/class/hwmon/hwmon3/oc2_event_cnt", "15\n")
    check = named(jetson.checks(device), "supply")
    assert (check.grade, check.detail) == (Grade.WARN, "15 over-currents or under-voltages counted")


def test_the_waiting_for_processors_is_told_where_the_kernel_tells(device):
    assert "pressure" not in {check.name for check in jetson.checks(device)}
    write(device.root, "proc/pressure/cpu", "some avg10=42.00 avg60=1.00 avg300=0.00 total=1\n")
    assert "in 42% of the last 10 s" in named(jetson.checks(device), "pressure").detail


def test_a_mode_below_the_fastest_names_the_command(tmp_path):
    machine = Machine(orin(tmp_path, 6, mode="15W"))
    check = named(jetson.checks(machine), "power mode")
    assert (check.grade, check.detail) == (Grade.WARN, "15W; the fastest is MAXN_SUPER")
    assert "sudo nvpmodel -m 2" in check.cure


def test_the_fastest_mode_is_well_and_a_silent_nvpmodel_is_told(device):
    assert named(jetson.checks(device), "power mode").grade is Grade.OK
    (device.root / "usr/sbin/nvpmodel").unlink()
    assert named(jetson.checks(device), "power mode").grade is Grade.WARN


def test_clocks_tell_their_range_and_whether_they_are_pinned(device):
    assert "processor 730 to 1728 MHz, GPU 306 to 1020 MHz" in jetson.clocks(device).detail
    for core in (0, 1):
        write(device.root, f"sys/devices/system/cpu/cpu{core}/cpufreq/scaling_min_freq", "1728000\n")
    assert "processor 1728 MHz, pinned" in jetson.clocks(device).detail


def test_a_wall_clock_that_was_never_set_or_is_not_kept_is_a_warning(tmp_path):
    told = Machine(tmp_path, answers(timedatectl="no\n"))
    assert host.clock(told).grade is Grade.WARN
    assert "not synchronised" in host.clock(told).detail
    assert "1970" in host.clock(told, lambda: 3600.0).detail
    assert host.clock(Machine(tmp_path, answers(timedatectl="yes\n"))).detail.endswith(", synchronised")
    assert host.clock(Machine(tmp_path, answers())).grade is Grade.OK


def test_this_machine_passes_what_every_machine_must(pc):
    checks = {check.name: check for check in host.checks(pc)}
    assert {checks[name].grade for name in ("python", "packages", "clock")} == {Grade.OK}
    assert all(f"{package} " in checks["packages"].detail for package in host.CORE_PACKAGES)


def service(root, *overrides, jetpack=6, groups="dms video\n", **changes):
    machine = Machine(
        root if (root / "etc").is_dir() else orin(root, jetpack),
        answers(systemctl=systemctl(**changes), id=groups),
    )
    return {check.name: check for check in unit.checks(load_config([], overrides), machine)}


def test_a_unit_that_runs_is_well(tmp_path):
    found = service(tmp_path)
    assert {check.grade for check in found.values()} == {Grade.OK}
    assert found["service"].detail == "enabled, active (running)"
    assert "5s" in found["watchdog"].detail


@pytest.mark.parametrize(
    ("changes", "name", "grade", "cure"),
    [
        ({"UnitFileState": "disabled"}, "service", Grade.WARN, "systemctl enable dms"),
        ({"ActiveState": "inactive", "SubState": "dead"}, "service", Grade.WARN, "systemctl start dms"),
        ({"ActiveState": "failed", "Result": "timeout"}, "service", Grade.FAIL, "journalctl -u dms"),
        ({"ActiveState": "activating", "Result": "watchdog"}, "service", Grade.FAIL, "journalctl -u dms"),
        ({"WatchdogUSec": "0"}, "watchdog", Grade.WARN, "systemctl revert dms"),
        ({"WatchdogUSec": "infinity"}, "watchdog", Grade.WARN, "systemctl revert dms"),
        ({"SupplementaryGroups": "", "User": "alice"}, "rights", Grade.OK, ""),
    ],
)
def test_what_is_wrong_with_the_unit_names_its_cure(tmp_path, changes, name, grade, cure):
    check = service(tmp_path, **changes)[name]
    assert check.grade is grade
    assert cure in check.cure


def test_restarts_are_counted(tmp_path):
    assert "restarted 7 times" in service(tmp_path, NRestarts="7")["service"].detail


def test_a_user_without_the_camera_group_is_told(tmp_path):
    check = service(tmp_path, groups="dms\n", SupplementaryGroups="")["rights"]
    assert (check.grade, check.detail) == (Grade.WARN, "user dms is not in video")


def test_engines_on_the_gpu_want_the_drop_in(tmp_path):
    on_gpu = "engines.eyes.backend=trt"
    check = service(tmp_path, on_gpu)["rights"]
    assert (check.grade, "jetson.conf" in check.cure) == (Grade.WARN, True)
    assert service(tmp_path, on_gpu, DeviceAllow="/dev/nvmap rw")["rights"].grade is Grade.OK
    lone = service(tmp_path, on_gpu, DeviceAllow="/dev/nvmap rw", SupplementaryGroups="video")["rights"]
    assert lone.detail == "user dms is not in render"


def test_a_missing_unit_matters_on_a_jetson_alone(tmp_path):
    assert service(tmp_path, LoadState="not-found")["service"].grade is Grade.WARN
    (tmp_path / "etc/nv_tegra_release").unlink()
    assert service(tmp_path, LoadState="not-found")["service"].grade is Grade.OK


def test_without_systemd_only_that_is_told(pc):
    checks = list(unit.checks(load_config([], ()), pc))
    assert [(check.name, check.grade) for check in checks] == [("systemd", Grade.WARN)]
