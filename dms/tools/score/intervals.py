"""95 % intervals for counts of events, without a library of statistics."""

from __future__ import annotations

import math
from collections.abc import Sequence

Z = 1.959964
"""Two-sided 95 % point of the normal distribution."""

Interval = tuple[float, float]


def share(count: int, of: int) -> Interval | None:
    """Wilson's score interval (1927) of a share; None of nothing."""
    if of == 0:
        return None
    p, z2 = count / of, Z * Z / of
    middle, half = p + z2 / 2, Z * math.sqrt(p * (1 - p) / of + z2 / (4 * of))
    return max(0.0, (middle - half) / (1 + z2)), min(1.0, (middle + half) / (1 + z2))


def rate(count: int, hours: float) -> Interval | None:
    """Byar's approximation to the Poisson interval (Breslow and Day 1987), an hour; None of no time."""
    if hours <= 0:
        return None
    low = count * (1 - 1 / (9 * count) - Z / (3 * math.sqrt(count))) ** 3 if count else 0.0
    more = count + 1
    high = more * (1 - 1 / (9 * more) + Z / (3 * math.sqrt(more))) ** 3
    return low / hours, high / hours


def quantile(ordered: Sequence[float], q: float) -> float:
    """The `q` quantile of sorted values, linear between neighbours."""
    place = q * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def median(ordered: Sequence[float]) -> Interval | None:
    """Exact interval of the median of sorted values, by their ranks; None of fewer than six."""
    n, rank, tail = len(ordered), -1, 1
    while 40 * tail <= 2**n:  # each tail of the binomial distribution holds at most 2.5 %
        rank += 1
        tail += math.comb(n, rank + 1)
    return None if rank < 0 else (ordered[rank], ordered[n - 1 - rank])
