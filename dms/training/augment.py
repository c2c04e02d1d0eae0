"""What a cabin does to a picture, in batches on the GPU: light, sun, infrared look, blur, noise, occlusion.

Images are float (n, 1, height, width), 0 to 1. Every function draws its own random numbers from torch's
default generator (seeded once by the trainer) and leaves a share of the batch as it is.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

BLUR = 9
"""Side of the blur kernels in pixels."""


def some(images: Tensor, share: float) -> Tensor:
    """1 for a random share of the batch, else 0, shape (n, 1, 1, 1)."""
    return (_uniform(images) < share).float()


def _uniform(images: Tensor, low: float = 0.0, high: float = 1.0) -> Tensor:
    return torch.rand(len(images), 1, 1, 1, device=images.device) * (high - low) + low


def _normal(images: Tensor) -> Tensor:
    return torch.randn(len(images), 1, 1, 1, device=images.device)


def grid(images: Tensor) -> tuple[Tensor, Tensor]:
    """Pixel positions x, y from -1 to 1, shape (1, 1, height, width)."""
    height, width = images.shape[2:]
    y = torch.linspace(-1, 1, height, device=images.device)[None, None, :, None].expand(1, 1, height, width)
    x = torch.linspace(-1, 1, width, device=images.device)[None, None, None, :].expand(1, 1, height, width)
    return x, y


def tone(images: Tensor) -> Tensor:
    """Gamma, contrast, brightness; a share goes very dark, a share is clipped bright."""
    images = images.clamp(1e-4, 1) ** torch.exp(0.4 * _normal(images))
    mean = images.mean(dim=(2, 3), keepdim=True)
    images = (images - mean) * torch.exp(0.3 * _normal(images)) + mean + 0.1 * _normal(images)
    dark = some(images, 0.12)
    images = images * (1 - dark * _uniform(images, 0.4, 0.93))
    bright = some(images, 0.06)
    return images * (1 + bright * _uniform(images, 0.3, 1.5))


def sun(images: Tensor) -> Tensor:
    """Low sun or shadow over a half plane with a soft edge."""
    x, y = grid(images)
    angle = _uniform(images, 0, 2 * math.pi)
    edge = torch.cos(angle) * x + torch.sin(angle) * y - _uniform(images, -0.5, 0.5)
    lit = torch.sigmoid(edge / _uniform(images, 0.03, 0.5))
    amount = _uniform(images, -0.75, 1.5) * some(images, 0.3)
    return images * (1 + amount * lit) + amount.clamp_min(0) * 0.15 * lit


def infrared(images: Tensor) -> Tensor:
    """An infrared lamp beside the lens: bright near its centre, dark round it, flat skin."""
    x, y = grid(images)
    cx, cy = _uniform(images, -0.4, 0.4), _uniform(images, -0.4, 0.4)
    fall = 1 / (1 + _uniform(images, 0.5, 2.5) * ((x - cx) ** 2 + (y - cy) ** 2))
    lit = images.clamp_min(1e-4) ** _uniform(images, 0.5, 1.0) * fall * _uniform(images, 0.8, 1.3)
    use = some(images, 0.3)
    return images * (1 - use) + lit * use


def blur(images: Tensor, share: float = 0.4) -> Tensor:
    """Defocus and motion blur: one Gaussian kernel an image, often longer along a random direction."""
    n = len(images)
    at = torch.arange(BLUR, device=images.device, dtype=torch.float32) - BLUR // 2
    y, x = at[None, :, None], at[None, None, :]
    angle = torch.rand(n, 1, 1, device=images.device) * math.pi
    along = torch.cos(angle) * x + torch.sin(angle) * y
    across = -torch.sin(angle) * x + torch.cos(angle) * y
    narrow = torch.rand(n, 1, 1, device=images.device) * 1.1 + 0.05
    wide = narrow * (1 + 3 * torch.rand(n, 1, 1, device=images.device) ** 2)
    kernel = torch.exp(-0.5 * ((along / wide) ** 2 + (across / narrow) ** 2))
    same = torch.zeros_like(kernel)
    same[:, BLUR // 2, BLUR // 2] = 1
    kernel = torch.where(torch.rand(n, 1, 1, device=images.device) < share, kernel, same)
    kernel = kernel / kernel.sum(dim=(1, 2), keepdim=True)
    padded = F.pad(images, [BLUR // 2] * 4, mode="replicate").transpose(0, 1)
    return F.conv2d(padded, kernel[:, None], groups=n).transpose(0, 1)


def coarse(images: Tensor, share: float = 0.15) -> Tensor:
    """A face seen from far: the batch shrunk by one random factor and enlarged again, for a share of it."""
    factor = 0.3 + 0.5 * float(torch.rand(()))
    small = F.interpolate(images, scale_factor=factor, mode="bilinear", antialias=True)
    back = F.interpolate(small, size=images.shape[2:], mode="bilinear")
    use = some(images, share)
    return images * (1 - use) + back * use


def noise(images: Tensor) -> Tensor:
    """Sensor noise, sometimes as strong as at one lux; then the camera's 8 bits."""
    sigma = 0.015 * _normal(images).abs() + some(images, 0.1) * _uniform(images, 0, 0.1)
    images = images + sigma * torch.randn_like(images)
    return (images.clamp(0, 1) * 255).round() / 255


def photometric(images: Tensor) -> Tensor:
    """All of the above, in the order light, lens, sensor; a third of the batch stays nearly as it was."""
    return noise(coarse(blur(light(images))))


def light(images: Tensor) -> Tensor:
    """Tone, sun and infrared lamp on two thirds of the batch, a little brightness on the rest."""
    hard = infrared(sun(tone(images)))
    mild = images * torch.exp(0.2 * _normal(images))
    use = some(images, 0.67)
    return hard * use + mild * (1 - use)


def occlude(images: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Put a turned patch of another picture or of plain grey over part of a share of the images.

    Returns:
        The images and the cover (n, 1, height, width), 1 where something lies over the face.
    """
    x, y = grid(images)
    angle = _uniform(images, 0, math.pi)
    dx, dy = x - _uniform(images, -0.9, 0.9), y - _uniform(images, -0.9, 0.9)
    along = torch.cos(angle) * dx + torch.sin(angle) * dy
    across = -torch.sin(angle) * dx + torch.cos(angle) * dy
    power = torch.where(_uniform(images) < 0.5, 2.0, 8.0)
    a, b = _uniform(images, 0.1, 0.7), _uniform(images, 0.05, 0.4)
    cover = ((along / a).abs() ** power + (across / b).abs() ** power < 1).float() * some(images, share)
    other = torch.roll(images, 1, 0).flip(2) * _uniform(images, 0.5, 1.2)
    plain = _uniform(images, 0.0, 0.9).expand_as(images)
    patch = torch.where(_uniform(images) < 0.5, other, plain)
    return images * (1 - cover) + patch * cover, cover


def surround(images: Tensor, mask: Tensor, backgrounds: Tensor) -> Tensor:
    """Fill what lies beyond the picture: with a background, plain grey, or black as the run time does."""
    kind = _uniform(images)
    fill = torch.where(
        kind < 0.5, backgrounds, torch.where(kind < 0.7, _uniform(images), torch.zeros_like(kind))
    )
    return images * mask + fill * (1 - mask)


def covered_at(cover: Tensor, unit: Tensor) -> Tensor:
    """Whether points (n, k, 2) in crop units lie under the cover, shape (n, k)."""
    height, width = cover.shape[2:]
    x = (unit[..., 0] * width).long().clamp(0, width - 1)
    y = (unit[..., 1] * height).long().clamp(0, height - 1)
    return cover[:, 0].flatten(1).gather(1, y * width + x)
