"""Losses and the quick scores shown while training."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from dms import landmarks as lm

Batch = dict[str, Tensor]

LID_WEIGHT = 1.5
"""Lids, irises and lips decide; jaw and brows are only company."""
UNSEEN_WEIGHT = 0.1
"""How much a hidden eye's known opening counts: enough to keep the guess in the middle."""


def mean(values: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean over everything, 0 where nothing is known."""
    return (values * weight).sum() / weight.expand_as(values).sum().clamp_min(1)


def wing(error: Tensor, width: float, curve: float) -> Tensor:
    """Wing loss of absolute errors: logarithmic near 0, linear beyond `width` (Feng et al., CVPR 2018)."""
    offset = width - width * torch.log(torch.tensor(1 + width / curve))
    return torch.where(error < width, width * torch.log1p(error / curve), error - offset)


def spread(error: Tensor, sigma: Tensor, weight: Tensor) -> Tensor:
    """Laplace likelihood of a detached error: teaches the uncertainty without touching the mean."""
    return mean(error.detach() / sigma + torch.log(sigma), weight)


def cross_entropy(probability: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Binary cross entropy of probabilities."""
    p = probability.float().clamp(1e-5, 1 - 1e-5)
    return mean(-(target * torch.log(p) + (1 - target) * torch.log1p(-p)), weight)


def any_of(probability: Tensor, allowed: Tensor) -> Tensor:
    """Minus the log of the probability given to any of the allowed classes, slightly smoothed; one a row."""
    p = probability.clamp_min(1e-5)
    smooth = -torch.log(p).mean(1)
    return -torch.log((p * allowed).sum(1).clamp_min(1e-5)) + 0.02 * smooth


def eyes(out: Batch, target: Batch) -> Batch:
    """The losses of the `eyes` engine, each scaled to a similar size."""
    key = torch.ones(lm.COUNT, device=out["landmarks"].device)
    key[[*lm.RIGHT_EYE, *lm.LEFT_EYE, *lm.INNER_MOUTH, lm.INDEX["right_iris"], lm.INDEX["left_iris"]]] = (
        LID_WEIGHT
    )
    points_w = target["landmarks_w"]
    off = (out["landmarks"] - target["landmarks"]).abs()
    distance = (out["landmarks"] - target["landmarks"]).norm(dim=2)
    opening = (out["openness"] - target["openness"]).abs()
    head = (out["head"] - target["head"]).abs()
    gaze = (out["gaze"] - target["gaze"]).abs()
    head_w, gaze_w = target["head_w"][:, None], target["gaze_w"][:, None]
    opening_w = torch.maximum(target["openness_w"], UNSEEN_WEIGHT * target["openness_known"])
    openness = F.smooth_l1_loss(out["openness"], target["openness"], beta=0.1, reduction="none")
    turn = F.smooth_l1_loss(out["head"], target["head"], beta=2.0, reduction="none")
    look = F.smooth_l1_loss(out["gaze"], target["gaze"], beta=3.0, reduction="none")
    here = target["presence"][:, None]
    doubt = (
        spread(distance, out["landmark_sigma"], points_w)
        + spread(opening, out["openness_sigma"], target["openness_known"])
        + spread(head.mean(1, keepdim=True), out["head_sigma"], head_w)
        + spread(gaze.mean(1, keepdim=True), out["gaze_sigma"], target["gaze_known"][:, None])
    )
    return {
        "landmarks": 30 * mean(wing(off, 0.04, 0.01), (points_w * key)[..., None]),
        "openness": 2 * mean(openness, opening_w),
        "visibility": 0.3 * cross_entropy(out["visibility"], target["visibility"], here),
        "head": 0.06 * mean(turn, head_w),
        "gaze": 0.06 * mean(look, gaze_w),
        "presence": 0.5 * cross_entropy(out["presence"], here, torch.ones_like(here)),
        "spread": 0.05 * doubt,
    }


def auc(score: Tensor, positive: Tensor) -> float:
    """Area under the ROC curve; NaN if one class is missing."""
    positives, negatives = score[positive], score[~positive]
    if not len(positives) or not len(negatives):
        return float("nan")
    higher = (positives[:, None] > negatives[None]).float() + 0.5 * (
        positives[:, None] == negatives[None]
    ).float()
    return float(higher.mean())
