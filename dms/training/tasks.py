"""What each engine learns: how a batch is cut and labelled, and what the loss asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dms import landmarks as lm
from dms.training import augment, geometry, losses, nets
from dms.training.bank import ImageBank
from dms.training.pack import Pack

Batch = dict[str, Tensor]


class Task(Protocol):
    """One engine's training problem. `net` is trained on `batch` with `loss`; `check` is the quick score."""

    net: nn.Module

    def batch(self, size: int) -> tuple[Tensor, Batch]:
        """Augmented images (n, 1, height, width) 0 to 255 and their targets."""
        ...

    def loss(self, out: nets.Outputs, target: Batch) -> dict[str, Tensor]:
        """Named losses to be summed."""
        ...

    def check(self, net: nn.Module) -> dict[str, float]:
        """Plain scores of the validation samples, unaugmented."""
        ...


@dataclass
class Draw:
    """Rows of a table on the device, drawn by their weight; `val` rows are kept apart."""

    table: dict[str, NDArray[Any]]
    device: torch.device
    columns: Batch = field(init=False)
    val: Tensor = field(init=False)
    _weight: Tensor = field(init=False)

    def __post_init__(self) -> None:
        """Move the columns to the device."""
        self.columns = {
            k: torch.from_numpy(np.ascontiguousarray(v)).to(self.device) for k, v in self.table.items()
        }
        held = self.columns["val"]
        self.val = torch.nonzero(held)[:, 0]
        self._weight = self.columns["draw"] * ~held

    def rows(self, size: int) -> Batch:
        """Training rows, drawn with replacement."""
        return self.take(torch.multinomial(self._weight, size, replacement=True))

    def take(self, rows: Tensor) -> Batch:
        """Given rows."""
        return {k: v[rows] for k, v in self.columns.items()}


def crop_backgrounds(bank: ImageBank, negatives: Tensor, size: int, count: int) -> Tensor:
    """Random square pieces of pictures without a face, (count, 1, size, size), 0 to 1."""
    rows = negatives[torch.randint(len(negatives), (count,), device=bank.device)]
    extent = bank.size[rows]
    side = extent.amin(1) * (0.2 + 0.8 * torch.rand(count, device=bank.device))
    center = extent * (0.2 + 0.6 * torch.rand(count, 2, device=bank.device))
    angle = torch.randn(count, device=bank.device) * 0.2
    crop = torch.stack([center[:, 0], center[:, 1], side, angle], 1)
    return bank.sample(rows, geometry.crop_matrix(crop, size), size, size)[0] / 255


class CropTask:
    """Shared by the engines that look at one crop of one face."""

    size: int
    shift, log_scale, turn_deg = 0.06, 0.1, 8.0

    def __init__(self, name: str, net: nn.Module, pack: Pack, bank: ImageBank) -> None:
        self.net = net.to(bank.device)
        self.bank = bank
        self.draw = Draw(pack.tables[name], bank.device)
        face = pack.tables["face"]
        negatives = np.flatnonzero(face["negative"] & ~face["val"])
        self.negatives = torch.from_numpy(negatives).to(bank.device)

    def cut(self, rows: Batch, crop: Tensor, flip: Tensor) -> tuple[Tensor, Tensor]:
        """Crops 0 to 1 with their surroundings filled, and their matrices."""
        matrix = geometry.crop_matrix(crop, self.size, flip)
        images, mask = self.bank.sample(rows["image"], matrix, self.size, self.size)
        behind = crop_backgrounds(self.bank, self.negatives, self.size, len(crop))
        return augment.surround(images / 255, mask, behind), matrix

    @torch.no_grad()
    def plain(self, net: nn.Module, limit: int = 4000) -> tuple[nets.Outputs, Batch]:
        """Outputs on the unaugmented validation rows, with their targets and crop matrices."""
        rows = self.draw.take(self.draw.val[:limit])
        matrix = geometry.crop_matrix(rows["crop"], self.size)
        images, _ = self.bank.sample(rows["image"], matrix, self.size, self.size)
        outs = [net(part) for part in images.round().split(512)]
        return {k: torch.cat([o[k] for o in outs]) for k in outs[0]}, rows | {"matrix": matrix}


class EyesTask(CropTask):
    """Landmarks, openness, visibility, gaze, head pose, presence."""

    size = 112
    shift, log_scale, turn_deg = 0.06, 0.11, 9.0
    absent = 0.12
    """Share of a batch that shows no face where one is expected."""

    def __init__(self, pack: Pack, bank: ImageBank) -> None:
        super().__init__("eyes", nets.EyesNet(), pack, bank)
        self.mirror = torch.tensor(lm.MIRROR, device=bank.device)
        self.centers = [list(lm.RIGHT_EYE), list(lm.LEFT_EYE)]

    def batch(self, size: int) -> tuple[Tensor, Batch]:
        """See `Task`."""
        rows = self.draw.rows(size)
        device = self.bank.device
        detected = torch.rand(size, device=device) < 0.25
        crop = torch.where(detected[:, None], rows["detected_crop"], rows["crop"])
        crop = geometry.jitter(crop, self.shift, self.log_scale, self.turn_deg)
        wild = torch.rand(size, device=device) < 0.15
        crop[:, 3] += wild * torch.randn(size, device=device) * 0.4
        flip = torch.rand(size, device=device) < 0.5
        present = torch.rand(size, device=device) > self.absent
        crop = torch.where(present[:, None], crop, self._missed(crop))
        images, matrix = self.cut(rows, crop, flip)
        empty = ~present & (torch.rand(size, device=device) < 0.6)
        behind = crop_backgrounds(self.bank, self.negatives, self.size, size)
        images = torch.where(empty[:, None, None, None], behind, images)
        images, cover = augment.occlude(images, 0.3)
        target = self._targets(rows, matrix, crop[:, 3], flip, present, cover)
        return augment.photometric(images) * 255, target

    @staticmethod
    def _missed(crop: Tensor) -> Tensor:
        """Crops that lost the face: beside it, or far too near."""
        n, device = len(crop), crop.device
        angle = torch.rand(n, device=device) * 2 * torch.pi
        away = crop[:, 2] * (0.7 + 0.5 * torch.rand(n, device=device))
        moved = torch.stack([crop[:, 0] + away * angle.cos(), crop[:, 1] + away * angle.sin()], 1)
        near = torch.rand(n, device=device) < 0.25
        center = torch.where(near[:, None], crop[:, :2] + 0.2 * crop[:, 2:3], moved)
        side = torch.where(near, crop[:, 2] * 0.22, crop[:, 2])
        return torch.stack([center[:, 0], center[:, 1], side, crop[:, 3]], 1)

    def _targets(
        self, rows: Batch, matrix: Tensor, angle: Tensor, flip: Tensor, present: Tensor, cover: Tensor
    ) -> Batch:
        points = geometry.to_unit(rows["landmarks"], matrix, self.size)
        points_w = rows["landmarks_w"]
        opening, opening_w, seen = rows["openness"], rows["openness_w"], rows["visibility"]
        eyes = torch.stack([points[:, c].mean(1) for c in self.centers], 1)
        hidden = augment.covered_at(cover, eyes) * (rows["mesh"][:, None])
        inside = ((eyes > 0.02) & (eyes < 0.98)).all(2)
        seen = seen * (1 - hidden) * inside
        opening_w = opening_w * (1 - hidden) * inside
        here = present.float()
        swap = flip[:, None]
        gaze_w = rows["gaze_w"] * (1 - hidden.amax(1)) * here
        flipped = points[:, self.mirror], points_w[:, self.mirror]
        return {
            "landmarks": torch.where(swap[..., None], flipped[0], points),
            "landmarks_w": torch.where(swap, flipped[1], points_w) * here[:, None],
            "openness": torch.where(swap, opening.flip(1), opening),
            "openness_w": torch.where(swap, opening_w.flip(1), opening_w) * here[:, None],
            "visibility": torch.where(swap, seen.flip(1), seen),
            "gaze": geometry.turn_direction(rows["gaze"], angle, flip),
            "gaze_w": gaze_w,
            "head": geometry.turn_head(rows["head"], angle, flip),
            "head_w": rows["head_w"] * here,
            "presence": here,
        }

    def loss(self, out: nets.Outputs, target: Batch) -> dict[str, Tensor]:
        """See `Task`."""
        return losses.eyes(out, target)

    def check(self, net: nn.Module) -> dict[str, float]:
        """Landmark error over the outer eye distance, openness, head and gaze errors (real, simulated)."""
        out, rows = self.plain(net)
        points = geometry.to_unit(rows["landmarks"], rows["matrix"], self.size)
        span = (points[:, lm.OUTER_EYE_CORNERS[0]] - points[:, lm.OUTER_EYE_CORNERS[1]]).norm(dim=1)
        error = (out["landmarks"] - points).norm(dim=2).mean(1) / span.clamp_min(0.05)
        scores: dict[str, float] = {}
        for tag, use in (("", ~rows["simulated"]), ("sim_", rows["simulated"])):
            if not use.any():
                continue
            meshed, gazed = use & rows["mesh"], use & (rows["gaze_w"] > 0)
            head = (out["head"] - rows["head"]).abs()[use].mean(0)
            gaze = (out["gaze"] - rows["gaze"]).abs()[gazed].mean(0)
            scores |= {
                f"{tag}nme": float(error[meshed].mean()),
                f"{tag}nme_median": float(error[meshed].median()),
                f"{tag}openness": float((out["openness"] - rows["openness"]).abs()[meshed].mean()),
                f"{tag}yaw": float(head[0]), f"{tag}pitch": float(head[1]), f"{tag}roll": float(head[2]),
                f"{tag}gaze_yaw": float(gaze[0]), f"{tag}gaze_pitch": float(gaze[1]),
                f"{tag}presence": float(out["presence"][use].mean()),
            }  # fmt: skip
        return scores
