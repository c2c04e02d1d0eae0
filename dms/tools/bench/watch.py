"""What the device does while frames are paced: power, clocks, load, heat, read from outside the process."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping

from dms.control.sensors import Sensors
from dms.tools.bench.records import Device
from dms.tools.bench.row import PACED


class DeviceWatch:
    """Reads the sensors at every `look` from the word `PACED` on."""

    def __init__(self, sensors: Sensors) -> None:
        self._readings: Mapping[str, Callable[[], float | None]] = {
            "board_w": sensors.board_w,
            "cpu_mhz": lambda: _highest(sensors.cpu_clocks_mhz()),
            "gpu_mhz": sensors.gpu_clock_mhz,
            "gpu_load": sensors.gpu_load,
            "hottest_c": sensors.hottest_c,
        }
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

    def device(self, fps: float) -> Device:
        """The means of what could be read; `fps` frames a second shared the power."""
        means = {name: round(statistics.fmean(values), 3) for name, values in self._read.items() if values}
        board_w = means.get("board_w")
        return Device(**means, frame_mj=None if board_w is None else round(1e3 * board_w / fps, 1))


def _highest(clocks: Mapping[str, float | None]) -> float | None:
    return max((mhz for mhz in clocks.values() if mhz is not None), default=None)
