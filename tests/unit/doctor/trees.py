"""Machines for the doctor: trees of the files it reads, in the shape of Orins with JetPack 6 and 7."""

from pathlib import Path

CONF = """\
< PARAM TYPE=FILE NAME=CPU_ONLINE >
CORE_0 /sys/devices/system/cpu/cpu0/online
< POWER_MODEL ID=0 NAME=15W >
CPU_ONLINE CORE_0 1
< POWER_MODEL ID=1 NAME=25W >
< POWER_MODEL ID=2 NAME=MAXN_SUPER >
< POWER_MODEL ID=3 NAME=7W >
< PM_CONFIG DEFAULT=1 >
"""
"""An Orin Nano's: the fastest mode is neither the first nor the last nor the highest number."""

RELEASES = {
    6: "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64, DATE: Wed Jan  8",
    7: "# R39 (release), REVISION: 2.0, GCID: 43000000, BOARD: generic, EABI: aarch64, DATE: Mon Jun  1",
}
NODES = {
    6: ("nvmap", "nvgpu/igpu0/ctrl", "nvhost-ctrl-gpu", "dri/renderD128"),
    7: ("nvmap", "nvidiactl", "nvidia0", "dri/renderD128"),
}
UNIT = {
    "LoadState": "loaded",
    "UnitFileState": "enabled",
    "ActiveState": "active",
    "SubState": "running",
    "Result": "success",
    "NRestarts": "0",
    "User": "dms",
    "SupplementaryGroups": "video render",
    "WatchdogUSec": "5s",
    "DeviceAllow": "char-video4linux rw",
}


def write(root: Path, path: str, text: str = "") -> Path:
    """A file below `root`, with its folders."""
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
    return target


def zone(root, number, kind, celsius, trips=()):
    """A thermal zone; each trip is (type, Celsius, the cooling device bound to it)."""
    folder = f"sys/class/thermal/thermal_zone{number}"
    write(root, f"{folder}/type", kind + "\n")
    write(root, f"{folder}/temp", f"{celsius * 1000:.0f}\n")
    for i, (trip, at_c, device) in enumerate(trips):
        write(root, f"{folder}/trip_point_{i}_type", trip + "\n")
        write(root, f"{folder}/trip_point_{i}_temp", f"{at_c * 1000:.0f}\n")
        write(root, f"{folder}/cdev{i}_trip_point", f"{i}\n")
        write(root, f"{folder}/cdev{i}/type", device + "\n")


def orin(root: Path, jetpack: int, mode: str = "MAXN_SUPER") -> Path:
    """An Orin Nano: release, GPU, zones with their trip points, nvpmodel, clocks, systemd."""
    write(
        root, "proc/device-tree/model", "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super\0"
    )
    write(root, "etc/nv_tegra_release", RELEASES[jetpack] + "\n")
    for node in NODES[jetpack]:
        write(root, f"dev/{node}")
    trips = (
        ("active", 70, "hot-surface-alert"),
        ("passive", 70, "hot-surface-alert"),
        ("passive", 99, "cpufreq-cpu0"),
        ("critical", 104.5, "cpufreq-cpu0"),
    )
    zone(root, 0, "cpu-thermal", 52.1, trips)
    zone(root, 1, "gpu-thermal", 50.4, (("passive", 99, "devfreq-17000000.gpu"),))
    zone(root, 2, "cv0-thermal", -256)
    write(root, "sys/class/thermal/cooling_device0/type", "cpufreq-cpu0\n")
    write(root, "sys/class/thermal/cooling_device0/cur_state", "0\n")
    write(root, "sys/class/thermal/cooling_device1/type", "hot-surface-alert\n")
    write(root, "sys/class/thermal/cooling_device1/cur_state", "1\n")
    write(root, "etc/nvpmodel.conf", CONF)
    nvpmodel = write(root, "usr/sbin/nvpmodel", f"#!/bin/sh\necho 'NV Power Mode: {mode}'\necho 2\n")
    nvpmodel.chmod(0o755)
    for core in (0, 1):
        folder = f"sys/devices/system/cpu/cpu{core}/cpufreq"
        write(root, f"{folder}/scaling_min_freq", "729600\n")
        write(root, f"{folder}/scaling_max_freq", "1728000\n")
    for end, hertz in (("min", 306000000), ("max", 1020000000)):
        write(root, f"sys/class/devfreq/17000000.gpu/{end}_freq", f"{hertz}\n")
    (root / "run/systemd/system").mkdir(parents=True)
    return root


def answers(**told: str):
    """What the machine's commands print, by the command's name; all others are missing."""
    return lambda *command: told.get(command[0])


def systemctl(**changes: str) -> str:
    """What `systemctl show` prints of a unit that is well, but for the changes."""
    return "".join(f"{name}={value}\n" for name, value in {**UNIT, **changes}.items())
