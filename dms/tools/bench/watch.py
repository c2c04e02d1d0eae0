"""What the device does while frames are paced: power, clocks, load, heat, read from outside the process."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

from dms.control.sensors import Sensors
from dms.tools.bench.records import Device
from dms.tools.bench.row import PACED


class DeviceWatch:
    """Reads the sensors at every `look` from the word `PACED` on."""

    def __init__(self, sensors: Sensors, clock: Callable[[], float] = time.perf_counter) -> None:
        self._readings: Mapping[str, Callable[[], float | None]] = {
            "board_w": sensors.board_w,
            "cpu_mhz": lambda: _highest(sensors.cpu_clocks_mhz()),
            "gpu_mhz": sensors.gpu_clock_mhz,
            "gpu_load": sensors.gpu_load,
            "hottest_c": sensors.hottest_c,
        }
        self._processor_j = sensors.processor_j
        self._clock = clock
        self._used: list[tuple[float, float]] = []
        self._paced = False
        self._read: dict[str, list[float]] = {name: [] for name in self._readings}

    def told(self, word: str) -> None:
        """Hear what the process comes to."""
        self._paced = word == PACED

    def look(self) -> None:
        """Read all sensors, once the frames are paced."""
        if not self._paced:
            return
        for name, reading in self._readings.items():
            if (value := reading()) is not None:
                self._read[name].append(value)
        if (joules := self._processor_j()) is not None:
            self._used.append((self._clock(), joules))

    def device(self, fps: float) -> Device:
        """The means of what could be read; `fps` frames a second shared the power."""
        means = {name: round(statistics.fmean(values), 3) for name, values in self._read.items() if values}
        return Device(
            **means,
            frame_mj=_frame_mj(means.get("board_w"), fps),
            processor_mj=_frame_mj(self._processor_w(), fps),
        )

    def _processor_w(self) -> float | None:
        """Watts of the processors between the first look and the last."""
        if len(self._used) < 2:
            return None
        (begun_s, begun_j), *_, (end_s, end_j) = self._used
        return (end_j - begun_j) / (end_s - begun_s)


def _frame_mj(watts: float | None, fps: float) -> float | None:
    return None if watts is None else round(1e3 * watts / fps, 1)


def _highest(clocks: Mapping[str, float | None]) -> float | None:
    return max((mhz for mhz in clocks.values() if mhz is not None), default=None)
