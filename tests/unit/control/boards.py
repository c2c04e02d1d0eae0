"""File systems as other boards have them: Xavier NX, Jetson Nano, Raspberry Pi."""

from __future__ import annotations

from pathlib import Path

from tests.unit.control.trees import cooling, ina3221, nvpmodel, plant, psi, times, trips


def xavier_nx_jetpack_5(root: Path) -> Path:
    """A Xavier NX under JetPack 5: rails by the Jetson Linux guide, brakes as kernel 5.10 names them.

    `Tboard_tegra` and `PMIC-Die` are zones, but not of the processor. The trip points are made for the tests.
    """
    gpu = "sys/class/devfreq/17000000.gv11b"
    plant(
        root,
        {
            "proc/device-tree/model": "NVIDIA Jetson Xavier NX Developer Kit\0",
            "etc/nv_tegra_release": "# R35 (release), REVISION: 4.1, GCID: 33958178, BOARD: t186ref\n",
            f"{gpu}/cur_freq": "114750000\n",
            f"{gpu}/device/of_node/name": "gv11b\0",
            "sys/devices/17000000.gv11b/load": "250\n",
            **trips(0, ("passive", 95_500, "thermal-cpufreq-0"), kind="CPU-therm", temp="41500\n"),
            **trips(1, ("passive", 96_000, "thermal-devfreq-0"), kind="GPU-therm", temp="40500\n"),
            **trips(2, kind="AUX-therm", temp="40000\n"),
            **trips(3, kind="AO-therm", temp="41000\n"),
            **trips(4, kind="Tboard_tegra", temp="39000\n"),
            **trips(5, ("passive", 50_000, "thermal-cpufreq-0"), kind="PMIC-Die", temp="100000\n"),
            **cooling(pwm_fan="0\n", thermal_cpufreq_0="0\n", thermal_devfreq_0="2\n"),
            **ina3221(
                6,
                ("VDD_IN", "4992\n", "800\n"),
                ("VDD_CPU_GPU_CV", "4984\n", "200\n"),
                ("VDD_SOC", "4984\n", "200\n"),
            ),
        },
    )
    nvpmodel(root, "NV Power Mode: MODE_20W_6CORE\n8")
    return root


def nano_jetpack_4(root: Path) -> Path:
    """A Jetson Nano under JetPack 4: trip points and what is bound to them by its device tree of July 2020.

    `PMIC-Die` always reads 100 °C. What is bound at 70 °C is for the memory alone. Kernel 4.9
    knows no PSI; the power monitor is no hwmon chip yet.
    """
    ina = "sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0"
    rails = {"POM_5V_IN": "2875\n", "POM_5V_GPU": "164\n", "POM_5V_CPU": "905\n"}
    files: dict[str, str | None] = {
        "proc/device-tree/model": "NVIDIA Jetson Nano Developer Kit\0",
        "etc/nv_tegra_release": "# R32 (release), REVISION: 4.3, GCID: 21589087, BOARD: t210ref\n",
        "sys/class/devfreq/57000000.gpu/cur_freq": "921600000\n",
        "sys/class/devfreq/57000000.gpu/device/of_node/name": "gpu\0",
        "sys/devices/57000000.gpu/load": "990\n",
        **trips(0, ("critical", 110_000, None), kind="AO-therm", temp="41500\n"),
        **trips(
            1,
            ("active", 66_000, "dfll-cap"),
            ("critical", 102_000, None),
            ("hot", 100_500, "tegra-heavy"),
            ("passive", 97_000, "cpu-balanced"),
            kind="CPU-therm",
            temp="34000\n",
        ),
        **trips(2, ("passive", 97_500, "gpu-balanced"), kind="GPU-therm", temp="31000\n"),
        **trips(3, ("passive", 70_000, "tegra-dram"), kind="PLL-therm", temp="31500\n"),
        **trips(4, ("active", 120_000, "emergency-balanced"), kind="PMIC-Die", temp="100000\n"),
        **trips(5, kind="thermal-fan-est", temp="33000\n"),
        **cooling(cpu_balanced="0\n", gpu_balanced="0\n", tegra_dram="1\n", pwm_fan="1\n"),
        **times(busy=100, idle=900),
    }
    for channel, (label, milliwatts) in enumerate(rails.items()):
        files[f"{ina}/rail_name_{channel}"] = f"{label}\n"
        files[f"{ina}/in_power{channel}_input"] = milliwatts
    plant(root, files)
    nvpmodel(root, "NV Power Mode: MAXN\n0")
    return root


PI_FIRMWARE = "sys/devices/platform/soc/soc:firmware/get_throttled"


def raspberry_pi(
    root: Path, model: str = "Raspberry Pi 5 Model B Rev 1.0", throttled: str = "0", low: str = "0"
) -> Path:
    """A Raspberry Pi: the trip points only drive the fan (bcm2712-rpi-5-b.dts), the firmware does the rest.

    Its word on throttling is hexadecimal without 0x (the kernel's raspberrypi firmware driver).
    """
    fan = "pwm-fan"
    return plant(
        root,
        {
            "proc/device-tree/model": f"{model}\0",
            **trips(
                0,
                ("critical", 110_000, None),
                ("active", 50_000, fan),
                ("active", 60_000, fan),
                ("active", 67_500, fan),
                ("active", 75_000, fan),
                kind="cpu-thermal",
                temp="61200\n",
            ),
            **cooling(pwm_fan="2\n"),
            "sys/class/hwmon/hwmon0/name": "cpu_thermal\n",
            "sys/class/hwmon/hwmon0/temp1_input": "61200\n",
            "sys/class/hwmon/hwmon1/name": "rpi_volt\n",
            "sys/class/hwmon/hwmon1/in0_lcrit_alarm": f"{low}\n",
            PI_FIRMWARE: f"{throttled}\n",
            **times(busy=100, idle=900),
            **psi(0.0),
        },
    )
