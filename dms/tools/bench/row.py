"""Measuring one row of the benchmark: loading, then frames unpaced and at the rate of a camera."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import psutil

from dms.backends import Arrays, Backend, Options, open_backend
from dms.engines.manifest import load_manifest
from dms.engines.opening import Opened, proved
from dms.engines.timing import quartiles_ms, times_ms
from dms.errors import EngineError
from dms.records import FrameState
from dms.stages.views import Place, View, open_views
from dms.tools.bench.apart import Told
from dms.tools.bench.frame import STAGES, States
from dms.tools.bench.records import Figures, Memory, Run, SpeedUp, Stages

RATE_HZ = 30.0
WARM_UP_FRAMES, WARM_UP_S = 10, 2.0
"""Frames before the timed ones; fewer where they take longer than that."""
LEAST_FRAMES = 10
"""Timed frames at least, however long one takes."""
PACED = "paced"
"""The word that tells the caller that the paced frames begin."""


@dataclass(frozen=True)
class Job:
    """What a row measures. `cache` keeps what a runtime builds; `unpaced_s` and `paced_s` bound the runs."""

    runtime: str
    artefact: str
    engines: Path
    states: States
    cache: Path
    unpaced_s: float
    paced_s: float


def measure(job: Job, told: Told) -> Figures | None:
    """Measure a row; None when an engine had to be built first, which is no loading: measure it once more.

    Raises:
        EngineError: the runtime cannot run it here.
    """
    process, built = psutil.Process(), list[str]()
    options = Options(cache=job.cache, told=built.append)
    base_mb = rss_mb(process)
    with ExitStack() as stack:
        engines, load_s = {}, {}
        for net in job.states:
            begun_s = time.perf_counter()
            engines[net] = _opened(net, job.runtime, job.artefact, job.engines, options)
            stack.callback(engines[net].backend.close)
            load_s[net] = round(time.perf_counter() - begun_s, 4)
        if built:
            return None
        lanes = stack.enter_context(_lanes(engines, job.states, job.cache))
        loaded_mb = rss_mb(process)
        _warm_up(lanes)
        unpaced = _run(lanes, _unpaced(job.unpaced_s))
        told(PACED)
        paced = _run(lanes, _paced(job.paced_s))
        run_mb = rss_mb(process) - loaded_mb
    memory = Memory(
        base_mb=base_mb, model_mb=round(loaded_mb - base_mb, 1), run_mb=round(run_mb, 1), peak_mb=_peak_mb()
    )
    return Figures(load_s=load_s, unpaced=unpaced, paced=paced, memory=memory)


def speed_ups(
    runtime: str,
    artefacts: Sequence[str],
    nets: Sequence[str],
    engines: Path,
    cache: Path,
    turns: int,
    told: Told,
) -> dict[str, SpeedUp]:
    """How much faster a runtime runs each artefact than the first one; all take turns, see `engines.timing`.

    The milliseconds of the `nets` are added up turn by turn. `told` is not used: there is nothing to tell.

    Raises:
        EngineError: the runtime cannot run one of them.
    """
    options = Options(cache=cache)
    spent_ms = {artefact: np.zeros(turns) for artefact in artefacts}
    for net in nets:
        with ExitStack() as stack:
            opened = {
                artefact: stack.enter_context(
                    closing(_opened(net, runtime, artefact, engines, options).backend)
                )
                for artefact in artefacts
            }
            for artefact, times in times_ms(net, opened, turns).items():
                spent_ms[artefact] += quartiles_ms(times)
    reference, *others = artefacts
    return {artefact: _speed_up(spent_ms[reference] / spent_ms[artefact]) for artefact in others}


def _speed_up(ratios: np.ndarray) -> SpeedUp:
    value, low, high = (round(float(r), 3) for r in (np.median(ratios), ratios.min(), ratios.max()))
    return SpeedUp(value=value, low=low, high=high)


def _opened(net: str, runtime: str, artefact: str, engines: Path, options: Options) -> Opened:
    """An engine as a run opens it: its file checked, its answers too."""
    note = load_manifest(engines / net)
    return proved(open_backend(runtime, note.verified_path(artefact), options), note, runtime, artefact)


class _TimedBackend:
    """Notes how long the last run of a backend took; None until there is one."""

    def __init__(self, inner: Backend) -> None:
        self._inner = inner
        self.inputs, self.outputs, self.close = inner.inputs, inner.outputs, inner.close
        self.spent_s: float | None = None

    def infer(self, feeds: Arrays) -> Arrays:
        begun_s = time.perf_counter()
        results = self._inner.infer(feeds)
        self.spent_s = time.perf_counter() - begun_s
        return results


class _TimedView:
    """Notes how long the last look took: the cut and the run."""

    def __init__(self, inner: View) -> None:
        self._inner = inner
        self.spent_s = 0.0

    def look(self, state: FrameState, place: Place) -> Arrays:
        begun_s = time.perf_counter()
        results = self._inner.look(state, place)
        self.spent_s = time.perf_counter() - begun_s
        return results


class _Lane:
    """One net with its stage, the same that a run has, and always the same picture.

    `view` asks the backend, which tells the inference apart; a view on a GPU goes past it.
    """

    def __init__(self, net: str, backend: _TimedBackend, view: View, state: FrameState) -> None:
        self._backend = backend
        self._view = _TimedView(view)
        self._stage = STAGES[net](self._view)
        self._state = state
        self._frames = 0

    def run(self) -> tuple[float, float, float]:
        """Milliseconds of pre-processing, inference and post-processing; the first is NaN on a GPU."""
        self._frames += 1  # a frame of a new number is taken to the GPU anew, as one of a camera is
        state = replace(self._state, frame=replace(self._state.frame, id=self._frames))
        begun_s = time.perf_counter()
        after = self._stage.run(state)
        whole_s, looked_s, infer_s = time.perf_counter() - begun_s, self._view.spent_s, self._backend.spent_s
        for fault in after.seen.faults.values():
            raise EngineError(fault)
        post_ms = 1e3 * (whole_s - looked_s)
        if infer_s is None:
            return math.nan, 1e3 * looked_s, post_ms
        return 1e3 * (looked_s - infer_s), 1e3 * infer_s, post_ms


@contextmanager
def _lanes(engines: Mapping[str, Opened], states: States, cache: Path) -> Iterator[dict[str, _Lane]]:
    """The lanes of all nets, the way to each input chosen as a run chooses it."""
    timed = {net: _TimedBackend(engine.backend) for net, engine in engines.items()}
    watched = {net: replace(engine, backend=timed[net]) for net, engine in engines.items()}
    height, width = next(iter(states.values())).frame.image.shape
    with open_views(watched, cache, (height, width)) as views:
        yield {net: _Lane(net, timed[net], views[net], states[net]) for net in engines}


def _frame(lanes: Mapping[str, _Lane]) -> list[tuple[float, float, float]]:
    return [lane.run() for lane in lanes.values()]


def _warm_up(lanes: Mapping[str, _Lane]) -> None:
    end_s = time.perf_counter() + WARM_UP_S
    for _ in range(WARM_UP_FRAMES):
        _frame(lanes)
        if time.perf_counter() > end_s:
            return


def _run(lanes: Mapping[str, _Lane], ticks: Iterator[None]) -> Run:
    """Run a frame at every tick."""
    begun_s, begun_own_s, begun_all_s = time.perf_counter(), time.process_time(), busy_s()
    frames_ms = np.array([_frame(lanes) for _ in ticks])
    spent_s, own_s = time.perf_counter() - begun_s, time.process_time() - begun_own_s
    return Run(
        frames=len(frames_ms),
        fps=round(len(frames_ms) / spent_s, 2),
        cpu_percent=round(100 * own_s / spent_s, 1),
        others_percent=round(max(0.0, 100 * (busy_s() - begun_all_s - own_s) / spent_s), 1),
        stages=Stages.of(frames_ms.sum(axis=1)),
        by_net={net: Stages.of(frames_ms[:, k]) for k, net in enumerate(lanes)},
    )


def _unpaced(seconds: float) -> Iterator[None]:
    end_s, frames = time.perf_counter() + seconds, 0
    while frames < LEAST_FRAMES or time.perf_counter() < end_s:
        yield
        frames += 1


def _paced(
    seconds: float,
    clock: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[None]:
    """A tick at every frame of a camera; those that pass while a frame is being judged are lost."""
    begun_s, tick = clock(), 0
    while tick < seconds * RATE_HZ:
        sleep(max(0.0, begun_s + tick / RATE_HZ - clock()))
        yield
        tick = max(tick + 1, math.ceil((clock() - begun_s) * RATE_HZ))
    sleep(max(0.0, begun_s + tick / RATE_HZ - clock()))


def busy_s() -> float:
    """Seconds that all cores together were busy since the machine started, for whomever."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq + times.steal)


def rss_mb(process: psutil.Process) -> float:
    """Megabytes of memory that a process holds, shared pages included."""
    return round(process.memory_info().rss / 1e6, 1)


def _peak_mb() -> float:
    """The most memory this process had. `getrusage` would count what it was before it became this program."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
    return round(int(kilobytes) * 1024 / 1e6, 1)
