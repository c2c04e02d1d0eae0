"""The `face` engine's training: faces of every size on backgrounds, anchor points, focal and box losses."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from dms.errors import InputError
from dms.evaluation.pack import Pack
from dms.training import augment, face_windows, geometry, nets
from dms.training.datasets.bank import ImageBank
from dms.training.face_windows import HEIGHT, WIDTH, HardWindows, Windows, frame_matrix, mean_side
from dms.training.tasks import Batch, Draw

LEVEL_SIDES = ((0.0, 34.0), (26.0, 78.0), (60.0, 1e9))
"""Which face sizes (root of the area, pixels of the input) strides 8, 16 and 32 answer for; they overlap."""
NEAR = 0.9
"""A cell is positive when the face's centre is nearer than this, in strides; to twice that it is ignored."""
SMALLEST = 7.0
"""Smaller faces (root of the area, pixels of the input) are neither asked for nor punished."""
LARGEST = 190.0
"""Nor are larger ones: an eye or a cheek that fills the frame is no driver's face."""
GOOD_OVERLAP = 0.8
"""A box that overlaps its face by this or more deserves the score 1: scores shall part at one half."""
RECOGNISABLE = 0.55
"""Likeness of a face before and after light, noise and cover; below it is neither asked for nor punished."""
MIRRORED_POINTS = (1, 0, 2, 4, 3)
REMEMBERED = 2048
"""How many faceless windows that looked like faces are kept for showing again."""


class FaceTask:
    """Boxes and five points of all faces in the letterboxed frame."""

    strength = 1.0
    """Share of the augmentation in force; the loop lowers it towards the end."""
    erased = 0.08
    """Share of a batch whose faces are covered by something else: bodies, hair and hands are no faces."""

    def __init__(self, pack: Pack, bank: ImageBank, net: nn.Module | None = None) -> None:
        self.net = (net or nets.FaceNet()).to(bank.device)
        self.bank = bank
        face = pack.tables["face"]
        self.draw = Draw(face, bank.device)
        if not face["negative"][face["val"]].any() or not face["negative"][~face["val"]].any():
            raise InputError(
                "the face net needs pictures without any face, for training and for validation; "
                "add some rows without a box to both splits"
            )
        self.negatives = torch.from_numpy(np.flatnonzero(face["negative"] & ~face["val"])).to(bank.device)
        self.held_negatives = torch.from_numpy(np.flatnonzero(face["negative"] & face["val"])).to(bank.device)
        self.hard = HardWindows(REMEMBERED, bank.device)
        self.anchors = nets.anchors(HEIGHT, WIDTH).to(bank.device)
        self.levels = torch.tensor(LEVEL_SIDES, device=bank.device)

    def batch(self, size: int) -> tuple[Tensor, Batch]:
        """See `tasks.Task`. The targets also name the windows, so that `loss` can remember the hard ones."""
        rows = self.draw.rows(size)
        windows = self.hard.mixed_in(face_windows.draw(rows, self.negatives, self.bank))
        images, mask = self.bank.sample_shrunk(windows.image, windows.matrix, HEIGHT, WIDTH)
        box, points, use = self._faces(rows, windows)
        behind = self._behind(size)
        images = augment.surround(images / 255, self._soft(mask), behind)
        images, use = self._erase(images, behind, box, use)
        clean = images
        images = augment.occlude(images, 0.12 * self.strength)[0]
        images = augment.photometric(images, self.strength)
        seen = likeness(clean, images, box) > RECOGNISABLE
        images, inside = self._letterboxed(images, box)
        use = torch.where(inside & seen, use, -use.abs())
        return images * 255, {
            "box": box, "points": points, "use": use,
            "image": windows.image, "matrix": windows.matrix, "empty": windows.empty,
        }  # fmt: skip

    def _faces(self, rows: Batch, windows: Windows) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes, points and use of the faces in the windows; too small and too large ones are ignored."""
        box, points = self._move(rows["box"], rows["points"], windows.matrix, windows.flip)
        use = torch.where(windows.empty[:, None], torch.zeros_like(rows["use"]), rows["use"])
        side = mean_side(box)
        return box, points, torch.where((side < SMALLEST) | (side > LARGEST), -use.abs(), use)

    def _erase(self, images: Tensor, behind: Tensor, box: Tensor, use: Tensor) -> tuple[Tensor, Tensor]:
        """Cover all faces of the first rows with something else."""
        count = int(len(images) * self.erased)
        center, half = (
            (box[:count, :, :2] + box[:count, :, 2:]) / 2,
            (box[:count, :, 2:] - box[:count, :, :2]) * 0.58,
        )
        x = (torch.arange(WIDTH, device=box.device) - center[..., :1]).abs() < half[..., :1]
        y = (torch.arange(HEIGHT, device=box.device) - center[..., 1:]).abs() < half[..., 1:]
        cover = ((use[:count, :, None] != 0) & y)[..., :, None] & x[..., None, :]
        cover = cover.any(1, keepdim=True)
        covered = torch.where(cover, behind[:count].flip(0), images[:count])
        gone = torch.zeros_like(use[:count])
        return torch.cat([covered, images[count:]]), torch.cat([gone, use[count:]])

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

    def _behind(self, n: int) -> Tensor:
        """Pictures without faces (n, 1, height, width), 0 to 1, to fill what lies beyond the picture."""
        device = self.bank.device
        rows = self.negatives[torch.randint(len(self.negatives), (n,), device=device)]
        size = torch.tensor([WIDTH, HEIGHT], device=device)
        extent = self.bank.size[rows]
        scale = (extent / size).amin(1) * (0.4 + 0.6 * torch.rand(n, device=device))
        flip = torch.rand(n, device=device) < 0.5
        matrix = frame_matrix(extent / 2, scale, torch.zeros_like(scale), (size / 2).expand(n, 2), flip)
        return self.bank.sample_shrunk(rows, matrix, HEIGHT, WIDTH)[0] / 255

    @staticmethod
    def _soft(mask: Tensor) -> Tensor:
        """The picture's edge, blurred on half of the batch."""
        soft = (2 * F.avg_pool2d(mask, 5, 1, 2, count_include_pad=False) - 1).clamp_min(0)
        return torch.where(torch.rand(len(mask), 1, 1, 1, device=mask.device) < 0.5, soft, mask)

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
        quality = torch.where(positive, (overlap.detach() / GOOD_OVERLAP).clamp(0.05, 1), 0)
        score = out["score"].float().clamp(1e-5, 1 - 1e-5)
        entropy = -(quality * torch.log(score) + (1 - quality) * torch.log1p(-score))
        focal = entropy * (quality - score).abs() ** 2 * (positive | ~ignored)
        wrong = (score * ~(positive | ignored)).amax(1)
        self._remember(wrong.detach(), target)
        return {
            "score": focal.sum() / count,
            "loudest": -0.5 * torch.log1p(-wrong).mean(),
            "box": 2 * (extra * positive).sum() / count,
            "points": 5 * (off * positive).sum() / count,
        }

    def _remember(self, wrong: Tensor, target: Batch) -> None:
        """Offer the faceless windows with their highest score to the memory of hard ones."""
        self.hard.keep(target["image"], target["matrix"], wrong * target["empty"])

    @torch.no_grad()
    def check(self, net: nn.Module) -> dict[str, float]:
        """Held-out pictures whose best box fits a face, scores of windows without one, and both in one.

        `recall_at_1_per_500` is the recall at the score that one in 500 faceless windows exceeds.
        """
        rows = self.draw.take(self.draw.val[self.draw.columns["use"][self.draw.val, 0] == 1])
        matrix = face_windows.letterboxed(self.bank, rows["image"])
        score, found = self._best(net, rows["image"], matrix)
        flip = torch.zeros(len(matrix), dtype=torch.bool, device=self.bank.device)
        truth, _ = self._move(rows["box"], rows["points"], matrix, flip)
        overlap = (complete_iou(found[:, None], truth)[0] * (rows["use"] == 1)).amax(1)
        false, _ = self._best(net, *face_windows.grid(self.bank, self.held_negatives))
        limit = false.sort().values[-max(1, len(false) // 500)]
        return {
            "recall": float(((overlap > 0.5) & (score > 0.5)).float().mean()),
            "recall_at_1_per_500": float(((overlap > 0.5) & (score > limit)).float().mean()),
            "iou": float(overlap.mean()),
            "score": float(score.mean()),
            "false_per_500": 500 * float((false > 0.5).float().mean()),
            "score_at_1_per_500": float(limit),
        }

    def _best(self, net: nn.Module, image: Tensor, matrix: Tensor) -> tuple[Tensor, Tensor]:
        """Highest score (n,) and its box (n, 4) in each window."""
        scores, boxes = [], []
        for rows, where in zip(image.split(256), matrix.split(256), strict=True):
            out = net(self.bank.sample_shrunk(rows, where, HEIGHT, WIDTH)[0].round())
            top, best = out["score"].max(1)
            raw = out["box"][torch.arange(len(best), device=best.device), best]
            cell, stride = self.anchors[best, :2], self.anchors[best, 2:]
            center, size = raw[:, :2] * stride + cell, torch.exp(raw[:, 2:].clamp(-6, 6)) * stride
            scores.append(top)
            boxes.append(torch.cat([center - size / 2, center + size / 2], 1))
        return torch.cat(scores), torch.cat(boxes)


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


def likeness(before: Tensor, after: Tensor, box: Tensor) -> Tensor:
    """Correlation (n, k) of two pictures (n, 1, height, width) at a 9x9 grid in each box (n, k, 4)."""
    steps = torch.linspace(0.1, 0.9, 9, device=box.device)
    unit = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), -1).reshape(81, 2)
    at = box[:, :, None, :2] + (box[..., 2:] - box[..., :2])[:, :, None] * unit
    at = at / torch.tensor([WIDTH / 2, HEIGHT / 2], device=box.device) - 1
    both = F.avg_pool2d(torch.cat([before, after], 1), 3, 1, 1)
    a, b = F.grid_sample(both, at, align_corners=False).unbind(1)
    a, b = a - a.mean(2, keepdim=True), b - b.mean(2, keepdim=True)
    # A face of less than one grey level of contrast resembles nothing.
    return (a * b).mean(2) / (a.square().mean(2) * b.square().mean(2)).sqrt().clamp_min(1e-5)
