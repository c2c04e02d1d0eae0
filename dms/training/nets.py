"""The four nets: plain 3x3 convolutions with batch norm and ReLU, channels in multiples of 8, no depthwise.

They take uint8 or float luma 0 to 255 and return the outputs of `engines.contract` by name. Heads named
`head*` regress and stay in floating point when the trunk becomes INT8.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from dms import landmarks as lm
from dms.engines.contract import ACTIVITIES, CONTRACTS, FATIGUE_STATES, STRIDES

Outputs = dict[str, Tensor]


class ConvBn(nn.Module):
    """Convolution, batch norm, ReLU; `export.fused` folds the norm into the convolution."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, kernel: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, (kernel - stride + 1) // 2, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (n, outputs, height / stride, width / stride)."""
        return F.relu(self.norm(self.conv(x)))


def stage(inputs: int, outputs: int, depth: int) -> nn.Sequential:
    """`depth` convolutions, the first with stride 2."""
    rest = [ConvBn(outputs, outputs) for _ in range(depth - 1)]
    return nn.Sequential(ConvBn(inputs, outputs, 2), *rest)


def trunk(channels: Sequence[int], depths: Sequence[int]) -> nn.Sequential:
    """A stem of stride 2 and one stage for each further channel count, each halving the picture."""
    pairs = zip(channels, channels[1:], depths, strict=False)
    return nn.Sequential(ConvBn(1, channels[0], 2), *(stage(a, b, d) for a, b, d in pairs))


def scaled(image: Tensor) -> Tensor:
    """Luma 0 to 255 as -1 to 1."""
    return image.float() * (1 / 127.5) - 1


def precise(layer: nn.Module, x: Tensor) -> Tensor:
    """A head in full precision also where the trunk is trained in bfloat16."""
    with torch.autocast(x.device.type, enabled=False):
        out: Tensor = layer(x.float())
    return out


class Embed(nn.Module):
    """A trunk, a 1x1 convolution that thins it, and a dense layer: one vector for the whole crop.

    With `fine`, the dense layer also sees that many channels of the last stage but one, where a cell is half
    as wide: points need it.
    """

    def __init__(
        self,
        size: int,
        channels: Sequence[int],
        depths: Sequence[int],
        thin: int,
        wide: int,
        drop: float = 0.0,
        fine: int = 0,
    ) -> None:
        super().__init__()
        self.trunk = trunk(channels, depths)
        self.thin = ConvBn(channels[-1], thin, kernel=1)
        self.fine = ConvBn(channels[-2], fine, kernel=1) if fine else None
        side, early = (math.ceil(size / 2 ** (len(channels) - k)) for k in (0, 1))
        self.dense = nn.Linear(thin * side * side + fine * early * early, wide)
        self.drop = nn.Dropout(drop)

    def forward(self, image: Tensor) -> Tensor:
        """Shape (n, wide)."""
        early = self.trunk[:-1](scaled(image))
        flat = self.thin(self.trunk[-1](early)).flatten(1)
        if self.fine is not None:
            flat = torch.cat([flat, self.fine(early).flatten(1)], 1)
        return self.drop(F.relu(self.dense(flat)))


class EyesNet(nn.Module):
    """Landmarks, eyes, gaze and head pose of one face crop; see `Embed` for the shape."""

    def __init__(
        self,
        channels: Sequence[int] = (32, 64, 96, 160, 192),
        depths: Sequence[int] = (2, 3, 2, 2),
        thin: int = 96,
        wide: int = 256,
        fine: int = 0,
    ) -> None:
        super().__init__()
        self.embed = Embed(CONTRACTS["eyes"].height, channels, depths, thin, wide, fine=fine)
        self.sizes = {
            "landmarks": lm.COUNT * 2, "landmark_sigma": lm.COUNT, "openness": 2, "openness_sigma": 2,
            "visibility": 2, "gaze": 2, "gaze_sigma": 1, "head": 3, "head_sigma": 1, "presence": 1,
        }  # fmt: skip
        self.head = nn.Linear(wide, sum(self.sizes.values()))

    def forward(self, image: Tensor) -> Outputs:
        """See `engines.contract` for names, shapes and units."""
        out = precise(self.head, self.embed(image))
        raw = dict(zip(self.sizes, out.split(list(self.sizes.values()), 1), strict=True))
        return {
            "landmarks": raw["landmarks"].view(-1, lm.COUNT, 2) * 0.25 + 0.5,
            "landmark_sigma": F.softplus(raw["landmark_sigma"]) * 0.02 + 1e-3,
            "openness": torch.sigmoid(raw["openness"]),
            "openness_sigma": F.softplus(raw["openness_sigma"]) * 0.1 + 0.01,
            "visibility": torch.sigmoid(raw["visibility"]),
            "gaze": raw["gaze"] * 20,
            "gaze_sigma": F.softplus(raw["gaze_sigma"]) * 5 + 0.5,
            "head": raw["head"] * 20,
            "head_sigma": F.softplus(raw["head_sigma"]) * 5 + 0.5,
            "presence": torch.sigmoid(raw["presence"]),
        }


class FatigueNet(nn.Module):
    """Closed eyes, yawn, covered mouth, squint."""

    def __init__(
        self, channels: Sequence[int] = (16, 32, 64, 96, 128), depths: Sequence[int] = (2, 2, 2, 2)
    ) -> None:
        super().__init__()
        self.embed = Embed(CONTRACTS["fatigue"].height, channels, depths, 64, 64, 0.1)
        self.head = nn.Linear(64, len(FATIGUE_STATES))

    def forward(self, image: Tensor) -> Outputs:
        """`state` (n, 5), probabilities."""
        return {"state": torch.sigmoid(precise(self.head, self.embed(image)))}


class DistractionNet(nn.Module):
    """Phone, food, cigarette, hand; while training, `extra` also places the face's five points."""

    def __init__(
        self,
        channels: Sequence[int] = (24, 48, 96, 128, 160),
        depths: Sequence[int] = (2, 2, 3, 2),
        drop: float = 0.4,
    ) -> None:
        super().__init__()
        self.embed = Embed(CONTRACTS["distraction"].height, channels, depths, 64, 128, drop)
        self.head = nn.Linear(128, len(ACTIVITIES))
        self.extra = nn.Linear(128, 10)

    def forward(self, image: Tensor) -> Outputs:
        """`activity` (n, 6), probabilities that sum to 1."""
        vector = self.embed(image)
        out = {"activity": torch.softmax(precise(self.head, vector), 1)}
        if self.training:
            out["points"] = precise(self.extra, vector).view(-1, 5, 2) * 0.25 + 0.5
        return out


class FaceNet(nn.Module):
    """Faces of a whole frame: three levels, strides 8, 16, 32, the coarser ones handed down once.

    Args:
        stem: channels of the convolutions down to stride 4. One of stride 4 costs a third of two of stride 2:
            a single input channel is what integer kernels handle worst.
        channels: of the three levels.
        depths: convolutions of each level.
        head: channels of what the levels hand to the heads.
        kernel: side of a single stem convolution; two are 3x3.
    """

    def __init__(
        self,
        stem: Sequence[int] = (32,),
        channels: Sequence[int] = (64, 96, 128),
        depths: Sequence[int] = (2, 2, 2),
        head: int = 48,
        kernel: int = 8,
    ) -> None:
        super().__init__()
        inputs = (1, *stem, *channels)
        stride, side = (4, kernel) if len(stem) == 1 else (2, 3)
        self.stem = nn.Sequential(*(ConvBn(a, b, stride, side) for a, b in zip(inputs, stem, strict=False)))
        self.stages = nn.ModuleList(map(stage, inputs[len(stem) :], channels, depths))
        self.laterals = nn.ModuleList(ConvBn(c, head, kernel=1) for c in channels)
        self.mix = nn.ModuleList(ConvBn(head, head) for _ in channels)
        self.head = nn.ModuleList(nn.Conv2d(head, 15, 1) for _ in channels)
        for conv in self.head:
            assert isinstance(conv, nn.Conv2d)
            assert conv.bias is not None
            nn.init.normal_(conv.weight, std=0.01)
            nn.init.zeros_(conv.bias)
            nn.init.constant_(conv.bias[:1], -math.log(99))

    def forward(self, image: Tensor) -> Outputs:
        """`score` (n, anchors), `box` (n, anchors, 4), `points` (n, anchors, 10); in order."""
        # The first batch norm brings the luma to scale: no arithmetic on whole frames, no padding to disturb.
        x = self.stem(image.float())
        levels = []
        for part in self.stages:
            x = part(x)
            levels.append(x)
        down: Tensor | None = None
        rows: list[Tensor] = []
        for k in reversed(range(len(levels))):
            level = self.laterals[k](levels[k])
            down = level if down is None else level + F.interpolate(down, scale_factor=2.0, mode="nearest")
            rows.insert(0, precise(self.head[k], self.mix[k](down)).flatten(2).transpose(1, 2))
        score, box, points = torch.cat(rows, 1).split([1, 4, 10], 2)
        return {"score": torch.sigmoid(score).flatten(1), "box": box, "points": points}


def anchors(height: int, width: int) -> Tensor:
    """Cell centres and stride (n, 3) in pixels, in the order of the outputs."""
    rows = []
    for stride in STRIDES:
        y, x = torch.meshgrid(torch.arange(height // stride), torch.arange(width // stride), indexing="ij")
        centers = (torch.stack([x, y], -1).reshape(-1, 2) + 0.5) * stride
        rows.append(torch.cat([centers, torch.full((len(centers), 1), float(stride))], 1))
    return torch.cat(rows)


NETS: dict[str, type[nn.Module]] = {
    "face": FaceNet, "eyes": EyesNet, "fatigue": FatigueNet, "distraction": DistractionNet,
}  # fmt: skip
