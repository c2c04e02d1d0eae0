"""The benchmark: every platform with every precision it can read, each in a process of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dms.backends import BACKENDS, emulated
from dms.control.sensors import Sensors
from dms.engines.manifest import Manifest, load_manifest
from dms.engines.timing import BLOCK, TURNS, WARM_UP
from dms.errors import EngineError
from dms.tools.bench.apart import apart
from dms.tools.bench.environment import environment
from dms.tools.bench.frame import Size, States, states_before
from dms.tools.bench.records import Device, Figures, Report, Row
from dms.tools.bench.row import Job, measure, speed_ups
from dms.tools.bench.watch import DeviceWatch

log = logging.getLogger(__name__)

LIMIT_S = 1800.0
"""A row is given up after so long without a word: a small device needs minutes to build its plans."""
TURNS_S = 30.0
"""About how long the turns of a platform may take; what is slower gets fewer of them."""
LEAST_TURNS = 3


@dataclass(frozen=True)
class Asked:
    """What to measure. `precisions` as in a configuration (`int8`) or an artefact's name; none: all."""

    runtimes: Sequence[str]
    precisions: Sequence[str]
    nets: Sequence[str]
    sizes: Sequence[Size]
    engines: Path
    cache: Path
    unpaced_s: float
    paced_s: float


@dataclass(frozen=True)
class _Place:
    """A row before it is measured."""

    runtime: str
    precision: str
    size: Size

    def __str__(self) -> str:
        return f"{BACKENDS[self.runtime].title} {self.precision} {self.size[0]}x{self.size[1]}"


class Bench:
    """Measures what was asked for.

    Raises:
        EngineError: an engine has no sound manifest.
    """

    def __init__(self, asked: Asked, sensors: Sensors) -> None:
        self._asked = asked
        self._sensors = sensors
        self._notes = {net: load_manifest(asked.engines / net) for net in asked.nets}
        self._places = [
            _Place(runtime, precision, size)
            for size in asked.sizes
            for runtime in asked.runtimes
            for precision in _artefacts(self._notes.values(), runtime, asked.precisions)
        ]

    @property
    def steps(self) -> int:
        """How often `run` tells what it has come to."""
        return len(self._places) + len(self._asked.runtimes)

    def run(self, told: Callable[[str], None]) -> Report:
        """Measure all; `told` hears what is done. A row that cannot be measured here says why.

        Raises:
            EngineError: an FP32 file is damaged.
            InputError: the clip is missing, or too small a frame was asked for.
        """
        before_c = self._sensors.temperatures_c()
        states = states_before(self._asked.sizes, self._asked.engines)
        rows, finished = [], list[Row]()
        for place in self._places:
            rows.append(self._row(place, states[place.size]))
            told(str(place))
        for runtime in self._asked.runtimes:
            finished += self._with_speed_ups(runtime, rows)
            told(BACKENDS[runtime].title)
        where = environment(self._asked.runtimes, self._sensors, before_c)
        return Report(environment=where, rows=tuple(finished))

    def _row(self, place: _Place, states: States) -> Row:
        runtime, precision, (width, height) = place.runtime, place.precision, place.size
        files = {net: note.files.get(precision) for net, note in self._notes.items()}
        proofs = {net: note.proofs.get(precision, {}).get(runtime) for net, note in self._notes.items()}
        row = Row(
            runtime=runtime,
            precision=precision,
            image_size=f"{width}x{height}",
            nets=tuple(self._notes),
            emulated=emulated(runtime),
            file_mb={net: round(file.bytes / 1e6, 3) for net, file in files.items() if file},
            loss_points={net: proof.loss_points if proof else None for net, proof in proofs.items()},
        )
        lacking = [net for net, note in self._notes.items() if precision not in note.readable(runtime)]
        if lacking:
            return row.model_copy(update={"why": f"there is no such file for it of {', '.join(lacking)}"})
        job = Job(
            runtime=runtime,
            artefact=precision,
            engines=self._asked.engines,
            states={net: states[net] for net in self._notes},
            cache=self._asked.cache,
            unpaced_s=self._asked.unpaced_s,
            paced_s=self._asked.paced_s,
        )
        try:
            figures, device = self._measured(job)
        except EngineError as error:
            why = str(error).replace(f"{self._asked.engines}/", "")
            return row.model_copy(update={"why": why})
        return row.model_copy(update={"figures": figures, "device": device})

    def _measured(self, job: Job) -> tuple[Figures, Device]:
        watched = DeviceWatch(self._sensors)
        work = partial(apart, measure, job, told=watched.told, meanwhile=watched.look, limit_s=LIMIT_S)
        figures = work() or work()  # the first time may have built what the second one loads
        if figures is None:
            raise EngineError(f"{job.runtime} builds its engines anew at every start; look at {job.cache}")
        return figures, watched.device(figures.paced.fps)

    def _with_speed_ups(self, runtime: str, rows: Sequence[Row]) -> list[Row]:
        """The rows of a runtime, those beside FP32 with how much faster they are."""
        own = [row for row in rows if row.runtime == runtime]
        ran = {row.precision: row.figures for row in own if row.figures}
        reference = next((row.precision for row in own if row.is_reference and row.figures), None)
        if reference is None or len(ran) < 2:
            return own
        artefacts = [reference, *(precision for precision in ran if precision != reference)]
        turns = _turns(ran.values())
        asked = self._asked
        work = (runtime, artefacts, asked.nets, asked.engines, asked.cache, turns)
        try:
            found = apart(speed_ups, *work, limit_s=LIMIT_S)
        except EngineError as error:
            log.warning("%s: the precisions cannot be compared in turns: %s", runtime, error)
            return own
        return [row.model_copy(update={"speed_up": found.get(row.precision)}) for row in own]


def _artefacts(notes: Iterable[Manifest], runtime: str, precisions: Sequence[str]) -> list[str]:
    """The artefacts to measure on a runtime: those asked for, or all that it reads.

    What no net has is kept, and so is FP32 where there is nothing: their rows will say so.
    """
    notes = list(notes)
    readable = [] if precisions else [name for note in notes for name in note.readable(runtime)]
    wanted = precisions or (() if readable else ("fp32",))
    return list(dict.fromkeys([*readable, *(notes[0].precision_for(name, runtime) for name in wanted)]))


def _turns(ran: Iterable[Figures]) -> int:
    """How many turns fit into the time that a platform is given."""
    frame_s = sum(figures.unpaced.stages.infer.p50 for figures in ran) / 1e3
    fit = TURNS_S / (frame_s * (WARM_UP + BLOCK))
    return min(TURNS, max(LEAST_TURNS, int(fit)))
