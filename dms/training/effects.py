"""What light, lens and sensor do to a picture: one plain function an effect, on every picture it is given.

Images are float (n, 1, height, width), 0 to 1. Each effect draws its own random amount from torch's default
generator; `augment` decides how many pictures of a batch meet it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

BLUR = 9
"""Side of the blur kernels in pixels."""
JPEG_LUMA = (
    (16, 11, 10, 16, 24, 40, 51, 61), (12, 12, 14, 19, 26, 58, 60, 55), (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62), (18, 22, 37, 56, 68, 109, 103, 77), (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101), (72, 92, 95, 98, 112, 100, 103, 99),
)  # fmt: skip
"""Quantisation of luma at quality 50 (ITU-T T.81, table K.1)."""


def uniform(images: Tensor, low: float = 0.0, high: float = 1.0) -> Tensor:
    """One number an image, shape (n, 1, 1, 1)."""
    return torch.rand(len(images), 1, 1, 1, device=images.device) * (high - low) + low


def normal(images: Tensor) -> Tensor:
    """One normal number an image, shape (n, 1, 1, 1)."""
    return torch.randn(len(images), 1, 1, 1, device=images.device)


def grid(images: Tensor) -> tuple[Tensor, Tensor]:
    """Pixel positions x, y from -1 to 1, shape (1, 1, height, width)."""
    height, width = images.shape[2:]
    y = torch.linspace(-1, 1, height, device=images.device)[None, None, :, None].expand(1, 1, height, width)
    x = torch.linspace(-1, 1, width, device=images.device)[None, None, None, :].expand(1, 1, height, width)
    return x, y


def tone(images: Tensor) -> Tensor:
    """Gamma, contrast and brightness of another camera."""
    images = images.clamp(1e-4, 1) ** torch.exp(0.4 * normal(images))
    mean = images.mean(dim=(2, 3), keepdim=True)
    return (images - mean) * torch.exp(0.3 * normal(images)) + mean + 0.1 * normal(images)


def dark(images: Tensor) -> Tensor:
    """Dusk: up to 93 % of the light is gone."""
    return images * (1 - uniform(images, 0.4, 0.93))


def overexposed(images: Tensor) -> Tensor:
    """Bright parts clip."""
    return images * (1 + uniform(images, 0.3, 1.5))


def _half_plane(images: Tensor, softest: float) -> Tensor:
    x, y = grid(images)
    angle = uniform(images, 0, 2 * math.pi)
    edge = torch.cos(angle) * x + torch.sin(angle) * y - uniform(images, -0.5, 0.5)
    return torch.sigmoid(edge / uniform(images, 0.03, softest))


def low_sun(images: Tensor) -> Tensor:
    """Sun over half the face: clipped and hazy on one side of an edge."""
    lit, amount = _half_plane(images, 0.5), uniform(images, 0.3, 2.0)
    return images * (1 + amount * lit) + amount * 0.15 * lit


def shadow(images: Tensor) -> Tensor:
    """A roof's or pillar's shadow over a half plane."""
    return images * (1 - uniform(images, 0.2, 0.75) * _half_plane(images, 0.5))


def infrared(images: Tensor) -> Tensor:
    """An infrared lamp beside the lens: bright near its centre, dark round it (vignette), flat skin."""
    x, y = grid(images)
    cx, cy = uniform(images, -0.4, 0.4), uniform(images, -0.4, 0.4)
    fall = 1 / (1 + uniform(images, 0.5, 2.5) * ((x - cx) ** 2 + (y - cy) ** 2))
    return images.clamp_min(1e-4) ** uniform(images, 0.5, 1.0) * fall * uniform(images, 0.8, 1.3)


def bright_pupils(images: Tensor, irises: Tensor, open_share: Tensor) -> Tensor:
    """Pupils lit from behind by a lamp next to the lens, as far as the lids let them be seen.

    Args:
        images: (n, 1, height, width), 0 to 1.
        irises: centres in crop units, right and left, (n, 2, 2).
        open_share: 0 closed to 1 open, (n, 2): a closed eye has no bright pupil.
    """
    apart = (irises[:, 0] - irises[:, 1]).norm(dim=1)[:, None, None, None].clamp_min(0.02)
    # A pupil of 4 to 7 mm between eyes 63 mm apart.
    radius = apart * uniform(images, 0.032, 0.055)
    amount = uniform(images, 0.25, 0.8)
    for side in range(2):
        spot = _disc(images, irises[:, side], radius)
        images = images + amount * (open_share[:, side, None, None, None] - 0.3).clamp_min(0) / 0.7 * spot
    return images


def _disc(images: Tensor, center: Tensor, radius: Tensor) -> Tensor:
    """A soft disc round points (n, 2) in crop units."""
    height, width = images.shape[2:]
    x, y = grid(images)
    dx = x / 2 + 0.5 - center[:, 0, None, None, None]
    dy = (y / 2 + 0.5 - center[:, 1, None, None, None]) * (height / width)
    return torch.exp(-(((dx**2 + dy**2) / radius**2) ** 2))


def glints(images: Tensor, eyes: Tensor | None = None) -> Tensor:
    """Lamps mirrored in glasses: small clipped spots and streaks near the eyes, or anywhere if unknown."""
    n, device = len(images), images.device
    if eyes is None:
        eyes = torch.rand(n, 2, 2, device=device) * 0.7 + 0.15
    apart = (eyes[:, 0] - eyes[:, 1]).norm(dim=1)[:, None].clamp_min(0.04)
    shift = torch.randn(n, 2, device=device) * 0.12 * apart
    for side in range(2):
        center = eyes[:, side] + shift + torch.randn(n, 2, device=device) * 0.05 * apart
        radius = apart[:, :, None, None] * uniform(images, 0.02, 0.1)
        images = images + uniform(images, 0.2, 1.2) * _streak(images, center, radius)
    return images


def _streak(images: Tensor, center: Tensor, radius: Tensor) -> Tensor:
    height, width = images.shape[2:]
    x, y = grid(images)
    dx = x / 2 + 0.5 - center[:, 0, None, None, None]
    dy = (y / 2 + 0.5 - center[:, 1, None, None, None]) * (height / width)
    angle, longer = uniform(images, 0, math.pi), uniform(images, 1, 4)
    along = torch.cos(angle) * dx + torch.sin(angle) * dy
    across = -torch.sin(angle) * dx + torch.cos(angle) * dy
    return torch.exp(-((along / (radius * longer)) ** 2 + (across / radius) ** 2))


def _smeared(images: Tensor, narrow: Tensor, wide: Tensor) -> Tensor:
    """Convolve each image with its own Gaussian of two widths (n, 1, 1) in a random direction."""
    n = len(images)
    at = torch.arange(BLUR, device=images.device, dtype=torch.float32) - BLUR // 2
    y, x = at[None, :, None], at[None, None, :]
    angle = torch.rand(n, 1, 1, device=images.device) * math.pi
    along = torch.cos(angle) * x + torch.sin(angle) * y
    across = -torch.sin(angle) * x + torch.cos(angle) * y
    kernel = torch.exp(-0.5 * ((along / wide) ** 2 + (across / narrow) ** 2))
    kernel = kernel / kernel.sum(dim=(1, 2), keepdim=True)
    padded = F.pad(images, [BLUR // 2] * 4, mode="replicate").transpose(0, 1)
    return F.conv2d(padded, kernel[:, None], groups=n).transpose(0, 1)


def defocus(images: Tensor) -> Tensor:
    """Out of focus by up to 1.6 pixels (sigma)."""
    sigma = uniform(images, 0.5, 1.6)[:, 0]
    return _smeared(images, sigma, sigma)


def motion_blur(images: Tensor) -> Tensor:
    """The head or the car moved during the exposure, in any direction."""
    narrow = uniform(images, 0.2, 0.6)[:, 0]
    return _smeared(images, narrow, uniform(images, 0.8, 3.2)[:, 0])


def coarse(images: Tensor) -> Tensor:
    """A small face: the pictures shrunk by one random factor and enlarged again."""
    factor = 0.25 + 0.5 * float(torch.rand(()))
    small = F.interpolate(images, scale_factor=factor, mode="bilinear", antialias=True)
    return F.interpolate(small, size=images.shape[2:], mode="bilinear")


def night(images: Tensor) -> Tensor:
    """One lux: a tenth of the light and less, amplified; shot, read and row noise come up with it."""
    mean = images.mean(dim=(2, 3), keepdim=True).clamp_min(0.02)
    photons = uniform(images, 4, 40)
    light = (images / mean).clamp(0, 8) * photons
    read = uniform(images, 0.5, 2.5)
    rows = torch.randn(*images.shape[:3], 1, device=images.device) * uniform(images, 0, 0.6)
    seen = (
        light + light.clamp_min(0).sqrt() * torch.randn_like(images) + read * torch.randn_like(images) + rows
    )
    return seen / photons * uniform(images, 0.12, 0.35)


def sensor(images: Tensor) -> Tensor:
    """Daylight noise of any sensor, then the camera's 8 bits."""
    images = images + 0.015 * normal(images).abs() * torch.randn_like(images)
    return (images.clamp(0, 1) * 255).round() / 255


def noisy(images: Tensor) -> Tensor:
    """High gain: noise of up to a tenth of full scale."""
    return images + uniform(images, 0.01, 0.1) * torch.randn_like(images)


def jpeg(images: Tensor) -> Tensor:
    """Blocks of 8 x 8 quantised as JPEG of quality 8 to 60 does; sides are multiples of 8."""
    basis = _cosines(images.device)
    kernels = torch.einsum("ui,vj->uvij", basis, basis).reshape(64, 1, 8, 8)
    quality = uniform(images, 8, 60)
    scale = torch.where(quality < 50, 50 / quality, 2 - quality / 50)
    step = (torch.tensor(JPEG_LUMA, device=images.device).reshape(1, 64, 1, 1) * scale).clamp_min(1)
    blocks = F.conv2d(images.clamp(0, 1) * 255 - 128, kernels, stride=8)
    return (F.conv_transpose2d((blocks / step).round() * step, kernels, stride=8) + 128) / 255


def _cosines(device: torch.device) -> Tensor:
    """The orthonormal cosine basis (frequency, position) of 8 samples."""
    k = torch.arange(8, device=device, dtype=torch.float32)
    basis = torch.cos((2 * k[None] + 1) * k[:, None] * math.pi / 16) / 2
    basis[0] /= math.sqrt(2)
    return basis


def printed(images: Tensor) -> Tensor:
    """A face on paper or cloth: washed out, flat, dotted."""
    x, y = grid(images)
    height, width = images.shape[2:]
    pitch = uniform(images, 0.8, 1.6)
    dots = torch.sin(x * width / 2 * pitch) * torch.sin(y * height / 2 * pitch)
    flat = images * uniform(images, 0.4, 0.7) + uniform(images, 0.15, 0.4)
    return flat + 0.12 * dots
