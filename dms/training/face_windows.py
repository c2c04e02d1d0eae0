"""Where the `face` engine's training frames are cut: round faces, anywhere, whole, and where none is."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor

from dms.engines.contract import CONTRACTS
from dms.training.datasets.bank import ImageBank
from dms.training.tasks import Batch

HEIGHT, WIDTH = CONTRACTS["face"].height, CONTRACTS["face"].width
EMPTY, ROAMING, WHOLE = 0.28, 0.17, 0.2
"""Shares of a batch: frames without any face, windows anywhere, whole pictures; the others frame a face."""
HARD = 0.5
"""Share of the frames without a face that repeats those which looked most like one."""
FORGET = 0.985
"""What is left of a remembered window's score after a step; it must look like a face again to stay."""


@dataclass(frozen=True)
class Windows:
    """Rows of the bank (n,), matrices (n, 2, 3) from input to image pixels; mirrored? faceless?"""

    image: Tensor
    matrix: Tensor
    flip: Tensor
    empty: Tensor


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


def letterboxed(bank: ImageBank, image: Tensor) -> Tensor:
    """Matrices (n, 2, 3) of whole pictures in the input."""
    extent = bank.size[image]
    size = torch.tensor([WIDTH, HEIGHT], device=bank.device, dtype=torch.float32)
    nothing = torch.zeros(len(image), device=bank.device)
    scale = (extent / size).amax(1)
    return frame_matrix(extent / 2, scale, nothing, (size / 2).expand(len(image), 2), nothing.bool())


def grid(bank: ImageBank, image: Tensor) -> tuple[Tensor, Tensor]:
    """Each picture whole and in overlapping windows of a half and a third of its size: rows and matrices."""
    rows, matrices = [image], [letterboxed(bank, image)]
    for parts, shrink in ((3, 0.5), (4, 0.34)):
        for x, y in itertools.product(range(parts), range(parts)):
            place = torch.tensor([x, y], device=bank.device) / (parts - 1) * (1 - shrink) + shrink / 2
            matrix = letterboxed(bank, image)
            center = torch.tensor([WIDTH / 2, HEIGHT / 2], device=bank.device)
            matrix[:, :, :2] *= shrink
            matrix[:, :, 2] = bank.size[image] * place - matrix[:, :, :2] @ center
            rows.append(image)
            matrices.append(matrix)
    return torch.cat(rows), torch.cat(matrices)


def draw(rows: Batch, negatives: Tensor, bank: ImageBank) -> Windows:
    """One window a row: of its own picture, or of a picture without faces."""
    n, device = len(rows["image"]), bank.device
    kind = torch.rand(n, device=device)
    empty = kind < EMPTY
    anywhere = kind < EMPTY + ROAMING
    whole = ~anywhere & (kind < EMPTY + ROAMING + WHOLE)
    image = torch.where(empty, negatives[torch.randint(len(negatives), (n,), device=device)], rows["image"])
    extent, size = bank.size[image], torch.tensor([WIDTH, HEIGHT], device=device, dtype=torch.float32)
    face = _some_face(rows)
    span = torch.exp(torch.rand(n, device=device) * 1.9 + 5.0)
    scale = torch.where(anywhere, extent.amax(1) / span, mean_side(face).clamp_min(4) / _sides(n, device))
    full = (extent / size).amax(1) * torch.exp(0.12 * torch.randn(n, device=device))
    scale = torch.where(whole, full, scale)
    point = torch.where(anywhere[:, None], extent * torch.rand(n, 2, device=device), _center(face))
    point = torch.where(whole[:, None], extent / 2, point)
    middle = 0.5 + 0.05 * torch.randn(n, 2, device=device)
    spot = torch.where((anywhere | whole)[:, None], middle, torch.rand(n, 2, device=device))
    angle = torch.randn(n, device=device) * torch.where(torch.rand(n, device=device) < 0.1, 0.5, 0.14)
    # What is no face upright is none upside down either.
    angle = torch.where(empty & (torch.rand(n, device=device) < 0.5), 2 * torch.pi * kind / EMPTY, angle)
    flip = torch.rand(n, device=device) < 0.5
    return Windows(image, frame_matrix(point, scale, angle, spot * size, flip), flip, empty)


def _some_face(rows: Batch) -> Tensor:
    """The box (n, 4) of any of the row's trusted faces."""
    pick = torch.multinomial((rows["use"] == 1).float() + 1e-9, 1)
    return rows["box"].gather(1, pick[:, :, None].expand(-1, 1, 4))[:, 0]


def _center(box: Tensor) -> Tensor:
    return (box[:, :2] + box[:, 2:]) / 2


def _sides(n: int, device: torch.device) -> Tensor:
    """Face sizes in pixels of the input, 9 to 164, more than a third of them below 22."""
    small = torch.rand(n, device=device) < 0.1
    return torch.exp(torch.rand(n, device=device) * torch.where(small, 0.9, 2.9) + 2.2)


class HardWindows:
    """Remembers the faceless windows that looked most like a face, to show them again."""

    def __init__(self, count: int, device: torch.device) -> None:
        self.image = torch.zeros(count, dtype=torch.long, device=device)
        self.matrix = torch.zeros(count, 2, 3, device=device)
        self.score = torch.zeros(count, device=device)

    def keep(self, image: Tensor, matrix: Tensor, score: Tensor) -> None:
        """Offer windows; those with the highest scores stay, a zero score is no offer."""
        score = torch.cat([self.score * FORGET, score])
        best = score.topk(len(self.score)).indices
        self.score = score[best]
        self.image, self.matrix = torch.cat([self.image, image])[best], torch.cat([self.matrix, matrix])[best]

    def mixed_in(self, windows: Windows) -> Windows:
        """A share of the empty windows replaced by remembered ones, each moved a little."""
        n, device = len(windows.image), windows.image.device
        pick = torch.multinomial(self.score + 1e-9, n, replacement=True)
        use = windows.empty & (self.score[pick] > 0) & (torch.rand(n, device=device) < HARD)
        matrix = self.matrix[pick].clone()
        matrix[:, :, :2] *= torch.exp(0.05 * torch.randn(n, 1, 1, device=device))
        matrix[:, :, 2] += torch.einsum("nij,nj->ni", matrix[:, :, :2], 3 * torch.randn(n, 2, device=device))
        return Windows(
            torch.where(use, self.image[pick], windows.image),
            torch.where(use[:, None, None], matrix, windows.matrix),
            windows.flip & ~use,
            windows.empty,
        )
