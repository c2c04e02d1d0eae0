"""What lies between camera and face: patches, hands, masks, cap peaks, sunglasses, the wheel's rim, others.

Each function takes images (n, 1, height, width), 0 to 1, and `Marks`, and returns the images and how much of
what lies beneath is hidden (same shape, 0 to 1). Shapes follow the face through its own axes: `across` in
distances of the eyes, `down` in distances from the eyes to the mouth.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from dms.training.effects import grid, printed, uniform

Marks: TypeAlias = Tensor
"""Right eye, left eye and mouth in crop units, (n, 3, 2); NaN or far outside where unknown."""


def _face_axes(images: Tensor, marks: Marks) -> tuple[Tensor, Tensor]:
    """Each pixel's place in the face: 0, 0 between the eyes, 0, 1 the mouth, (-)0.5, 0 the eyes."""
    height, width = images.shape[2:]
    marks = torch.nan_to_num(marks, nan=-9.0) * torch.tensor([1.0, height / width], device=images.device)
    middle = marks[:, :2].mean(1)
    line, down = marks[:, 1] - marks[:, 0], marks[:, 2] - middle
    tall = down.norm(dim=1, keepdim=True).clamp_min(1e-3)
    # A turned head brings the eyes together; what it wears does not shrink as fast.
    wide = torch.maximum(line.norm(dim=1, keepdim=True), 0.6 * tall)
    ex = line / line.norm(dim=1, keepdim=True).clamp_min(1e-3)
    ey = torch.stack([-ex[:, 1], ex[:, 0]], 1)
    ey = ey * torch.sign((ey * down).sum(1, keepdim=True))
    x, y = grid(images)
    px = x / 2 + 0.5 - middle[:, 0, None, None, None]
    py = (y / 2 + 0.5) * (height / width) - middle[:, 1, None, None, None]
    ex, ey, wide, tall = (v[:, :, None, None, None] for v in (ex, ey, wide, tall))
    return (px * ex[:, 0] + py * ex[:, 1]) / wide[:, 0], (px * ey[:, 0] + py * ey[:, 1]) / tall[:, 0]


def _laid(images: Tensor, patch: Tensor, cover: Tensor) -> tuple[Tensor, Tensor]:
    cover = cover.float()
    return images * (1 - cover) + patch * cover, cover


def patch(images: Tensor, marks: Marks) -> tuple[Tensor, Tensor]:
    """A turned oval or rectangle of another picture or of plain grey, anywhere."""
    x, y = grid(images)
    angle = uniform(images, 0, math.pi)
    dx, dy = x - uniform(images, -0.9, 0.9), y - uniform(images, -0.9, 0.9)
    along = torch.cos(angle) * dx + torch.sin(angle) * dy
    across = -torch.sin(angle) * dx + torch.cos(angle) * dy
    power = torch.where(uniform(images) < 0.5, 2.0, 8.0)
    a, b = uniform(images, 0.1, 0.7), uniform(images, 0.05, 0.4)
    cover = (along / a).abs() ** power + (across / b).abs() ** power < 1
    other = torch.roll(images, 1, 0).flip(2) * uniform(images, 0.5, 1.2)
    plain = uniform(images, 0.0, 0.9).expand_as(images)
    return _laid(images, torch.where(uniform(images) < 0.5, other, plain), cover)


def wheel_rim(images: Tensor, marks: Marks) -> tuple[Tensor, Tensor]:
    """The upper arc of the steering wheel across the lower half, dark with a bright edge."""
    x, y = grid(images)
    radius, thick = uniform(images, 1.0, 2.2), uniform(images, 0.08, 0.2)
    top = uniform(images, 0.0, 0.85)
    away = ((x - uniform(images, -0.8, 0.8)) ** 2 + (y - top - radius) ** 2).sqrt() - radius
    depth = (away / thick).abs()
    shade = uniform(images, 0.02, 0.35) + uniform(images, 0, 0.25) * torch.exp(
        -((away / thick + 0.5) ** 2) * 8
    )
    return _laid(images, shade * (1 - 0.4 * depth.clamp(0, 1)), depth < 1)


def hand(images: Tensor, marks: Marks) -> tuple[Tensor, Tensor]:
    """A palm and four fingers in the skin's grey, somewhere at the face, from any direction."""
    across, below = _face_axes(images, marks)
    angle = uniform(images, 0, 2 * math.pi)
    px, py = across - uniform(images, -0.9, 0.9), below - uniform(images, -0.3, 1.7)
    u = (torch.cos(angle) * px + torch.sin(angle) * py) / uniform(images, 0.7, 1.1)
    v = (-torch.sin(angle) * px + torch.cos(angle) * py) / uniform(images, 0.7, 1.1)
    nearest = (((u + 0.5) / 0.6) ** 4 + (v / 0.52) ** 4).sqrt()
    for finger in range(4):
        tilt = (finger - 1.5) * uniform(images, 0.0, 0.16)
        length = uniform(images, 0.45, 0.8) - 0.1 * abs(finger - 1.5)
        along = u.clamp_min(-0.3).minimum(length)
        aside = v - (finger - 1.5) * 0.24 - tilt * along
        nearest = torch.minimum(nearest, (aside**2 + (u - along) ** 2) / 0.135**2)
    skin = _skin(images, across, below)
    shade = skin * uniform(images, 0.7, 1.25) * (1.08 - 0.25 * nearest.clamp(0, 1) ** 2)
    return _laid(images, shade, nearest < 1)


def _skin(images: Tensor, across: Tensor, below: Tensor) -> Tensor:
    """The mean grey between eyes and mouth, (n, 1, 1, 1)."""
    near = ((across**2 + (below - 0.5) ** 2) < 0.16).float()
    count = near.sum(dim=(2, 3), keepdim=True)
    return torch.where(count > 0, (images * near).sum(dim=(2, 3), keepdim=True) / count.clamp_min(1), 0.5)


def mask(images: Tensor, marks: Marks) -> tuple[Tensor, Tensor]:
    """A medical or cloth mask from the nose to under the chin, with pleats, straps left out."""
    across, below = _face_axes(images, marks)
    top = uniform(images, 0.3, 0.75)
    middle, half = (top + 1.85) / 2, (1.85 - top) / 2
    bulge = uniform(images, 0.85, 1.1)
    cover = (across / bulge).abs() ** 3 + ((below - middle - 0.12 * across**2) / half).abs() ** 4 < 1
    pleats = 1 - uniform(images, 0, 0.12) * (torch.sin(below * 22) > 0.7)
    # Round like the face under it: darker to the sides.
    shade = uniform(images, 0.08, 1.0) * pleats * (1 - uniform(images, 0.1, 0.4) * across**2)
    return _laid(images, shade, cover)


def cap_peak(images: Tensor, marks: Marks) -> tuple[Tensor, Tensor]:
    """A cap down to the brows or the eyes, and its shadow below the peak."""
    across, below = _face_axes(images, marks)
    edge = -uniform(images, 0.0, 0.55) + uniform(images, -0.25, 0.15) * across**2
    half = uniform(images, 1.0, 1.3)
    inside = across.abs() < half
    cover = (below < edge) & ((across / half) ** 4 + ((below - edge) / uniform(images, 0.9, 1.3)) ** 2 < 1)
    gloom = torch.exp(-((below - edge).clamp_min(0) / uniform(images, 0.1, 0.5))) * uniform(images, 0, 0.6)
    images = images * (1 - gloom * inside * (below >= edge))
    shade = uniform(images, 0.02, 0.6) * (1 - 0.25 * torch.sin(across * 2) ** 2)
    return _laid(images, shade, cover)


def sunglasses(images: Tensor, marks: Marks) -> tuple[Tensor, Tensor]:
    """Two tinted lenses, 95 down to 2 % of the light let through, with frame, bridge and a reflection.

    Hidden is what passes through less than about a quarter of the light.
    """
    across, below = _face_axes(images, marks)
    width, height = uniform(images, 0.36, 0.48), uniform(images, 0.2, 0.4)
    power = uniform(images, 2, 5)
    lens = torch.full_like(images, 9.0)
    for side in (-0.5, 0.5):
        oval = ((across - side).abs() / width) ** power + ((below - 0.04).abs() / height) ** power
        lens = torch.minimum(lens, oval)
    through = uniform(images, 0.02, 0.95)
    rim = (lens >= 0.8) & (lens < 1.25) | (across.abs() < 0.16) & ((below + 0.05).abs() < 0.05)
    rim = rim | (across.abs() > 0.8) & (across.abs() < 1.25) & ((below + 0.05).abs() < 0.04)
    mirrored = torch.roll(images, 1, 0).flip(3) * uniform(images, 0, 0.25) * (1 - through)
    inside = (lens < 1).float()
    tinted = images * (1 - inside) + (images * through + mirrored) * inside
    out = torch.where(rim & (uniform(images) < 0.7), uniform(images, 0, 0.4).expand_as(images), tinted)
    return out, inside * ((0.3 - through) / 0.15).clamp(0, 1)


def neighbour(images: Tensor, marks: Marks) -> tuple[Tensor, Tensor]:
    """A second face: another picture of the batch at one side, nearly as large."""
    small, cover = _beside(images, torch.roll(images, 1, 0), 0.5, 0.95, oval=True)
    return _laid(images, small, cover)


def print_beside(images: Tensor, marks: Marks) -> tuple[Tensor, Tensor]:
    """A printed face at one side: a poster, a shirt, a card."""
    small, cover = _beside(images, printed(torch.roll(images, 1, 0)), 0.25, 0.5, oval=False)
    return _laid(images, small, cover)


def _beside(images: Tensor, others: Tensor, low: float, high: float, *, oval: bool) -> tuple[Tensor, Tensor]:
    """Other pictures shrunk by a factor from `low` to `high`, moved to the left or right edge."""
    n, device = len(images), images.device
    scale, angle = uniform(images, low, high)[:, 0, 0, 0], torch.randn(n, device=device) * 0.15
    side = torch.sign(torch.rand(n, device=device) - 0.5)
    x, y = side * (0.7 + 0.4 * torch.rand(n, device=device)), torch.rand(n, device=device) * 1.4 - 0.7
    c, s = torch.cos(angle) / scale, torch.sin(angle) / scale
    rows = torch.stack([torch.stack([c, s, -(c * x + s * y)], 1), torch.stack([-s, c, s * x - c * y], 1)], 1)
    where = F.affine_grid(rows, list(images.shape), align_corners=False)
    small = F.grid_sample(others, where, align_corners=False)
    edge = where.norm(dim=3) < 0.9 if oval else where.abs().amax(3) < 1
    return small, edge[:, None]
