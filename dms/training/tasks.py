"""What each engine learns: how a batch is cut and labelled, and what the loss asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dms import landmarks as lm
from dms.evaluation.pack import Pack
from dms.training import augment, effects, geometry, losses, nets
from dms.training.datasets.bank import ImageBank

Batch = dict[str, Tensor]
USUAL_SPAN = 0.4
"""Distance of the outer eye corners of a face seen from the front, in crops."""


class Task(Protocol):
    """One engine's training problem. `net` is trained on `batch` with `loss`; `check` is the quick score."""

    net: nn.Module
    strength: float
    """How hard to augment, 0 to 1; the loop sets it."""

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
        # A pretrained teacher's first layers take ten megabytes a picture.
        outs = [net(part) for part in images.round().split(128)]
        return {k: torch.cat([o[k] for o in outs]) for k in outs[0]}, rows | {"matrix": matrix}


class EyesTask(CropTask):
    """Landmarks, openness, visibility, gaze, head pose, presence."""

    size = 112
    shift, log_scale, turn_deg = 0.06, 0.11, 9.0
    absent = 0.12
    """Share of a batch that shows no face where one is expected."""
    covered = 0.35
    """Share of a batch with something before the face."""
    shining = 0.06
    """Share of a batch whose pupils shine in the light of an infrared lamp."""

    def __init__(self, pack: Pack, bank: ImageBank) -> None:
        super().__init__("eyes", nets.EyesNet(), pack, bank)
        self.strength = 1.0
        self.mirror = torch.tensor(lm.MIRROR, device=bank.device)
        self.centers = [list(lm.RIGHT_EYE), list(lm.LEFT_EYE)]
        self.irises = list(lm.indices("right_iris", "left_iris"))

    def batch(self, size: int) -> tuple[Tensor, Batch]:
        """See `Task`."""
        rows = self.draw.rows(size)
        device = self.bank.device
        flip = torch.rand(size, device=device) < 0.5
        present = torch.rand(size, device=device) > self.absent
        crop = self._placed(rows, present)
        images, matrix = self.cut(rows, crop, flip)
        empty = ~present & (torch.rand(size, device=device) < 0.6)
        behind = crop_backgrounds(self.bank, self.negatives, self.size, size)
        images = torch.where(empty[:, None, None, None], behind, images)
        points = geometry.to_unit(rows["landmarks"], matrix, self.size)
        marks = self._marks(points, rows["mesh"] & present)
        images = self._shine(images, points[:, self.irises], rows["openness"] * present[:, None])
        images, cover = augment.occlude(images, self.covered * (0.4 + 0.6 * self.strength), marks)
        target = self._targets(rows, points, crop[:, 3], flip, present, cover)
        return augment.photometric(images, self.strength, marks) * 255, target

    def _placed(self, rows: Batch, present: Tensor) -> Tensor:
        """Crops (n, 4) as far off as detector and tracker put them; some are turned, some miss the face."""
        size, device = len(present), self.bank.device
        loose = 0.4 + 0.6 * self.strength
        detected = torch.rand(size, device=device) < 0.25 * loose
        crop = torch.where(detected[:, None], rows["detected_crop"], rows["crop"])
        crop = geometry.jitter(crop, self.shift * loose, self.log_scale * loose, self.turn_deg * loose)
        wild = torch.rand(size, device=device) < 0.15 * self.strength
        crop[:, 3] += wild * torch.randn(size, device=device) * 0.4
        return torch.where(present[:, None], crop, self._missed(crop))

    def _marks(self, points: Tensor, known: Tensor) -> Tensor:
        """Both eyes and the mouth (n, 3, 2) in crop units, far outside where unknown."""
        mouth = points[:, list(lm.INNER_MOUTH)].mean(1)
        marks = torch.stack([*(points[:, c].mean(1) for c in self.centers), mouth], 1)
        return torch.where(known[:, None, None], marks, torch.full_like(marks, -9.0))

    def _shine(self, images: Tensor, irises: Tensor, opening: Tensor) -> Tensor:
        """Bright pupils for a few."""
        rows = torch.randperm(len(images), device=images.device)[
            : round(len(images) * self.shining * self.strength)
        ]
        if not len(rows):
            return images
        lit = effects.bright_pupils(images[rows], irises[rows], opening[rows])
        return images.index_copy(0, rows, lit.clamp(0, 1))

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
        self, rows: Batch, points: Tensor, angle: Tensor, flip: Tensor, present: Tensor, cover: Tensor
    ) -> Batch:
        """What the loss asks for, as seen in the mirrored crops.

        Of hidden eyes nothing is asked but to be doubted: `openness_known` and `gaze_known` weigh the
        uncertainties, also where the eye is hidden and the truth nevertheless known.
        """
        eyes = torch.stack([points[:, c].mean(1) for c in self.centers], 1)
        hidden = augment.covered_at(cover, eyes) * (rows["mesh"][:, None])
        inside = ((eyes > 0.02) & (eyes < 0.98)).all(2)
        clear = (1 - hidden) * inside
        here, exact, swap = present.float(), rows["simulated"].float(), flip[:, None]

        def sides(values: Tensor) -> Tensor:
            return torch.where(swap, values.flip(1), values) * here[:, None]

        span = (points[:, lm.OUTER_EYE_CORNERS[1]] - points[:, lm.OUTER_EYE_CORNERS[0]]).norm(dim=1)
        # Errors count in distances of the outer eye corners, which a turned head shortens.
        nearer = (USUAL_SPAN / span.clamp_min(1e-3)).clamp(0.8, 1.5)
        weight = rows["landmarks_w"] * torch.where(rows["mesh"], nearer, 1.0)[:, None]
        return {
            "landmarks": torch.where(swap[..., None], points[:, self.mirror], points),
            "landmarks_w": torch.where(swap, weight[:, self.mirror], weight) * here[:, None],
            "openness": torch.where(swap, rows["openness"].flip(1), rows["openness"]),
            "openness_w": sides(rows["openness_w"] * clear),
            "openness_known": sides(torch.maximum(rows["openness_w"], exact[:, None])),
            "visibility": torch.where(swap, (rows["visibility"] * clear).flip(1), rows["visibility"] * clear),
            "gaze": geometry.turn_direction(rows["gaze"], angle, flip),
            "gaze_w": rows["gaze_w"] * clear.amin(1) * here,
            "gaze_known": torch.maximum(rows["gaze_w"], exact) * here,
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
            seen = meshed & (rows["openness_w"].amin(1) > 0)
            head = (out["head"] - rows["head"]).abs()[use].mean(0)
            gaze = (out["gaze"] - rows["gaze"]).abs()[gazed].mean(0)
            scores |= {
                f"{tag}nme": float(error[meshed].mean()),
                f"{tag}nme_median": float(error[meshed].median()),
                f"{tag}openness": float((out["openness"] - rows["openness"]).abs()[seen].mean()),
                f"{tag}yaw": float(head[0]), f"{tag}pitch": float(head[1]), f"{tag}roll": float(head[2]),
                f"{tag}gaze_yaw": float(gaze[0]), f"{tag}gaze_pitch": float(gaze[1]),
                f"{tag}presence": float(out["presence"][use].mean()),
            }  # fmt: skip
        return scores
