"""What the process holds, looked at every few seconds: memory, threads, file handles."""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import combinations
from operator import and_
from pathlib import Path
from statistics import median
from typing import NamedTuple

OWN = Path("/proc/self")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
MOST_POINTS = 600
"""Points that a slope is taken through: all pairs of more would take long and tell no more."""
LOOKS, BETWEEN_LOOKS_S = 3, 2e-3


@dataclass(frozen=True, slots=True)
class Sample:
    """One look. `driven_s` counts from the start in driving time, `wall_s` on the machine's clock.

    `blocks` are the pieces of memory that Python's allocator has given out. `settled`: no fault is on, and
    nothing of the last one is left.
    """

    driven_s: float
    wall_s: float
    rss_mb: float
    threads: int
    handles: int
    blocks: int
    events_waiting: float
    frames: int
    dropped: int
    level: int
    alerts: int
    settled: bool


class Holdings(NamedTuple):
    """What threads and file handles are, by name."""

    threads: Counter[str]
    handles: Counter[str]


def rss_mb() -> float:
    """Resident memory of this process."""
    return int((OWN / "statm").read_text().split()[1]) * PAGE_BYTES / 1e6


def count_blocks() -> int:
    """Pieces of memory that Python's allocator has given out."""
    return sys.getallocatedblocks()


def holdings() -> Holdings:
    """Names of threads (of those that Python does not know: what the kernel calls them) and of open files.

    What is there in one of a few looks alone, such as a file that is just being read, is not held.
    """
    known = {thread.native_id: thread.name for thread in threading.enumerate()}
    looks = []
    for _ in range(LOOKS):
        time.sleep(BETWEEN_LOOKS_S)
        threads = Counter(known.get(int(task), _comm(task)) for task in os.listdir(OWN / "task"))
        looks.append(Holdings(threads, Counter(filter(None, map(_target, os.listdir(OWN / "fd"))))))
    return Holdings(*(reduce(and_, kinds) for kinds in zip(*looks, strict=True)))


def difference(before: Counter[str], after: Counter[str]) -> str:
    """What is more and what is less, as text; empty where nothing is."""
    more = [f"+{count} {name}" for name, count in sorted((after - before).items())]
    less = [f"-{count} {name}" for name, count in sorted((before - after).items())]
    return ", ".join(more + less)


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Theil–Sen: the median of the slopes between all pairs of points, which a few odd ones do not move.

    Raises:
        ValueError: there are no two points of different place.
    """
    step = -(-len(points) // MOST_POINTS)
    slopes = [(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points[::step], 2) if x1 != x2]
    if not slopes:
        raise ValueError("a slope needs two points of different place")
    return median(slopes)


def _comm(task: str) -> str:
    try:
        return (OWN / "task" / task / "comm").read_text().strip()
    except OSError:
        return "ended"


def _target(handle: str) -> str | None:
    try:
        return re.sub(r":\[\d+\]", "", os.readlink(OWN / "fd" / handle))
    except OSError:  # that of the listing
        return None
