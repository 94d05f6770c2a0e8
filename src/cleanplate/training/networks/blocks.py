"""Blocks that several networks are made of."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def resize(tensor: Tensor, like: Tensor) -> Tensor:
    """Bilinear, to the height and width of `like`."""
    return F.interpolate(tensor, size=like.shape[-2:], mode="bilinear", align_corners=False)


def coordinate_channels(features: Tensor) -> Tensor:
    """Two channels, -1 to 1 from top to bottom and from left to right (CoordConv, Liu et al. 2018).

    (N, C, H, W) to (N, 2, H, W). Built by cumulative sums of ones, because that exports for any
    size.
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
    """Inverted residual (Sandler et al. 2018) that keeps channels and size."""

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
        """(N, channels, H, W) to the same."""
        filtered: Tensor = self.body(features)
        return features + filtered


class GlobalAttention(nn.Module):
    """Every cell looks at every other: a transformer block (Vaswani et al. 2017), pre-norm."""

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
        """(N, channels, H, W) to the same."""
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
