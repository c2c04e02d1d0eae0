"""When which fault of a soak comes, and what must be told of it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from dms.tools.soak.rig import Rig

LEVEL = "level"
"""The sign that the controller raised the level; the others: `health:<cause>` and `unknown:<cause>`."""
FIRST_S, GAP_S = 95.0, (20.0, 50.0)
"""The first fault comes after a lap of the demonstration clip; so much peace lies between two."""

Injection = Callable[[Rig, random.Random], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault.

    `signs`: one of them must be told; none = it must be lived through. `length_s`: from, to. `settles_s`: how
    long it may take, once it is over, until nothing of it is told any more; `pause_s` is left for that in the
    schedule. `calm`: comes only where the
    recording itself shows a driver who can be judged. `real_time`: others that keep the machine's time have
    a part in it. `freezes`: needs a broker that can be stopped and go on.
    """

    name: str
    title: str
    inject: Injection
    signs: tuple[str, ...] = ()
    length_s: tuple[float, float] = (4.0, 8.0)
    settles_s: float = 30.0
    pause_s: float = 10.0
    calm: bool = False
    real_time: bool = False
    freezes: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of the schedule; `begin_s` counts from the start of the soak, in driving time."""

    kind: Kind
    begin_s: float
    length_s: float


def schedule(
    kinds: Sequence[Kind], seed: int, driving_s: float, first_s: float = FIRST_S
) -> tuple[Fault, ...]:
    """Faults for so much driving: all kinds in a drawn order, then all again, as long as they may settle.

    One that comes when the last is not over yet waits for it, so that each stands alone.
    """
    chance = random.Random(seed)
    faults: list[Fault] = []
    now_s, before = first_s, -1
    while before < len(faults):
        before = len(faults)
        for kind in chance.sample(kinds, len(kinds)):
            length_s = round(chance.uniform(*kind.length_s), 1)
            if now_s + length_s + kind.settles_s <= driving_s:
                faults.append(Fault(kind, round(now_s, 1), length_s))
                now_s += length_s + kind.pause_s + chance.uniform(*GAP_S)
    return tuple(faults)
