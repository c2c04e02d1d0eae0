"""File systems as devices have them, out of parts: the Orin and a PC. `boards.py` has the others.

Names are from public sources, told at each board; where values were made for the tests, that is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

BROKEN = None
"""Content of a file that cannot be read: the kernel answers with an error."""

THERMAL = "sys/class/thermal"
ZONES = ("cpu", "gpu", "cv0", "cv1", "cv2", "soc0", "soc1", "soc2", "tj")
COLD_ZONES: dict[str, str | None] = {"cv0": BROKEN, "cv1": "-256000\n", "cv2": "\n"}
"""Zones whose unit is switched off: an error, -256, nothing."""


def plant(root: Path, files: Mapping[str, str | None]) -> Path:
    """Write files below `root`; a folder stands for a file that cannot be read."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is BROKEN:
            path.mkdir()
        else:
            path.write_text(content)
    return root


def zones(hottest_mc: int = 51_000) -> dict[str, str | None]:
    """The nine thermal zones of an Orin; `tj` is the hottest."""
    files: dict[str, str | None] = {}
    for number, name in enumerate(ZONES):
        heat = str(hottest_mc if name == "tj" else 45_000 + 250 * number) + "\n"
        files[f"{THERMAL}/thermal_zone{number}/type"] = f"{name}-thermal\n"
        files[f"{THERMAL}/thermal_zone{number}/temp"] = COLD_ZONES.get(name, heat)
    return files


def cooling(**states: str | None) -> dict[str, str | None]:
    """Cooling devices; `_` in a name stands for `-`, `__` for the dot of `devfreq-17000000.gpu`."""
    files: dict[str, str | None] = {}
    for number, (name, state) in enumerate(states.items()):
        device = f"{THERMAL}/cooling_device{number}"
        files[f"{device}/type"] = name.replace("__", ".").replace("_", "-") + "\n"
        files[f"{device}/cur_state"] = state
    return files


def trips(
    zone: int, *points: tuple[str, int, str | None], temp: str | None = None, kind: str | None = None
) -> dict[str, str | None]:
    """Trip points of a zone: type, millidegrees and what is bound to it, None nothing.

    In a real tree `cdevN` links to the cooling device; here it is a folder with its type.
    """
    folder = f"{THERMAL}/thermal_zone{zone}"
    files: dict[str, str | None] = {}
    if kind is not None:
        files |= {f"{folder}/type": f"{kind}\n", f"{folder}/temp": temp}
    for number, (trip, heat_mc, device) in enumerate(points):
        files[f"{folder}/trip_point_{number}_type"] = f"{trip}\n"
        files[f"{folder}/trip_point_{number}_temp"] = f"{heat_mc}\n"
        if device is not None:
            files[f"{folder}/cdev{number}/type"] = f"{device}\n"
            files[f"{folder}/cdev{number}_trip_point"] = f"{number}\n"
    return files


ORIN_TRIPS = (
    ("passive", 99_000, "cpufreq-cpu0"),
    ("critical", 104_500, None),
    ("passive", 70_000, "hot-surface-alert"),
)
"""Measured on Orin NX and Nano by two public projects: the one at 70 °C only warns of the housing."""


def over_current(chip: int, *events: int) -> dict[str, str | None]:
    """An Orin's counters: under-voltage, average and momentary over-current (Jetson Linux 36)."""
    folder = f"sys/class/hwmon/hwmon{chip}"
    counts = {f"{folder}/oc{n}_event_cnt": f"{count}\n" for n, count in enumerate(events, start=1)}
    return {f"{folder}/name": "soctherm_oc\n", **counts}


def times(busy: int, idle: int) -> dict[str, str | None]:
    """The first lines of /proc/stat: ticks of all cores, busy as user, idle by halves waiting for a disk."""
    ticks = f"{busy} 0 0 {idle - idle // 2} {idle // 2} 0 0 0 {busy} 0"
    return {"proc/stat": f"cpu  {ticks}\ncpu0 {ticks}\nintr 12345 0 0\nctxt 1\n"}


def psi(percent: float) -> dict[str, str | None]:
    """How long tasks waited, as kernels tell that have PSI."""
    return {
        "proc/pressure/cpu": f"some avg10={percent:.2f} avg60=1.04 avg300=2.00 total=3399547058\n"
        "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
    }


def ina3221(chip: int, *rails: tuple[str, str | None, str | None]) -> dict[str, str | None]:
    """A power monitor: label, millivolts and milliamperes of each channel, and the sum the driver adds."""
    folder = f"sys/class/hwmon/hwmon{chip}"
    files: dict[str, str | None] = {
        f"{folder}/name": "ina3221\n",
        f"{folder}/in7_label": "sum of shunt voltages\n",
        f"{folder}/in7_input": "3000\n",
        f"{folder}/curr4_input": "4000\n",
    }
    for channel, (label, volts, amperes) in enumerate(rails, start=1):
        files[f"{folder}/in{channel}_label"] = f"{label}\n"
        files[f"{folder}/in{channel}_input"] = volts
        files[f"{folder}/curr{channel}_input"] = amperes
    return files


def nvpmodel(root: Path, answer: str) -> None:
    """The tool itself, as far as it answers `-q`."""
    path = root / "usr/sbin/nvpmodel"
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\n[ \"$1\" = -q ] || exit 2\ncat <<'END'\n{answer}\nEND\n")
    path.chmod(0o755)


def orin_nano_jetpack_6(root: Path) -> Path:
    """An Orin Nano under JetPack 6.2 that is at work and throttled."""
    gpu = "sys/class/devfreq/17000000.gpu"
    plant(
        root,
        {
            "proc/device-tree/model": "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super\0",
            "etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, "
            "EABI: aarch64, DATE: Wed Jan  8 01:49:37 UTC 2025\n# KERNEL_VARIANT: oot\n",
            "sys/class/hwmon/hwmon0/name": "pwmfan\n",
            "sys/class/hwmon/hwmon0/pwm1": "88\n",
            f"{gpu}/cur_freq": "1020000000\n",
            f"{gpu}/device/of_node/name": "gpu\0",
            f"{gpu}/device/load": "437\n",
            "sys/class/devfreq/15340000.vic/cur_freq": "115200000\n",
            "sys/class/devfreq/15340000.vic/device/of_node/name": "vic\0",
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1728000\n",
            "sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq": BROKEN,
            "sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq": "1728000\n",
            **zones(),
            **trips(0, *ORIN_TRIPS),
            **trips(1, ("passive", 99_000, "devfreq-17000000.gpu")),
            **over_current(3, 0, 15, 27_390),
            **times(busy=100, idle=900),
            **psi(12.5),
            **cooling(
                pwm_fan="2\n",
                hot_surface_alert="1\n",
                cpu_throttle_alert="0\n",
                gpu_throttle_alert="1\n",
                cpufreq_cpu0="3\n",
                devfreq_17000000__gpu="0\n",
            ),
            **ina3221(
                1,
                ("VDD_IN", "5040\n", "1484\n"),
                ("VDD_CPU_GPU_CV", "5032\n", BROKEN),
                ("VDD_SOC", "5032\n", "304\n"),
            ),
        },
    )
    nvpmodel(root, "NVPM WARN: fan mode is not set!\nNV Power Mode: MAXN_SUPER\n2")
    return root


def agx_orin_jetpack_7(root: Path) -> Path:
    """An AGX Orin under JetPack 7.2: two power monitors, no rail for all of the board, the load elsewhere."""
    gpu = "sys/class/devfreq/17000000.ga10b"
    plant(
        root,
        {
            "proc/device-tree/model": "NVIDIA Jetson AGX Orin Developer Kit\0",
            "etc/nv_tegra_release": "# R39 (release), REVISION: 2.0, GCID: 1, BOARD: generic\n",
            f"{gpu}/cur_freq": "306000000\n",
            f"{gpu}/device/of_node/name": "ga10b\0",
            "sys/devices/platform/bus@0/17000000.gpu/load": "0\n",
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "2201600\n",
            **zones(),
            **cooling(cpu_throttle_alert="0\n", gpu_throttle_alert="0\n"),
            **ina3221(
                2,
                ("VDD_GPU_SOC", "19000\n", "200\n"),
                ("VDD_CPU_CV", "19000\n", "100\n"),
                ("VIN_SYS_5V0", "5000\n", "900\n"),
            ),
            **ina3221(3, ("NC", "0\n", "0\n"), ("VDDQ_VDD2_1V8AO", "5000\n", "100\n"), ("NC", "0\n", "0\n")),
        },
    )
    nvpmodel(root, "NV Power Mode: MODE_30W\n2")
    return root


RAPL = "sys/class/powercap/intel-rapl:0"


def pc(root: Path) -> Path:
    """A PC: the processor's sensor is no thermal zone, an SSD has a sensor too.

    Chips and their files by the kernel's documentation of coretemp and powercap.
    """
    return plant(
        root,
        {
            "sys/class/hwmon/hwmon0/name": "nvme\n",
            "sys/class/hwmon/hwmon0/temp1_input": "38850\n",
            "sys/class/hwmon/hwmon1/name": "coretemp\n",
            "sys/class/hwmon/hwmon1/temp1_input": "62000\n",
            "sys/class/hwmon/hwmon1/temp1_label": "Package id 0\n",
            "sys/class/hwmon/hwmon1/temp1_max": "80000\n",
            "sys/class/hwmon/hwmon1/temp1_crit": "100000\n",
            "sys/class/hwmon/hwmon1/temp2_input": "60000\n",
            f"{RAPL}/name": "package-0\n",
            f"{RAPL}/energy_uj": "9000000\n",
            f"{RAPL}/max_energy_range_uj": "10000000\n",
            "sys/class/powercap/intel-rapl:0:0/name": "core\n",
            "sys/class/powercap/intel-rapl:0:0/energy_uj": "5000000\n",
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "3600000\n",
            **cooling(Processor="0\n", intel_powerclamp="-1\n"),
        },
    )
