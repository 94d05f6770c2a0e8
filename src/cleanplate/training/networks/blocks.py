"""Layers shared by the networks: resize, CoordConv channels, inverted residual, attention."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def resize(tensor: Tensor, like: Tensor) -> Tensor:
    """Resize (N, C, h, w) bilinearly to the height and width of `like`."""
    return F.interpolate(tensor, size=like.shape[-2:], mode="bilinear", align_corners=False)


def coordinate_channels(features: Tensor) -> Tensor:
    """Make the two coordinate channels of CoordConv (Liu et al. 2018).

    Built by cumulative sums of ones, because that exports to ONNX for any size.

    Args:
        features: (N, C, H, W); only the size counts.

    Returns:
        (N, 2, H, W): row and column, from -1 (top, left) to 1 (bottom, right), pixel centres.
    """
    ones = torch.ones_like(features[:, :1])
    rows, columns = ones.cumsum(2), ones.cumsum(3)
    return torch.cat(
        [
            (2 * rows - 1) / rows[:, :, -1:, :] - 1,
            (2 * columns - 1) / columns[:, :, :, -1:] - 1,
        ],
        1,
    )


class ResidualBlock(nn.Module):
    """Inverted residual (Sandler et al. 2018) that keeps channels and size.

    Args:
        channels: of input and output.
        expansion: factor on the channels of the depthwise convolution.
        kernel: side of the depthwise kernel.
    """

    def __init__(self, channels: int, expansion: int = 2, kernel: int = 3):
        super().__init__()
        hidden = channels * expansion
        self.body = nn.Sequential(
            nn.Conv2d(channels, hidden, 1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, hidden, kernel, 1, kernel // 2, groups=hidden, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Filter (N, channels, H, W) to the same shape."""
        filtered: Tensor = self.body(features)
        return features + filtered


class GlobalAttention(nn.Module):
    """Multi-head self-attention over all cells: a pre-norm transformer block.

    Vaswani et al. 2017; the norm before each part as in Xiong et al. 2020.

    Args:
        channels: of input and output, a multiple of `heads`.
        heads: of the attention.
    """

    def __init__(self, channels: int, heads: int = 4):
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.query_key_value = nn.Linear(channels, 3 * channels)
        self.project = nn.Linear(channels, channels)
        self.mlp = nn.Sequential(
            nn.Linear(channels, 2 * channels), nn.ReLU(), nn.Linear(2 * channels, channels)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Mix (N, channels, H, W) to the same shape; cost grows with (H W)^2."""
        count, channels, height, width = features.shape
        cells = features.flatten(2).transpose(1, 2)
        query, key, value = (
            self.query_key_value(self.first(cells))
            .view(count, height * width, 3, self.heads, channels // self.heads)
            .permute(2, 0, 3, 1, 4)
            .unbind(0)
        )
        scale = (channels // self.heads) ** -0.5
        weights = (query * scale @ key.transpose(2, 3)).softmax(-1)
        joined = (weights @ value).transpose(1, 2).reshape(count, height * width, channels)
        cells = cells + self.project(joined)
        cells = cells + self.mlp(self.second(cells))
        mixed: Tensor = cells.transpose(1, 2).reshape(count, channels, height, width)
        return mixed
