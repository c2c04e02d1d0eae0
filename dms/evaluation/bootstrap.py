"""Figures that can be drawn again: 95 % intervals by resampling people, not pictures.

Pictures of one person are alike, so the spread over pictures says too little about the next person. A
`Figure` therefore knows whose picture each of its rows is and how to compute itself under row weights; a
resample draws people with replacement and weights their rows by how often they were drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Statistic = Callable[[Array], Array]
"""Weights (resamples, rows) to values (resamples,); NaN where nothing can be said."""

RESAMPLES = 1000
SEED = 7
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Figure:
    """One metric over rows: `people` names whose each is, `counts` how many items it brings; both (rows,).

    `whole` is the value of a share that is everything (1 of 1, 500 of 500); 0 for what is no share.
    """

    people: Array
    statistic: Statistic
    counts: Array
    whole: float = 0.0

    @property
    def n(self) -> int:
        """How many items the value rests on."""
        return int(self.counts.sum())

    @property
    def value(self) -> float:
        """The metric of the rows as they are."""
        return float(self.statistic(np.ones((1, len(self.people))))[0])

    def times(self, factor: float) -> Figure:
        """The same in another unit."""
        whole = factor * self.whole
        return Figure(self.people, lambda weights: factor * self.statistic(weights), self.counts, whole)

    def within(self, rows: Array) -> Figure:
        """The same over some of the rows (a mask) and the people in them."""

        def statistic(weights: Array) -> Array:
            whole = np.zeros((len(weights), len(rows)))
            whole[:, rows] = weights
            return self.statistic(whole)

        return Figure(self.people[rows], statistic, self.counts[rows], self.whole)


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval over people and how many items it rests on; NaN is unknown."""

    value: float
    low: float
    high: float
    n: int


def estimate(figure: Figure, resamples: int = RESAMPLES, seed: int = SEED) -> Estimate:
    """The figure with its interval.

    Where everybody is right (or wrong) resampling shows no spread; the rule of three then bounds the share of
    people who are not: 3 over their number, at 95 %. One person says nothing of the next: no interval.
    """
    found = _summary(figure.value, replicates(figure, resamples, seed), figure)
    if not figure.whole or found.low != found.high:
        return found
    slack = figure.whole * min(1.0, 3 / len(np.unique(figure.people[figure.counts > 0])))
    if found.value == figure.whole:
        return replace(found, low=found.value - slack)
    return replace(found, high=slack) if found.value == 0 else found


def difference(figure: Figure, base: Figure, resamples: int = RESAMPLES, seed: int = SEED) -> Estimate:
    """`figure - base`, paired: both over the same rows, drawn alike; no interval of one person."""
    spread = replicates(figure, resamples, seed) - replicates(base, resamples, seed)
    return _summary(figure.value - base.value, spread, figure)


def replicates(figure: Figure, resamples: int = RESAMPLES, seed: int = SEED) -> Array:
    """The figure (resamples,) over people drawn with replacement."""
    if not len(figure.people):
        return np.full(resamples, np.nan)
    names, whose = np.unique(figure.people, return_inverse=True)
    draws = np.random.default_rng(seed).multinomial(
        len(names), np.full(len(names), 1 / len(names)), resamples
    )
    return figure.statistic(draws[:, whose.reshape(-1)].astype(np.float64))


def _summary(value: float, spread: Array, of: Figure) -> Estimate:
    known, n = spread[np.isfinite(spread)], of.n
    alone = len(np.unique(of.people[of.counts > 0])) < 2
    if alone or not np.isfinite(value) or not known.size:
        return Estimate(value, float("nan"), float("nan"), n)
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(known, [tail, 100 - tail])
    return Estimate(value, float(low), float(high), n)


def mean(people: Array, values: Array, use: Array | None = None) -> Figure:
    """The mean of `values`, (rows,) or (rows, k), where `use` of the same shape is true."""
    use = np.isfinite(values) if use is None else use & np.isfinite(values)
    total, count = _by_row(np.where(use, values, 0.0)), _by_row(use)

    def statistic(weights: Array) -> Array:
        return _ratio(weights @ total, weights @ count)

    return Figure(people, statistic, _by_row(use), float(np.isin(values[use], (0, 1)).all()))


def median(people: Array, values: Array, use: Array) -> Figure:
    """The median of `values` (rows,) where `use`."""
    return quantile(people, values, use, 0.5)


def quantile(people: Array, values: Array, use: Array, share: float) -> Figure:
    """The value below which `share` of the rows lie."""
    rows = np.flatnonzero(use & np.isfinite(values))
    rows = rows[np.argsort(values[rows], kind="stable")]

    def statistic(weights: Array) -> Array:
        return _weighted_quantile(values[rows], weights[:, rows], share)

    return Figure(people, statistic, _marked(len(values), rows))


def auc(people: Array, score: Array, positive: Array, use: Array) -> Figure:
    """Area under the ROC curve of the rows in `use`; NaN where a class is missing."""
    rows = np.flatnonzero(use & np.isfinite(score))
    rows = rows[np.argsort(score[rows], kind="stable")]
    yes = np.asarray(positive, bool)[rows]
    first = np.searchsorted(score[rows], score[rows], side="left")
    last = np.searchsorted(score[rows], score[rows], side="right")

    def statistic(weights: Array) -> Array:
        w = weights[:, rows]
        below = np.concatenate([np.zeros((len(w), 1)), np.cumsum(w * ~yes, axis=1)], axis=1)
        wins = (below[:, first] + below[:, last]) / 2
        pairs = (w * yes).sum(axis=1) * below[:, -1]
        return _ratio((w * yes * wins).sum(axis=1), pairs)

    return Figure(people, statistic, _marked(len(score), rows), 1.0)


def recall_at_false(
    people: Array, score: Array, positive: Array, negative: Array, false_share: float
) -> Figure:
    """Share of positives above the score that `false_share` of the negatives exceed."""
    rows = np.flatnonzero(negative)
    rows = rows[np.argsort(score[rows], kind="stable")]
    found = np.flatnonzero(positive)

    def statistic(weights: Array) -> Array:
        limit = _weighted_quantile(score[rows], weights[:, rows], 1 - false_share)
        w = weights[:, found]
        return _ratio((w * (score[found] > limit[:, None])).sum(axis=1), w.sum(axis=1))

    return Figure(people, statistic, _marked(len(score), found))


def average_of(figures: list[Figure]) -> Figure:
    """The mean of several figures over the same rows; those that are unknown in a resample are left out."""

    def statistic(weights: Array) -> Array:
        values = np.stack([f.statistic(weights) for f in figures])
        known = np.isfinite(values)
        return _ratio(np.where(known, values, 0.0).sum(axis=0), known.sum(axis=0))

    if not figures:
        return Figure(np.zeros(0, str), _unknown, np.zeros(0))
    return Figure(figures[0].people, statistic, np.sum([f.counts for f in figures], axis=0))


def _unknown(weights: Array) -> Array:
    return np.full(len(weights), np.nan)


def _marked(count: int, rows: Array) -> Array:
    counts = np.zeros(count)
    counts[rows] = 1
    return counts


def _by_row(values: Array) -> Array:
    return np.asarray(values, np.float64).reshape(len(values), -1).sum(axis=1) if len(values) else np.zeros(0)


def _weighted_quantile(ordered: Array, weights: Array, share: float) -> Array:
    """Of values in order (rows,), by weights (resamples, rows); between two values where it falls between."""
    if not len(ordered):
        return _unknown(weights)
    total = np.cumsum(weights, axis=1)
    wanted = share * total[:, -1:]
    upper = np.minimum((total <= wanted).sum(axis=1), len(ordered) - 1)
    lower = np.minimum((total < wanted).sum(axis=1), len(ordered) - 1)
    return np.where(total[:, -1] > 0, (ordered[lower] + ordered[upper]) / 2, np.nan)


def _ratio(part: Array, whole: Array) -> Array:
    return np.asarray(np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0))
