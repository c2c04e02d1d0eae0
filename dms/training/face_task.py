"""The `face` engine's training: faces of every size on backgrounds, anchor points, focal and box losses."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from dms.engines.contract import CONTRACTS
from dms.training import augment, geometry, nets
from dms.training.bank import ImageBank
from dms.training.pack import Pack
from dms.training.tasks import Batch, Draw

HEIGHT, WIDTH = CONTRACTS["face"].height, CONTRACTS["face"].width
LEVEL_SIDES = ((0.0, 34.0), (26.0, 78.0), (60.0, 1e9))
"""Which face sizes (root of the area, pixels of the input) strides 8, 16 and 32 answer for; they overlap."""
NEAR = 0.9
"""A cell is positive when the face's centre is nearer than this, in strides; to twice that it is ignored."""
SMALLEST = 7.0
"""Smaller faces (root of the area, pixels of the input) are neither asked for nor punished."""
MIRRORED_POINTS = (1, 0, 2, 4, 3)


def mean_side(box: Tensor) -> Tensor:
    """Root of the area of boxes (..., 4)."""
    size = (box[..., 2:] - box[..., :2]).clamp_min(0)
    return (size[..., 0] * size[..., 1] + 1e-6).sqrt()


def frame_matrix(center: Tensor, scale: Tensor, angle: Tensor, at: Tensor, flip: Tensor) -> Tensor:
    """Matrices (n, 2, 3) from input to image pixels; image point `center` comes to `at`."""
    c, s = scale * torch.cos(angle), scale * torch.sin(angle)
    sign = 1 - 2 * flip.float()
    rows = torch.stack([torch.stack([c * sign, -s], 1), torch.stack([s * sign, c], 1)], 1)
    offset = center - torch.einsum("nij,nj->ni", rows, at)
    return torch.cat([rows, offset[:, :, None]], 2)


class FaceTask:
    """Boxes and five points of all faces in the letterboxed frame."""

    background, roaming = 0.25, 0.2
    """Shares of a batch: pictures without any face, and windows anywhere in pictures with faces."""

    def __init__(self, pack: Pack, bank: ImageBank) -> None:
        self.net = nets.FaceNet().to(bank.device)
        self.bank = bank
        self.draw = Draw(pack.tables["face"], bank.device)
        face = pack.tables["face"]
        self.negatives = torch.from_numpy(np.flatnonzero(face["negative"] & ~face["val"])).to(bank.device)
        self.held_negatives = torch.from_numpy(np.flatnonzero(face["negative"] & face["val"])).to(bank.device)
        self.anchors = nets.anchors(HEIGHT, WIDTH).to(bank.device)
        self.levels = torch.tensor(LEVEL_SIDES, device=bank.device)

    def batch(self, size: int) -> tuple[Tensor, Batch]:
        """See `tasks.Task`."""
        rows = self.draw.rows(size)
        images, mask, box, points, use = self._foreground(rows)
        images = self._pasted(images, mask)
        images = augment.occlude(images, 0.1)[0]
        images = augment.photometric(images)
        images, inside = self._letterboxed(images, box)
        use = torch.where(inside, use, torch.where(use != 0, -1.0, use))
        return images * 255, {"box": box, "points": points, "use": use}

    def _foreground(self, rows: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """One picture with its faces, anywhere and of any size; a share has no faces."""
        n, device = len(rows["image"]), self.bank.device
        kind = torch.rand(n, device=device)
        empty, free = kind < self.background, kind < self.background + self.roaming
        other = self.negatives[torch.randint(len(self.negatives), (n,), device=device)]
        image = torch.where(empty, other, rows["image"])
        use = torch.where(empty[:, None], torch.zeros_like(rows["use"]), rows["use"])
        main = rows["box"].gather(1, (rows["use"] == 1).float().argmax(1)[:, None, None].expand(-1, 1, 4))[
            :, 0
        ]
        extent = self.bank.size[image]
        span = torch.exp(torch.rand(n, device=device) * 2.4 + 4.4)
        wanted = torch.exp(torch.rand(n, device=device) * 2.9 + 2.2)
        scale = torch.where(free, extent.amax(1) / span, mean_side(main).clamp_min(4) / wanted)
        anywhere = extent * torch.rand(n, 2, device=device)
        center = torch.where(free[:, None], anywhere, (main[:, :2] + main[:, 2:]) / 2)
        spot = torch.rand(n, 2, device=device) * torch.tensor([WIDTH, HEIGHT], device=device)
        angle = 0.15 * torch.randn(n, device=device)
        angle = angle + (torch.rand(n, device=device) < 0.1) * torch.randn(n, device=device) * 0.5
        flip = torch.rand(n, device=device) < 0.5
        matrix = frame_matrix(center, scale, angle, spot, flip)
        images, mask = self.bank.sample_shrunk(image, matrix, HEIGHT, WIDTH)
        box, points = self._move(rows["box"], rows["points"], matrix, flip)
        use = torch.where(mean_side(box) < SMALLEST, -use.abs(), use)
        return images / 255, mask, box, points, use

    @staticmethod
    def _move(box: Tensor, points: Tensor, matrix: Tensor, flip: Tensor) -> tuple[Tensor, Tensor]:
        """Boxes (n, 6, 4) and points (n, 6, 5, 2) as seen in the input; turned boxes keep their size."""
        n, k = box.shape[:2]
        center = geometry.to_crop((box[..., :2] + box[..., 2:]) / 2, matrix)
        scale = torch.linalg.det(matrix[:, :, :2]).abs().sqrt()[:, None, None]
        half = (box[..., 2:] - box[..., :2]) / 2 / scale
        moved = geometry.to_crop(points.reshape(n, k * 5, 2), matrix).reshape(n, k, 5, 2)
        swapped = moved[:, :, list(MIRRORED_POINTS)]
        points = torch.where(flip[:, None, None, None], swapped, moved)
        return torch.cat([center - half, center + half], 2), points

    def _pasted(self, images: Tensor, mask: Tensor) -> Tensor:
        """Fill what lies beyond the picture with another picture without faces, behind a soft edge."""
        n, device = len(images), self.bank.device
        rows = self.negatives[torch.randint(len(self.negatives), (n,), device=device)]
        extent = self.bank.size[rows]
        scale = (extent / torch.tensor([WIDTH, HEIGHT], device=device)).amin(1) * (
            0.4 + 0.6 * torch.rand(n, device=device)
        )
        at = torch.tensor([[WIDTH / 2, HEIGHT / 2]], device=device).expand(n, 2)
        flip = torch.rand(n, device=device) < 0.5
        matrix = frame_matrix(extent / 2, scale, torch.zeros(n, device=device), at, flip)
        behind, _ = self.bank.sample_shrunk(rows, matrix, HEIGHT, WIDTH)
        soft = F.avg_pool2d(mask, 5, 1, 2, count_include_pad=False)
        mask = torch.where(torch.rand(n, 1, 1, 1, device=device) < 0.5, (2 * soft - 1).clamp_min(0), mask)
        return augment.surround(images, mask, behind / 255)

    def _letterboxed(self, images: Tensor, box: Tensor) -> tuple[Tensor, Tensor]:
        """Black bars of other aspect ratios on a share; faces whose centre they hide no longer count."""
        n, device = len(images), images.device
        x = torch.arange(WIDTH, device=device)[None, None, None, :] - WIDTH / 2
        y = torch.arange(HEIGHT, device=device)[None, None, :, None] - HEIGHT / 2
        kind = torch.rand(n, device=device)
        half_w = torch.where(kind < 0.1, 45.0, torch.where(kind < 0.35, 106.7, 128.0))
        half_h = torch.where(kind > 0.8, 72.0, 80.0)
        seen = (x.abs() < half_w[:, None, None, None]) & (y.abs() < half_h[:, None, None, None])
        center = (box[..., :2] + box[..., 2:]) / 2 - torch.tensor([WIDTH / 2, HEIGHT / 2], device=device)
        inside = (center[..., 0].abs() < half_w[:, None]) & (center[..., 1].abs() < half_h[:, None])
        return images * seen, inside

    def _assign(self, target: Batch) -> tuple[Tensor, Tensor]:
        """For each anchor its face (n, anchors), -1 none; and whether its score is left alone."""
        box, use = target["box"], target["use"]
        center, side = (box[..., :2] + box[..., 2:]) / 2, mean_side(box).clamp_min(1)
        cell, stride = self.anchors[:, :2], self.anchors[:, 2]
        level = torch.log2(stride / 8).long()
        away = (cell[None, :, None] - center[:, None]).abs().amax(3) / stride[None, :, None]
        low, high = self.levels[level].unbind(1)
        fits = (side[:, None] >= low[None, :, None]) & (side[:, None] < high[None, :, None])
        within = (
            (cell[None, :, None] - center[:, None]).abs() < (box[..., 2:] - box[..., :2])[:, None] / 2
        ).all(3)
        real, vague = (use == 1)[:, None], (use == -1)[:, None]
        positive = fits & (away < NEAR) & real
        ignored = (
            (within & vague) | (within & real & (away < 2 * NEAR)) | (within & real & ~fits & (away < NEAR))
        )
        nearest = torch.where(positive, away, torch.full_like(away, 1e6)).min(2)
        return torch.where(nearest.values < 1e6, nearest.indices, -1), ignored.any(2)

    def loss(self, out: nets.Outputs, target: Batch) -> Batch:
        """Quality focal loss on the score, complete-IoU and smooth L1 on boxes and points."""
        face, ignored = self._assign(target)
        positive = face >= 0
        pick = face.clamp_min(0)
        stride = self.anchors[:, 2:]
        box = target["box"].gather(1, pick[..., None].expand(-1, -1, 4))
        center, size = (
            out["box"][..., :2] * stride + self.anchors[:, :2],
            torch.exp(out["box"][..., 2:].clamp(-6, 6)) * stride,
        )
        overlap, extra = complete_iou(torch.cat([center - size / 2, center + size / 2], 2), box)
        count = positive.sum().clamp_min(1)
        points = target["points"].flatten(2).gather(1, pick[..., None].expand(-1, -1, 10))
        wanted = (points - self.anchors[:, :2].repeat(1, 5)) / stride
        span = ((box[..., 2:] - box[..., :2]).amax(2, keepdim=True) / stride).clamp_min(0.5)
        off = F.smooth_l1_loss(out["points"] / span, wanted / span, beta=0.03, reduction="none").mean(2)
        quality = torch.where(positive, overlap.detach().clamp(0.05, 1), 0)
        score = out["score"].float().clamp(1e-5, 1 - 1e-5)
        entropy = -(quality * torch.log(score) + (1 - quality) * torch.log1p(-score))
        focal = entropy * (quality - score).abs() ** 2 * (positive | ~ignored)
        return {
            "score": focal.sum() / count,
            "box": 2 * (extra * positive).sum() / count,
            "points": 5 * (off * positive).sum() / count,
        }

    @torch.no_grad()
    def check(self, net: nn.Module) -> dict[str, float]:
        """Share of held-out pictures whose best box fits a face, and the scores of pictures without one."""
        rows = self.draw.take(self.draw.val[self.draw.columns["use"][self.draw.val, 0] == 1])
        image = torch.cat([rows["image"], self.held_negatives])
        images, matrix = self._whole(image)
        out = [net(part) for part in images.split(256)]
        score, box = (torch.cat([o[k] for o in out]) for k in ("score", "box"))
        best = score.argmax(1)
        cell, stride = self.anchors[best, :2], self.anchors[best, 2:]
        row = torch.arange(len(best), device=best.device)
        center, size = box[row, best, :2] * stride + cell, torch.exp(box[row, best, 2:]) * stride
        found = torch.cat([center - size / 2, center + size / 2], 1)
        n = len(rows["image"])
        flip = torch.zeros(n, dtype=torch.bool, device=best.device)
        truth, _ = self._move(rows["box"], rows["points"], matrix[:n], flip)
        overlap = complete_iou(found[:n, None], truth)[0] * (rows["use"] == 1)
        top = score.amax(1)
        return {
            "recall": float(((overlap.amax(1) > 0.5) & (top[:n] > 0.5)).float().mean()),
            "iou": float(overlap.amax(1).mean()),
            "score": float(top[:n].mean()),
            "false_at_0.5": float((top[n:] > 0.5).float().mean()),
            "highest_false": float(top[n:].amax()),
        }

    def _whole(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Whole pictures letterboxed into the input."""
        n, device = len(image), self.bank.device
        extent = self.bank.size[image]
        at = torch.tensor([[WIDTH / 2, HEIGHT / 2]], device=device).expand(n, 2)
        scale = (extent / torch.tensor([WIDTH, HEIGHT], device=device)).amax(1)
        nothing = torch.zeros(n, device=device)
        matrix = frame_matrix(extent / 2, scale, nothing, at, nothing.bool())
        return self.bank.sample_shrunk(image, matrix, HEIGHT, WIDTH)[0].round(), matrix


def complete_iou(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Overlap of boxes (..., 4) and the complete-IoU loss (Zheng et al., AAAI 2020)."""
    a_size, b_size = (a[..., 2:] - a[..., :2]).clamp_min(1e-3), (b[..., 2:] - b[..., :2]).clamp_min(1e-3)
    shared = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp_min(0)
    both = shared[..., 0] * shared[..., 1]
    iou = both / (a_size[..., 0] * a_size[..., 1] + b_size[..., 0] * b_size[..., 1] - both)
    hull = torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])
    away = ((a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]) ** 2).sum(-1) / 4
    shape = torch.atan(a_size[..., 0] / a_size[..., 1]) - torch.atan(b_size[..., 0] / b_size[..., 1])
    v = 4 / torch.pi**2 * shape**2
    alpha = (v / (1 - iou + v + 1e-6)).detach()
    return iou, 1 - iou + away / (hull**2).sum(-1).clamp_min(1e-6) + alpha * v
