"""The engines at work: on which runtime each really opens, and how fast it is."""

from __future__ import annotations

import statistics
import time
from collections.abc import Collection, Iterator

import numpy as np

from dms.backends import BACKENDS, Backend
from dms.config import EnginesConfig
from dms.doctor.check import Check, fail, ok, warn
from dms.engines.contract import CONTRACTS
from dms.engines.opening import open_engine
from dms.errors import DmsError, EngineUnavailable

TIMED_RUNS = 5


def checks(config: EnginesConfig, leave_out: Collection[str] = ()) -> Iterator[Check]:
    """Each engine, but those to leave out: does it load, on which runtime, does it run, how fast."""
    for name in (net for net in CONTRACTS if net not in leave_out):
        try:
            yield engine(name, config)
        except EngineUnavailable as e:
            cure = f"mend that, or set engines.{name}.backend: ort, or engines.fallback: ort"
            yield fail(f"engine {name}", str(e), cure)
        except (DmsError, ImportError) as e:
            yield fail(f"engine {name}", str(e), "restore the engine file, or install the package again")


def engine(name: str, config: EnginesConfig) -> Check:
    """Open an engine on its own runtime; where that cannot, on the next one, which is worth knowing."""
    own = getattr(config, name).backend
    try:
        return ok(f"engine {name}", _tried(name, config.model_copy(update={"fallback": None})))
    except EngineUnavailable as refused:
        if config.fallback in (None, own):
            raise
        why = str(refused).removeprefix(f"engine {name} cannot be run. ")
        detail = f"{_tried(name, config)}, not as configured. {why}"
        cure = f"mend that, or configure what runs anyway: engines.{name}.backend: {config.fallback}"
        return warn(f"engine {name}", detail, cure)


def _tried(name: str, config: EnginesConfig) -> str:
    engine = open_engine(name, config)
    try:
        took_ms = _median_ms(engine.backend)
    finally:
        engine.backend.close()
    title = BACKENDS[engine.runtime].title
    return f"{engine.artefact} on {title}, hash verified, {took_ms:.2f} ms a run"


def _median_ms(backend: Backend) -> float:
    """The median of some runs on black pictures, the first left out."""
    feeds = {
        spec.name: np.zeros([size or 1 for size in spec.shape], spec.dtype)
        for spec in backend.inputs.values()
    }
    backend.infer(feeds)
    times_s = []
    for _ in range(TIMED_RUNS):
        begun_s = time.perf_counter()
        backend.infer(feeds)
        times_s.append(time.perf_counter() - begun_s)
    return statistics.median(times_s) * 1e3
