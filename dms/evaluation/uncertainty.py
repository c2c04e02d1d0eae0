"""Is the uncertainty of the `eyes` engine worth its name: error against predicted sigma, output by output.

The net learns sigma as the scale of a Laplace law, whose mean absolute error is the scale itself
(`training.losses.spread`). So of a calibrated output the mean error of everything said with a sigma of s is
s, and 50, 80, 90 % of the errors lie below 0.69, 1.61, 2.30 sigmas.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from dms.evaluation import bootstrap
from dms.evaluation.bootstrap import Estimate, estimate
from dms.evaluation.eyes_metrics import Seen, held_rows, look
from dms.evaluation.inputs import crop_inputs
from dms.evaluation.metrics import Array, Infer, is_own
from dms.evaluation.pack import Pack

BINS = 10
SHARES = (0.5, 0.8, 0.9, 0.95)
"""Shares of the errors that a limit should cover."""
UNITS = {"landmarks": "% of the crop", "openness": "of 1", "head": "°", "gaze": "°"}


@dataclass(frozen=True)
class Pairs:
    """Errors and the sigmas they were announced with (n,), and whose they are."""

    people: Array
    error: Array
    sigma: Array


@dataclass(frozen=True)
class Calibration:
    """How well the sigma of one output fits its errors.

    `ratio` is mean error over mean sigma (1 = calibrated, above = too sure of itself); `scale` is what sigma
    would have to be multiplied with (the likeliest Laplace scale); `covered` and `covered_scaled` give, for
    each of `SHARES`, the share of errors below the limit meant for it, before and after that scale; `rank` is
    the rank correlation of sigma and error. `bins` holds (sigma, error, low, high) of ten equally full bins.
    """

    output: str
    truth: str
    n: int
    ratio: Estimate
    scale: float
    rank: float
    covered: tuple[float, ...]
    covered_scaled: tuple[float, ...]
    bins: Array


def pairs(seen: Seen, labelled_by: str = "teachers") -> dict[tuple[str, str], Pairs]:
    """Error and sigma by (output, truth): truth is `simulated` (exact), or who labelled the photographs."""
    table, out = seen.table, seen.out
    found: dict[tuple[str, str], Pairs] = {}
    for truth, rows in (("simulated", seen.sim), (labelled_by, seen.real)):
        crops = 100 * seen.off * (seen.span / table["crop"][:, 2])[:, None]
        marked = (table["landmarks_w"] > 0) & (rows & table["mesh"])[:, None]
        lids = np.abs(out["openness"] - table["openness"])
        known = (table["openness_w"] > 0) & rows[:, None]
        head = np.abs(out["head"] - table["head"]).mean(axis=1, keepdims=True)
        gaze = np.abs(out["gaze"] - table["gaze"]).mean(axis=1, keepdims=True)
        found["landmarks", truth] = _pairs(seen, crops, 100 * out["landmark_sigma"], marked)
        found["openness", truth] = _pairs(seen, lids, out["openness_sigma"], known)
        found["head", truth] = _pairs(seen, head, out["head_sigma"], (rows & (table["head_w"] > 0))[:, None])
        found["gaze", truth] = _pairs(seen, gaze, out["gaze_sigma"], (rows & (table["gaze_w"] > 0))[:, None])
    return {key: each for key, each in found.items() if len(each.error) >= BINS}


def _pairs(seen: Seen, error: Array, sigma: Array, use: Array) -> Pairs:
    whose = np.repeat(seen.people, error.shape[1]).reshape(error.shape)
    return Pairs(whose[use], error[use], np.maximum(sigma[use], 1e-6))


def calibrations(seen: Seen, labelled_by: str = "teachers") -> list[Calibration]:
    """The calibration of every output against every truth there is."""
    return [_calibration(*key, each) for key, each in pairs(seen, labelled_by).items()]


def _calibration(output: str, truth: str, of: Pairs) -> Calibration:
    scale = float(np.mean(of.error / of.sigma))
    return Calibration(
        output=output,
        truth=truth,
        n=len(of.error),
        ratio=_ratio(of),
        scale=scale,
        rank=_rank_correlation(of.sigma, of.error),
        covered=_covered(of.error, of.sigma),
        covered_scaled=_covered(of.error, scale * of.sigma),
        bins=reliability_bins(of.error, of.sigma),
    )


def _ratio(of: Pairs) -> Estimate:
    """Mean error over mean sigma, summed by person first: landmarks are many."""
    names, whose = np.unique(of.people, return_inverse=True)
    error, sigma = (np.bincount(whose.reshape(-1), values, len(names)) for values in (of.error, of.sigma))
    counts = np.bincount(whose.reshape(-1), minlength=len(names))
    return estimate(bootstrap.Figure(names, lambda weights: weights @ error / (weights @ sigma), counts))


def _covered(error: Array, sigma: Array) -> tuple[float, ...]:
    return tuple(float((error <= -np.log(1 - share) * sigma).mean()) for share in SHARES)


def reliability_bins(error: Array, sigma: Array) -> Array:
    """Mean sigma, mean error and its 95 % interval (normal) in ten equally full bins of sigma (10, 4)."""
    order = np.argsort(sigma, kind="stable")
    edges = np.linspace(0, len(order), BINS + 1).astype(int)
    rows = []
    for start, end in pairwise(edges):
        e, s = error[order[start:end]], sigma[order[start:end]]
        half = 1.96 * e.std() / np.sqrt(len(e))
        rows.append((s.mean(), e.mean(), e.mean() - half, e.mean() + half))
    return np.array(rows)


def _rank_correlation(a: Array, b: Array) -> float:
    first, second = (np.argsort(np.argsort(values)).astype(np.float64) for values in (a, b))
    return float(np.corrcoef(first, second)[0, 1])


HEADER = (
    "output", "truth", "n", "error / sigma", "scale", "rank corr.",
    *(f"within {share:.0%}" for share in SHARES), *(f"scaled {share:.0%}" for share in SHARES),
)  # fmt: skip


def table(found: list[Calibration]) -> list[list[str]]:
    """Rows under `HEADER`: observed shares stand under the share that was meant."""
    return [
        [
            c.output, c.truth, str(c.n), _told(c.ratio),
            f"{c.scale:.2f}", f"{c.rank:.2f}",
            *(f"{share:.0%}" for share in c.covered), *(f"{share:.0%}" for share in c.covered_scaled),
        ]
        for c in found
    ]  # fmt: skip


def _told(ratio: Estimate) -> str:
    interval = "" if ratio.low != ratio.low else f" ({ratio.low:.2f} to {ratio.high:.2f})"
    return f"{ratio.value:.2f}{interval}"


def measure(pack: Pack, infer: Infer) -> list[Calibration]:
    """The calibration of an `eyes` engine on the held-out rows of a pack."""
    rows = held_rows(pack)
    seen = look(infer(crop_inputs("eyes", pack, rows)), pack, rows)
    return calibrations(seen, "labels" if is_own(pack) else "teachers")


def markdown(found: list[Calibration], picture: str | None = None) -> list[str]:
    """A section for a page; `picture` is the reliability plot's file beside it."""
    rows = [HEADER, ("---",) * len(HEADER), *table(found)]
    return [
        "## Uncertainty of the eyes engine",
        "",
        "Error against predicted sigma (INT8). `error / sigma` is mean error over mean sigma: 1 is",
        "calibrated, above 1 is too sure of itself. `within p %` is the share of errors below the limit",
        "that should cover p %, before and after multiplying sigma with `scale`. Head and gaze errors are",
        "means of several angles and landmark errors are distances: fewer of them are tiny than of single",
        "Laplace errors, so their `within 50%` lies low even when the scale is right.",
        "",
        *("| " + " | ".join(row) + " |" for row in rows),
        *(["", f"![error against predicted sigma]({picture})"] if picture else []),
        "",
    ]
