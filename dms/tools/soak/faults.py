"""The faults of a soak: how each is brought about, and what must be told of it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import cv2
import numpy as np

from dms.backends import Arrays, Backend
from dms.errors import EngineError
from dms.records import Luma
from dms.sources.luma import to_luma
from dms.tools.soak.rig import Rig, full_disk, slow_disk
from dms.tools.soak.schedule import LEVEL, Injection, Kind
from dms.tools.soak.sensors import COOL_C

UNSEEN = ("unknown:blocked", "unknown:no_face", "unknown:eyes_hidden", "unknown:stale")
BACK_S, AHEAD_S = 10.0, 20.0
"""How far a source's clock is set. Less than 30 s: a face away for longer may be another driver's."""
STALL_S = 0.045
"""A net that alone takes longer than a frame has at 30 a second."""
HOT_C = 98.0


@contextmanager
def _lost(rig: Rig, chance: random.Random) -> Iterator[None]:
    rig.source.silent = True
    try:
        yield
    finally:
        rig.source.silent = False


def _picture(spoil: Callable[[Luma, np.random.Generator], Luma]) -> Injection:
    @contextmanager
    def inject(rig: Rig, chance: random.Random) -> Iterator[None]:
        former, noise = rig.source.picture, np.random.default_rng(chance.randrange(1 << 32))
        rig.source.picture = lambda image: spoil(image, noise)
        try:
            yield
        finally:
            rig.source.picture = former

    return inject


def _black(image: Luma, noise: np.random.Generator) -> Luma:
    return np.zeros_like(image)


def _noise(image: Luma, noise: np.random.Generator) -> Luma:
    return to_luma(noise.integers(0, 256, image.shape, np.uint8))


def _torn(image: Luma, noise: np.random.Generator) -> Luma:
    """Blocks of a decoder that lost a packet: from some line on everything is smeared."""
    torn: Luma = image.copy()
    line = int(noise.integers(0, image.shape[0]))
    torn[line:] = torn[line]
    return torn


def _resized(image: Luma, noise: np.random.Generator) -> Luma:
    return to_luma(cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))


def _stamped(change: Callable[[float, float], float]) -> Injection:
    """`change` gets a stamp and the first one of the fault."""

    @contextmanager
    def inject(rig: Rig, chance: random.Random) -> Iterator[None]:
        former, first_s = rig.source.stamp, rig.source.now_s()
        rig.source.stamp = lambda captured_s: change(captured_s, first_s)
        try:
            yield
        finally:
            rig.source.stamp = former

    return inject


def _still(captured_s: float, first_s: float) -> float:
    return first_s


def _back(captured_s: float, first_s: float) -> float:
    return captured_s - BACK_S


def _ahead(captured_s: float, first_s: float) -> float:
    return captured_s + AHEAD_S


@contextmanager
def _uneven(rig: Rig, chance: random.Random) -> Iterator[None]:
    """Most frames are missing, now single ones, now many in a row."""
    former, left = rig.source.thinned, 0

    def thinned() -> bool:
        nonlocal left
        left = left - 1 if left > 0 else chance.choice((0, 0, 1, 2, 5))
        return left > 0

    rig.source.thinned = thinned
    try:
        yield
    finally:
        rig.source.thinned = former


def _answering(answer: Callable[[Backend, Arrays], Arrays], *names: str) -> Injection:
    """One engine answers so; drawn from `names`, by default from all."""

    @contextmanager
    def inject(rig: Rig, chance: random.Random) -> Iterator[None]:
        backends = rig.engines[chance.choice(names or sorted(rig.engines))]
        for backend in backends:
            backend.answer = answer
        try:
            yield
        finally:
            for backend in backends:
                backend.answer = None

    return inject


def _fails(engine: Backend, feeds: Arrays) -> Arrays:
    raise EngineError("the soak lets this engine fail")


def _breaks(engine: Backend, feeds: Arrays) -> Arrays:
    raise RuntimeError("the soak breaks the pipeline")


def _nan(engine: Backend, feeds: Arrays) -> Arrays:
    return {name: np.full_like(values, np.nan) for name, values in engine.infer(feeds).items()}


def _tenfold(engine: Backend, feeds: Arrays) -> Arrays:
    begun_s = time.perf_counter()
    answer = engine.infer(feeds)
    time.sleep(9 * (time.perf_counter() - begun_s))
    return answer


def _stalls(engine: Backend, feeds: Arrays) -> Arrays:
    time.sleep(STALL_S)
    return engine.infer(feeds)


@contextmanager
def _broker_killed(rig: Rig, chance: random.Random) -> Iterator[None]:
    rig.broker.stop()
    try:
        yield
    finally:
        rig.broker.start()


@contextmanager
def _broker_frozen(rig: Rig, chance: random.Random) -> Iterator[None]:
    rig.broker.freeze()
    try:
        yield
    finally:
        rig.broker.thaw()


@contextmanager
def _heated(rig: Rig, chance: random.Random) -> Iterator[None]:
    rig.sensors.heat(HOT_C)
    try:
        yield
    finally:
        rig.sensors.heat(COOL_C)


@contextmanager
def _jumping(rig: Rig, chance: random.Random) -> Iterator[None]:
    rig.each = lambda: rig.sensors.heat(chance.uniform(20.0, HOT_C))
    try:
        yield
    finally:
        rig.each = lambda: None
        rig.sensors.heat(COOL_C)


@contextmanager
def _unread(rig: Rig, chance: random.Random) -> Iterator[None]:
    rig.sensors.lose()
    try:
        yield
    finally:
        rig.sensors.heat(COOL_C)


@contextmanager
def _braked(rig: Rig, chance: random.Random) -> Iterator[None]:
    rig.sensors.brake(1)
    try:
        yield
    finally:
        rig.sensors.brake(0)


def _cools(name: str, title: str, inject: Injection, length_s: tuple[float, float]) -> Kind:
    """A fault that the controller answers: it comes down step by step, and waits longer after a relapse."""
    return Kind(name, title, inject, (LEVEL,), length_s, settles_s=900.0, pause_s=180.0)


CLOCK, ENGINE, MQTT = ("health:source_clock",), ("health:engine_",), ("health:sink_mqtt",)
LOST, BROKEN, LINES = ("health:source_lost",), ("health:internal_fault",), ("health:sink_jsonl",)
UNREAD = ("health:temperature_unknown",)
LONG_S, LONGER_S, LONGEST_S = (8.0, 16.0), (12.0, 20.0), (15.0, 40.0)

# fmt: off
KINDS = (
    Kind("source_lost", "no frames", _lost, LOST, (5.0, 12.0)),
    Kind("black", "black frames", _picture(_black), UNSEEN, calm=True),
    Kind("noise", "frames of noise", _picture(_noise), UNSEEN, calm=True),
    Kind("torn", "frames smeared from some line on", _picture(_torn)),
    Kind("resized", "frames of half the size", _picture(_resized)),
    Kind("repeated", "one time stamp again and again", _stamped(_still), CLOCK),
    Kind("back", f"time stamps {BACK_S:.0f} s back", _stamped(_back), CLOCK),
    Kind("ahead", f"time stamps {AHEAD_S:.0f} s ahead", _stamped(_ahead), CLOCK),
    Kind("uneven", "most frames missing", _uneven, length_s=LONG_S),
    Kind("engine_fails", "an engine raises errors", _answering(_fails), ENGINE),
    Kind("engine_nan", "an engine answers NaN", _answering(_nan), ENGINE),
    Kind("engine_tenfold", "eyes take ten times as long", _answering(_tenfold, "eyes"), length_s=LONG_S),
    _cools("engine_stalls", f"eyes take {1e3 * STALL_S:.0f} ms more", _answering(_stalls, "eyes"), LONG_S),
    Kind("broken", "an error nobody foresaw in the pipeline", _answering(_breaks, "eyes"), BROKEN),
    Kind("broker_killed", "broker killed, started again", _broker_killed, MQTT, (3.0, 6.0), 60.0,
         real_time=True),
    Kind("broker_frozen", "broker holds on and answers nothing", _broker_frozen, MQTT, (8.0, 10.0), 60.0,
         real_time=True, freezes=True),
    Kind("disk_full", "no room for JSON lines", lambda rig, chance: full_disk(rig.lines), LINES),
    Kind("disk_slow", "a disk that takes its time", lambda rig, chance: slow_disk(rig.lines)),
    Kind("sensors_lost", "temperatures cannot be read", _unread, UNREAD, LONGER_S),
    _cools("hot", f"{HOT_C:.0f} C for a while", _heated, LONGEST_S),
    Kind("jumping", f"temperatures jump from 20 to {HOT_C:.0f} C", _jumping, length_s=LONGER_S),
    _cools("throttled", "clocks are held down", _braked, LONG_S),
)
# fmt: on
