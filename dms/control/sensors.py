"""What the device tells of itself: temperatures, throttling, power, load, clocks, power mode; by sysfs.

Nothing here raises. What cannot be read is None, never 0: a zone that is switched off is not cold.
docs/sensors.md tells what is read where on which board.
"""

from __future__ import annotations

import platform
from pathlib import Path

from dms.control import board, load, power, thermal
from dms.control.sysfs import text
from dms.records import DeviceReading

NVPMODEL = "usr/sbin/nvpmodel"
NVPMODEL_TIMEOUT_S = 5.0
"""A guess: no board that is busy with its start was timed."""
LOOK_EVERY_S = 10.0
"""How often `Sensors.read` looks for files again: drivers come late, and get new numbers when loaded anew."""


class Sensors:
    """The readings of the machine whose file system begins at `root`; tools are waited for `patience_s`.

    Not to be shared between threads: loads and counts are those since the last look.
    """

    def __init__(self, root: Path = Path("/"), patience_s: float = NVPMODEL_TIMEOUT_S) -> None:
        self._root = root
        self._patience_s = patience_s
        self._known: _Known | None = None
        self._looked_s = 0.0
        self._cpu = load.CpuLoad()
        self._throttling = thermal.Throttling()
        self._supply = power.Supply()
        self._energy = power.ProcessorEnergy()

    def read(self, now_s: float) -> DeviceReading:
        """All that can be told now, cheap enough for a few times a second; `now_s` is monotonic time."""
        if self._known is None or not 0 <= now_s - self._looked_s < LOOK_EVERY_S:
            self._known, self._looked_s = _Known(self._root), now_s
            self._throttling.look(self._root)
            self._supply.look(self._root)
        known = self._known
        return DeviceReading(
            read_s=now_s,
            temperatures_c=known.temperatures.read(),
            trip_c=known.trip_c,
            throttled_by=self._throttling.read(),
            over_current=self._supply.read(),
            board_w=power.board_w(known.rails.read()),
            cpu_load=self._cpu.read(self._root),
            gpu_load=known.gpu.load(),
            pressure=load.pressure(self._root),
        )

    def temperatures_c(self) -> dict[str, float | None]:
        """Celsius by zone: thermal zones of the processor side, and on a PC the processor's own sensor."""
        return thermal.Temperatures(self._root).read()

    def hottest_c(self) -> float | None:
        """The hottest zone that can be read; Celsius."""
        return max((c for c in self.temperatures_c().values() if c is not None), default=None)

    def trip_c(self) -> float | None:
        """From where the first clocks are held down; Celsius, None where nothing tells."""
        return thermal.trip_c(self._root, self.model())

    def throttled_by(self) -> tuple[str, ...] | None:
        """What holds clocks down now; None where nothing that would know can be read."""
        self._throttling.look(self._root)
        return self._throttling.read()

    def over_current(self) -> int | None:
        """Over-currents and under-voltages since the start of the device; None where nothing counts them."""
        self._supply.look(self._root)
        return self._supply.read()

    def rails_w(self) -> dict[str, float | None]:
        """Watts by power rail, of the INA3221 chips."""
        return power.Rails(self._root).read()

    def board_w(self) -> float | None:
        """Watts that the whole board takes; None where no rail feeds all of it, as on the AGX boards."""
        return power.board_w(self.rails_w())

    def processor_j(self) -> float | None:
        """Joules that a PC's processors used since the first call (RAPL); None where they cannot be read.

        The processors alone: memory, disks and losses of the supply come on top.
        """
        return self._energy.read(self._root)

    def cpu_clocks_mhz(self) -> dict[str, float | None]:
        """Megahertz by processor core."""
        return load.cpu_clocks_mhz(self._root)

    def gpu_clock_mhz(self) -> float | None:
        """Megahertz of the GPU."""
        return load.Gpu(self._root).clock_mhz()

    def gpu_load(self) -> float | None:
        """How busy the GPU is, 0 to 1."""
        return load.Gpu(self._root).load()

    def pressure(self) -> float | None:
        """Share of the last ten seconds in which some task waited for a processor, 0 to 1 (PSI)."""
        return load.pressure(self._root)

    def power_mode(self) -> str | None:
        """The nvpmodel mode, for instance `MAXN_SUPER`; starts a process, so ask once.

        None where it is no Jetson, and on one (`l4t` is known) where the mode cannot be read.
        """
        return board.power_mode(self._root / NVPMODEL, self._patience_s)

    def model(self) -> str | None:
        """The board's name by its device tree."""
        return board.model(self._root)

    def l4t(self) -> str | None:
        """The release of Jetson Linux, for instance `36.4.3`."""
        return board.l4t(self._root)


def processor(root: Path = Path("/")) -> str:
    """The processor's name, as Linux tells it; where it does not, its kind, such as `aarch64`."""
    lines = (text(root / "proc/cpuinfo") or "").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


class _Known:
    """The files that were found at one look."""

    def __init__(self, root: Path) -> None:
        self.temperatures = thermal.Temperatures(root)
        self.trip_c = thermal.trip_c(root, board.model(root))
        self.rails = power.Rails(root)
        self.gpu = load.Gpu(root)
