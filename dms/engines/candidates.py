"""Both candidates of a net on this device, float and INT8: opened, judged, timed in turns, one chosen."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import datetime, timezone

import numpy as np

from dms import __version__
from dms.backends import BACKENDS, Backend, Options, open_backend
from dms.backends.checked import CheckedBackend
from dms.engines.gate import Candidate, Figures, SpeedUp, Verdict, conditions
from dms.engines.limits import LIMIT_POINTS
from dms.engines.manifest import DataNote, Manifest, check_signature
from dms.engines.running import Task, over_batches
from dms.engines.timing import Times, quartiles_ms, times_ms
from dms.errors import EngineError, EngineUnavailable

NOISE = 1.02
"""INT8 must be this many times as fast in three turns of four. Two sessions of the very same file differed by
0.7 % at most, in the median (122 pairs of sessions; ONNX Runtime and OpenVINO, all nets)."""


@dataclass(frozen=True)
class Judge:
    """The task that candidates must do, the pictures it is made of, and what may be lost on it."""

    task: Task
    data: DataNote
    limit_points: float = LIMIT_POINTS


def precisions(runtime: str) -> tuple[str, str]:
    """The two candidates on a runtime: float, then INT8."""
    return BACKENDS[runtime].float_precision, "int8"


def run_gate(note: Manifest, runtime: str, options: Options, judge: Judge) -> Verdict:
    """Open both candidates as a run would, judge them against FP32 on ONNX Runtime, time them in turns.

    Raises:
        EngineUnavailable: neither runs here; the text tells why of each.
        EngineMissing: a file that the manifest names is not there.
        EngineMismatch: it is truncated or changed.
        InputError: the data says nothing on the task.
    """
    trial = _Trial(note, runtime, options, judge)
    with ExitStack() as stack:
        running = trial.open(stack)
        scores = trial.scores(running)
        options.told("timing both in turns")
        times = times_ms(note.net, {p: running[p] for p in scores})
    return trial.verdict(scores, times)


def decide(
    full: Candidate, small: Candidate, speed_up: SpeedUp | None, limit: float
) -> tuple[str | None, str]:
    """Which precision to take and why: INT8 where it is sound, and surely faster than a sound float file."""
    wrong_small, wrong_full = _fault(small, limit), _fault(full, limit)
    if wrong_small and wrong_full:
        return None, f"{wrong_small}; {wrong_full}"
    if wrong_small:
        return full.precision, wrong_small
    if wrong_full or speed_up is None:
        return small.precision, wrong_full
    found = (
        f"{speed_up.median:.2f} times as fast as {full.precision} ({speed_up.low:.2f} to {speed_up.high:.2f})"
    )
    if speed_up.low > NOISE:
        return small.precision, f"{found}, and loses no more than {limit:g} points"
    return full.precision, f"int8 is not surely faster: {found}"


def record_plans(verdict: Verdict, note: Manifest, options: Options) -> None:
    """Add what was measured to the notes beside TensorRT's plans; a plan that could not be kept has none.

    Verdicts on other runtimes have no plans, and change nothing.

    Raises:
        InputError: a note cannot be written.
    """
    if not BACKENDS[verdict.runtime].tensorrt:
        return
    from dms.backends.trt import plan_name
    from dms.engines.plans import Plans

    plans = Plans(options.cache, options.told)
    for candidate in verdict.candidates:
        if candidate.figures is None:
            continue
        name = plan_name(note.verified_path(candidate.artefact), options.max_batch)
        kept, found = plans.note(name), candidate.figures
        if kept is not None:
            plans.record(name, kept.key, found.p50_ms, found.p95_ms, found.loss_points)


def _fault(candidate: Candidate, limit: float) -> str:
    if candidate.figures is None:
        return f"{candidate.precision} does not run here: {candidate.refused}"
    if candidate.figures.loss_points > limit:
        lost = f"{candidate.figures.loss_points:.2f}"
        return f"{candidate.precision} loses {lost} points, more than {limit:g}"
    return ""


class _Trial:
    """One net on one runtime; remembers which candidates were refused, and why."""

    def __init__(self, note: Manifest, runtime: str, options: Options, judge: Judge) -> None:
        self._note, self._runtime, self._options, self._judge = note, runtime, options, judge
        self._refused: dict[str, str] = {}
        self._reference = self._score_of_reference()

    def open(self, stack: ExitStack) -> dict[str, Backend]:
        """The candidates that open, by precision."""
        running: dict[str, Backend] = {}
        for precision in precisions(self._runtime):
            artefact = self._artefact(precision)
            if artefact not in self._note.files:
                self._refused[precision] = f"there is no {artefact} file"
                continue
            path = self._note.verified_path(artefact)  # a bad file is no verdict on the device
            self._options.told(f"opening {artefact}")
            try:
                backend = open_backend(self._runtime, path, self._options)
            except EngineError as error:
                self._refused[precision] = str(error)
                continue
            running[precision] = CheckedBackend(self._note.net, stack.enter_context(closing(backend)))
            check_signature(backend.inputs, backend.outputs, self._note)
        self._require(running)
        return running

    def scores(self, running: Mapping[str, Backend]) -> dict[str, float]:
        """The task's metric of those that run, by precision."""
        found: dict[str, float] = {}
        for precision, backend in running.items():
            self._options.told(f"judging {precision} by {self._judge.task.metric}")
            try:
                found[precision] = self._judge.task.score(over_batches(backend, self._options.max_batch))
            except EngineError as error:
                self._refused[precision] = str(error)
        self._require(found)
        return found

    def verdict(self, scores: Mapping[str, float], times: Mapping[str, Times]) -> Verdict:
        """What all of it says."""
        full, small = (self._candidate(p, scores, times) for p in precisions(self._runtime))
        limit = self._judge.limit_points
        speed_up = _speed_up(times[full.precision], times[small.precision]) if len(times) == 2 else None
        chosen, reason = decide(full, small, speed_up, limit)
        return Verdict(
            net=self._note.net,
            runtime=self._runtime,
            chosen=chosen,
            reason=reason,
            candidates=(full, small),
            speed_up=speed_up,
            metric=self._judge.task.metric,
            reference=round(self._reference, 6),
            limit_points=limit,
            data=self._judge.data,
            conditions=conditions(self._runtime, self._options),
            dms=__version__,
            date=datetime.now(timezone.utc).date().isoformat(),
        )

    def _candidate(
        self, precision: str, scores: Mapping[str, float], times: Mapping[str, Times]
    ) -> Candidate:
        artefact = self._artefact(precision)
        file, figures = self._note.files.get(artefact), None
        if precision in scores:
            p50_ms, p95_ms = np.percentile(times[precision], (50, 95))
            loss = self._judge.task.loss_points(self._reference, scores[precision])
            figures = Figures(
                p50_ms=round(float(p50_ms), 4),
                p95_ms=round(float(p95_ms), 4),
                score=round(scores[precision], 6),
                loss_points=round(loss, 4) + 0.0,  # no -0.0
            )
        return Candidate(
            precision=precision,
            artefact=artefact,
            sha256=file.sha256 if file else None,
            figures=figures,
            refused=self._refused.get(precision, ""),
        )

    def _artefact(self, precision: str) -> str:
        return self._note.precision_for(precision, self._runtime)

    def _require(self, left: Mapping[str, object]) -> None:
        if not left:
            why = "; ".join(f"{precision}: {reason}" for precision, reason in self._refused.items())
            raise EngineUnavailable(
                f"engine {self._note.net} runs in no precision on {BACKENDS[self._runtime].title} here. {why}"
            )

    def _score_of_reference(self) -> float:
        self._options.told("judging FP32 on ONNX Runtime")
        with closing(open_backend("ort", self._note.verified_path("fp32"))) as backend:
            return self._judge.task.score(over_batches(backend))


def _speed_up(full: Times, small: Times) -> SpeedUp:
    ratios = quartiles_ms(full) / quartiles_ms(small)
    low, median, high = (round(float(r), 4) for r in np.percentile(ratios, (25, 50, 75)))
    return SpeedUp(median=median, low=low, high=high)
