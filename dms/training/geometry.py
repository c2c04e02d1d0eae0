"""The crop geometry of `stages.tensors` for whole batches on the GPU, and what turning does to angles.

A crop is a row (centre x, centre y, side, angle); a matrix (2, 3) takes its pixels to pixels of the image.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def crop_matrix(crop: Tensor, size: int, flip: Tensor | None = None) -> Tensor:
    """The matrices (n, 2, 3) of crops (n, 4), as `Crop.to_frame`; rows with `flip` set come out mirrored."""
    x, y, side, angle = crop.unbind(1)
    c, s = side / size * torch.cos(angle), side / size * torch.sin(angle)
    half = (size - 1) / 2
    mirror = torch.ones_like(c) if flip is None else 1 - 2 * flip.to(c.dtype)
    first, second = c * mirror, s * mirror
    top = torch.stack([first, -s, x - first * half + s * half], 1)
    bottom = torch.stack([second, c, y - second * half - c * half], 1)
    return torch.stack([top, bottom], 1)


def to_crop(points: Tensor, matrix: Tensor) -> Tensor:
    """Image points (n, k, 2) as pixels of the crop."""
    inverse = torch.linalg.inv(matrix[:, :, :2])
    return torch.einsum("nij,nkj->nki", inverse, points - matrix[:, None, :, 2])


def to_unit(points: Tensor, matrix: Tensor, size: int) -> Tensor:
    """Image points (n, k, 2) in crop units: 0 and 1 are the outer edges of the first and the last pixel."""
    return (to_crop(points, matrix) + 0.5) / size


def turn_direction(direction: Tensor, angle: Tensor, flip: Tensor) -> Tensor:
    """Yaw and pitch (n, 2) in degrees as seen in a crop turned clockwise by `angle` and perhaps mirrored.

    The picture turns counter-clockwise in such a crop, and the direction's projection with it.
    """
    yaw, pitch = torch.deg2rad(direction).unbind(1)
    x, y, z = torch.sin(yaw) * torch.cos(pitch), torch.sin(pitch), torch.cos(yaw) * torch.cos(pitch)
    c, s = torch.cos(angle), torch.sin(angle)
    x, y = c * x - s * y, s * x + c * y
    x = torch.where(flip, -x, x)
    return torch.rad2deg(torch.stack([torch.atan2(x, z), torch.asin(y.clamp(-1, 1))], 1))


def turn_head(head: Tensor, angle: Tensor, flip: Tensor) -> Tensor:
    """Yaw, pitch, roll (n, 3) in degrees as seen in the crop (see `turn_direction`)."""
    direction = turn_direction(head[:, :2], angle, flip)
    roll = head[:, 2] - torch.rad2deg(angle)
    return torch.cat([direction, torch.where(flip, -roll, roll)[:, None]], 1)


def jitter(crop: Tensor, shift: float, log_scale: float, turn_deg: float) -> Tensor:
    """Crops (n, 4) displaced by normal noise: shift in sides, log of the scale, turn in degrees."""
    n, device = len(crop), crop.device
    move = torch.randn(n, 2, device=device) * shift * crop[:, 2:3]
    side = crop[:, 2] * torch.exp(torch.randn(n, device=device).clamp(-2.5, 2.5) * log_scale)
    angle = crop[:, 3] + torch.randn(n, device=device) * math.radians(turn_deg)
    return torch.stack([crop[:, 0] + move[:, 0], crop[:, 1] + move[:, 1], side, angle], 1)
