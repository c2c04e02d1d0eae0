"""What the `fatigue` and `distraction` engines learn (see `tasks`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from dms.training import augment, geometry, losses, nets
from dms.training.bank import ImageBank
from dms.training.pack import Pack
from dms.training.tasks import Batch, CropTask


class FatigueTask(CropTask):
    """Closed eyes, yawn, covered mouth, squint."""

    size = 96

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
        images, cover = augment.occlude(images, 0.25)
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
        return augment.photometric(images) * 255, target

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

    def __init__(
        self, pack: Pack, bank: ImageBank, net: nn.Module | None = None, teachers: Sequence[nn.Module] = ()
    ) -> None:
        super().__init__("distraction", net or nets.DistractionNet(), pack, bank)
        self.teachers = teachers

    def batch(self, size: int) -> tuple[Tensor, Batch]:
        """See `Task`. Half of the pictures are blended with another one, labels too."""
        rows = self.draw.rows(size)
        device = self.bank.device
        crop = geometry.jitter(rows["crop"], self.shift, self.log_scale, self.turn_deg)
        flip = torch.rand(size, device=device) < 0.5
        images, matrix = self.cut(rows, crop, flip)
        points = geometry.to_unit(rows["points"], matrix, self.size)
        points = torch.where(flip[:, None, None], points[:, [1, 0, 2, 4, 3]], points)
        images, _ = augment.occlude(images, 0.35)
        images = augment.photometric(images)
        share = 1 - 0.5 * torch.rand(size, device=device) * (torch.rand(size, device=device) < 0.5)
        other = torch.roll(images, 1, 0)
        weight = share[:, None, None, None]
        target = {
            "allowed": rows["allowed"],
            "other": torch.roll(rows["allowed"], 1, 0),
            "share": share,
            "points": points,
        }
        images = (images * weight + other * (1 - weight)) * 255
        if self.teachers:
            target["agreed"] = torch.stack([t(images)["activity"] for t in self.teachers]).mean(0)
        return images, target

    def loss(self, out: nets.Outputs, target: Batch) -> dict[str, Tensor]:
        """See `Task`."""
        share = target["share"]
        first = losses.any_of(out["activity"], target["allowed"])
        second = losses.any_of(out["activity"], target["other"])
        off = losses.wing((out["points"] - target["points"]).abs(), 0.04, 0.01).mean((1, 2))
        pure = (share > 0.8).float()
        parts = {
            "activity": (share * first + (1 - share) * second).mean(),
            "points": 5 * losses.mean(off, pure),
        }
        if "agreed" in target:
            parts["activity"] = 0.2 * parts["activity"]
            parts["agreed"] = -(target["agreed"] * torch.log(out["activity"].clamp_min(1e-5))).sum(1).mean()
        return parts

    def check(self, net: nn.Module) -> dict[str, float]:
        """Balanced accuracy over the labelled classes and the share of phones found."""
        out, rows = self.plain(net)
        single = (rows["allowed"].sum(1) == 1) & ~rows["simulated"]
        truth, guess = rows["allowed"][single].argmax(1), out["activity"][single].argmax(1)
        classes = truth.unique()
        recall = torch.stack([(guess[truth == c] == c).float().mean() for c in classes])
        scores = {f"class_{int(c)}": float(r) for c, r in zip(classes, recall, strict=True)}
        phone = out["activity"][single, :2].sum(1)
        return {"balanced": float(recall.mean()), "phone_auc": losses.auc(phone, truth < 2), **scores}
