"""The devices that the controller is tried on in simulation. None was at hand: their figures are assumed.

Known are the trip points; where from is told in `source`. Everything else is a guess at the order of size.
`slower` is chosen so that level 0 keeps its time at 30 frames a second while the device is cool.
"""

from __future__ import annotations

from types import MappingProxyType

from dms.tools.control.plant import Device

_ORIN = "trip 99 °C, critical 104.5 °C: trip points that users of Orin NX and Nano read; the rest is assumed"
_PI = (
    "clocks go down from 80 °C: Raspberry Pi documentation, frequency management; 81 °C on average under "
    "load without a cooler: Phoronix, Raspberry Pi 5 benchmarks; the rest is assumed"
)

DEVICES = MappingProxyType(
    {
        device.name: device
        for device in (
            Device(
                name="nano-15w",
                title="Orin-Nano-like, 15 W mode, fan",
                source=_ORIN,
                slower=2.5,
                cores=6,
                idle_w=5.5,
                loop_w=4.0,
                task_w=0.9,
                leak_per_k=0.004,
                die_j_per_k=6.0,
                case_j_per_k=180.0,
                die_w_per_k=1.6,
                case_w_per_k=0.21,
                fan_w_per_k=0.45,
                fan_from_c=50.0,
                trip_c=99.0,
                hysteresis_c=4.0,
                critical_c=104.5,
                slowest=0.3,
            ),
            Device(
                name="nano-7w",
                title="Orin-Nano-like, 7 W mode, closed housing without a fan",
                source=_ORIN,
                slower=2.6,
                cores=4,
                idle_w=3.6,
                loop_w=3.0,
                task_w=0.6,
                leak_per_k=0.004,
                die_j_per_k=6.0,
                case_j_per_k=220.0,
                die_w_per_k=1.6,
                case_w_per_k=0.16,
                fan_w_per_k=0.0,
                fan_from_c=50.0,
                trip_c=99.0,
                hysteresis_c=4.0,
                critical_c=104.5,
                slowest=0.4,
            ),
            Device(
                name="pi-fanless",
                title="Raspberry-Pi-5-like, no fan",
                source=_PI,
                slower=2.5,
                cores=4,
                idle_w=2.6,
                loop_w=1.5,
                task_w=1.3,
                leak_per_k=0.004,
                die_j_per_k=4.0,
                case_j_per_k=70.0,
                die_w_per_k=0.6,
                case_w_per_k=0.17,
                fan_w_per_k=0.0,
                fan_from_c=60.0,
                trip_c=80.0,
                hysteresis_c=3.0,
                critical_c=110.0,
                slowest=0.4,
            ),
        )
    }
)
"""By name."""
