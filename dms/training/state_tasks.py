"""What the `fatigue` and `distraction` engines learn (see `tasks`)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from dms.evaluation.pack import Pack
from dms.training import augment, effects, geometry, losses, nets
from dms.training.datasets.bank import ImageBank
from dms.training.tasks import Batch, CropTask

FACE_Y = -0.32
"""Where the face's centre is in the driver region (`tensors.distraction_crop`), -1 top to 1 bottom."""


class FatigueTask(CropTask):
    """Closed eyes, yawn, covered mouth, squint."""

    size = 96
    strength = 1.0
    """How hard the pictures are augmented, 0 to 1; the loop lowers it towards the end of a run."""

    def __init__(self, pack: Pack, bank: ImageBank) -> None:
        table = dict(pack.tables["fatigue"])
        rare = ((table["state"] > 0.5) & (table["state_w"] > 0)) @ np.array([2.0, 2.0, 2.0, 6.0, 3.0])
        table["draw"] = (table["draw"] * (1 + rare)).astype(np.float32)
        pack = Pack(pack.blobs, pack.tables | {"fatigue": table})
        super().__init__("fatigue", nets.FatigueNet(), pack, bank)

    def batch(self, size: int) -> tuple[Tensor, Batch]:
        """See `Task`."""
        rows = self.draw.rows(size)
        crop = geometry.jitter(rows["crop"], self.shift, self.log_scale, self.turn_deg)
        flip = torch.rand(size, device=self.bank.device) < 0.5
        images, matrix = self.cut(rows, crop, flip)
        images, cover = augment.occlude(images, 0.25 * self.strength)
        hidden = augment.covered_at(cover, geometry.to_unit(rows["parts"], matrix, self.size))
        state, weight = rows["state"].clone(), rows["state_w"].clone()
        mouth = hidden[:, 2] > 0
        weight[:, :2] *= 1 - hidden[:, :2]
        weight[mouth, 2] = 0
        state[mouth, 3], weight[mouth, 3] = 1, 0.5
        swapped = torch.tensor([1, 0, 2, 3, 4], device=state.device)
        swap = flip[:, None]
        target = {
            "state": torch.where(swap, state[:, swapped], state),
            "state_w": torch.where(swap, weight[:, swapped], weight),
        }
        return augment.photometric(images, self.strength) * 255, target

    def loss(self, out: nets.Outputs, target: Batch) -> dict[str, Tensor]:
        """See `Task`."""
        return {"state": losses.cross_entropy(out["state"], target["state"], target["state_w"])}

    def check(self, net: nn.Module) -> dict[str, float]:
        """Area under the curve of each state."""
        out, rows = self.plain(net)
        names = ("closed_right", "closed_left", "yawn", "covered", "squint")
        real = ~rows["simulated"]
        use = (rows["state_w"] > 0) & real[:, None]
        return {
            n: losses.auc(out["state"][use[:, k], k], rows["state"][use[:, k], k] > 0.5)
            for k, n in enumerate(names)
        }


class DistractionTask(CropTask):
    """Phone, food, cigarette, hand, nothing."""

    size = 128
    shift, log_scale, turn_deg = 0.05, 0.13, 8.0
    strength = 1.0
    """How hard the pictures are augmented, 0 to 1; the loop lowers it towards the end of a run."""
    halves = 0.6
    """Share of the pictures with a known side that get another person's half."""
    covered, hard = 0.2, 0.7
    """Share of covered pictures, and of the usual light and noise: more would hide cigarettes and phones."""

    def __init__(self, pack: Pack, bank: ImageBank) -> None:
        table = pack.tables["distraction"]
        unknown = {"side": np.zeros((len(table["image"]), 2), np.float32)}
        pack = Pack(pack.blobs, pack.tables | {"distraction": unknown | table})
        super().__init__("distraction", nets.DistractionNet(), pack, bank)

    def batch(self, size: int) -> tuple[Tensor, Batch]:
        """See `Task`. Some pictures are put together of two halves, some blended with another, labels too."""
        rows = self.draw.rows(size)
        device = self.bank.device
        crop = geometry.jitter(rows["crop"], self.shift, self.log_scale, self.turn_deg)
        flip = torch.rand(size, device=device) < 0.5
        images, matrix = self.cut(rows, crop, flip)
        points = geometry.to_unit(rows["points"], matrix, self.size)
        points = torch.where(flip[:, None, None], points[:, [1, 0, 2, 4, 3]], points)
        side = torch.where(flip[:, None], rows["side"] * rows["side"].new_tensor([-1, 1]), rows["side"])
        images, allowed, whole = swap_halves(images, rows["allowed"], side, self.halves * self.strength)
        images, _ = augment.occlude(images, self.covered * self.strength)
        images = augment.photometric(images, self.hard * self.strength)
        blended = torch.rand(size, device=device) < 0.5 * self.strength
        share = 1 - 0.5 * torch.rand(size, device=device) * blended
        weight = share[:, None, None, None]
        target = {
            "allowed": allowed,
            "other": torch.roll(allowed, 1, 0),
            "share": share,
            "points": points,
            "points_w": (share > 0.8).float() * whole,
        }
        images = (images * weight + torch.roll(images, 1, 0) * (1 - weight)) * 255
        return images, target

    def loss(self, out: nets.Outputs, target: Batch) -> dict[str, Tensor]:
        """See `Task`. Where every activity is allowed nothing is known: such rows only follow a teacher."""
        share = target["share"]
        first = losses.any_of(out["activity"], target["allowed"]) * known(target["allowed"])
        second = losses.any_of(out["activity"], target["other"]) * known(target["other"])
        off = losses.wing((out["points"] - target["points"]).abs(), 0.04, 0.01).mean((1, 2))
        return {
            "activity": (share * first + (1 - share) * second).mean(),
            "points": 5 * losses.mean(off, target["points_w"]),
        }

    def check(self, net: nn.Module) -> dict[str, float]:
        """Balanced accuracy over the labelled classes and the share of phones found."""
        out, rows = self.plain(net)
        single = (rows["allowed"].sum(1) == 1) & ~rows["simulated"]
        truth, guess = rows["allowed"][single].argmax(1), out["activity"][single].argmax(1)
        classes = truth.unique()
        recall = torch.stack([(guess[truth == c] == c).float().mean() for c in classes])
        scores = {f"class_{int(c)}": float(r) for c, r in zip(classes, recall, strict=True)}
        phone = out["activity"][single, :2].sum(1)
        false = phone[truth >= 2]
        found = (phone[truth < 2] > false.quantile(0.99)).float().mean() if len(false) else float("nan")
        return {
            "balanced": float(recall.mean()), "phone_auc": losses.auc(phone, truth < 2),
            "phone_recall": float(found), **scores,
        }  # fmt: skip


def known(allowed: Tensor) -> Tensor:
    """1 where the label rules anything out, (n,) from (n, 6)."""
    return (allowed.sum(1) < allowed.shape[1]).float()


def swap_halves(images: Tensor, allowed: Tensor, side: Tensor, share: float) -> tuple[Tensor, Tensor, Tensor]:
    """Give pictures whose activity lies on one side another person's half: the crops all lie on the face.

    Half of them keep the side of the activity and with it the label. The others keep the empty side and so
    show the same driver and cabin without it: what must not be learned in its place.

    Args:
        images: (n, 1, height, width).
        allowed: activities that may be true, (n, 6), `none` last, `hand_on_face` before it.
        side: from the face to the activity, (n, 2) of length 1, or 0 where unknown.
        share: of the pictures with a known side that are changed.

    Returns:
        Images, allowed activities, and 1 where a picture stayed whole, (n,).
    """
    n, device = len(images), images.device
    plain = (allowed[:, -1] > 0) & (allowed[:, :-2].sum(1) == 0)
    partner = torch.multinomial(plain.float() + 1e-9, n, replacement=True)
    changed = (torch.rand(n, device=device) < share) & side.any(1) & plain[partner]
    emptied = changed & (torch.rand(n, device=device) < 0.5)
    x, y = effects.grid(images)
    along = side[:, 0, None, None, None] * x + side[:, 1, None, None, None] * (y - FACE_Y)
    seam = 0.2 * torch.rand(n, 1, 1, 1, device=device) - 0.1
    kept = torch.sigmoid((along - seam) / 0.02)
    kept = torch.where(emptied[:, None, None, None], 1 - kept, kept)
    mixed = images * kept + images[partner] * (1 - kept)
    images = torch.where(changed[:, None, None, None], mixed, images)
    free = torch.zeros_like(allowed)
    free[:, -2:] = 1
    return images, torch.where(emptied[:, None], free, allowed), (~changed).float()
