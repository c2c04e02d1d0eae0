"""All images of a pack as one uint8 tensor, and crops cut from it in batches."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own name for it
from tqdm import tqdm

from dms.evaluation.pack import LONGEST_SIDE


def _decode(blob: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(BytesIO(blob)).convert("L"))


class ImageBank:
    """Grey images (n, 448, 448), each in the upper left corner, with `size` (n, 2) = width, height.

    `levels[k]` holds them shrunk by 2**k: far-away faces are drawn from a shrunk level, as the run time
    averages when it shrinks a whole frame.
    """

    def __init__(self, blobs: Sequence[bytes], device: torch.device, levels: int = 4) -> None:
        pixels = torch.zeros(len(blobs), LONGEST_SIDE, LONGEST_SIDE, dtype=torch.uint8)
        self.size = torch.zeros(len(blobs), 2)

        def put(i: int) -> None:
            image = torch.from_numpy(_decode(blobs[i]).copy())
            height, width = image.shape
            pixels[i, :height, :width] = image
            self.size[i, 0], self.size[i, 1] = width, height

        with ThreadPoolExecutor() as pool:
            list(tqdm(pool.map(put, range(len(blobs))), total=len(blobs), desc="decode", mininterval=2))
        self.device = device
        self.size = self.size.to(device)
        self.levels = [pixels.to(device)]
        for _ in range(1, levels):
            self.levels.append(self._halve(self.levels[-1]))

    @staticmethod
    def _halve(pixels: Tensor) -> Tensor:
        parts = [F.avg_pool2d(p[:, None].float(), 2).round_().byte()[:, 0] for p in pixels.split(1024)]
        return torch.cat(parts)

    def sample(
        self, image: Tensor, matrix: Tensor, height: int, width: int, level: int = 0
    ) -> tuple[Tensor, Tensor]:
        """Cut crops bilinearly, 0 beyond the image.

        Args:
            image: rows of the bank, (n,).
            matrix: crop pixels to image pixels, (n, 2, 3).
            height: of the crops.
            width: of the crops.
            level: how often the source is halved first.

        Returns:
            Crops (n, 1, height, width), 0 to 255, and a mask of the same shape: 1 inside the image.
        """
        bank = self.levels[level]
        factor = 2**level
        yy, xx = torch.meshgrid(
            torch.arange(height, device=self.device, dtype=torch.float32),
            torch.arange(width, device=self.device, dtype=torch.float32),
            indexing="ij",
        )
        m = matrix[:, :, :, None, None]
        x = (m[:, 0, 0] * xx + m[:, 0, 1] * yy + m[:, 0, 2] + 0.5) / factor - 0.5
        y = (m[:, 1, 0] * xx + m[:, 1, 1] * yy + m[:, 1, 2] + 0.5) / factor - 0.5
        limit = (self.size[image] / factor).ceil()
        w, h = limit[:, 0, None, None], limit[:, 1, None, None]
        x0, y0 = torch.floor(x), torch.floor(y)
        fx, fy = x - x0, y - y0
        base = image[:, None, None] * (bank.shape[1] * bank.shape[2])
        flat = bank.view(-1)

        def pixel(px: Tensor, py: Tensor) -> Tensor:
            inside = (px >= 0) & (px < w) & (py >= 0) & (py < h)
            at = (
                base
                + (py.clamp(0, bank.shape[1] - 1) * bank.shape[2] + px.clamp(0, bank.shape[2] - 1)).long()
            )
            return flat[at].float() * inside

        top = pixel(x0, y0) * (1 - fx) + pixel(x0 + 1, y0) * fx
        bottom = pixel(x0, y0 + 1) * (1 - fx) + pixel(x0 + 1, y0 + 1) * fx
        mask = (x > -0.5) & (x < w - 0.5) & (y > -0.5) & (y < h - 0.5)
        return (top * (1 - fy) + bottom * fy)[:, None], mask[:, None].float()

    def sample_shrunk(self, image: Tensor, matrix: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
        """As `sample`, each crop from the level that fits its scale."""
        scale = torch.linalg.det(matrix[:, :, :2]).abs().sqrt()
        level = torch.log2(scale.clamp_min(1e-6)).round().clamp(0, len(self.levels) - 1).long()
        crops = torch.empty(len(image), 1, height, width, device=self.device)
        masks = torch.empty_like(crops)
        for k in range(len(self.levels)):
            rows = torch.nonzero(level == k)[:, 0]
            if len(rows):
                crops[rows], masks[rows] = self.sample(image[rows], matrix[rows], height, width, k)
        return crops, masks
