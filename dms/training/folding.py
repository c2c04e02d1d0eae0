"""Batch norms folded into their convolutions: the net as it is exported."""

from __future__ import annotations

import copy

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from dms.training.nets import ConvBn


def fused(net: nn.Module) -> nn.Module:
    """A copy in evaluation mode with every batch norm folded into its convolution."""
    net = copy.deepcopy(net).eval()
    for module in net.modules():
        if isinstance(module, ConvBn) and isinstance(module.norm, nn.BatchNorm2d):
            module.conv = fuse_conv_bn_eval(module.conv, module.norm)
            module.norm = nn.Identity()
    return net
