"""Layers shared by the networks: resize, CoordConv channels, sums, inverted residual, attention."""

from __future__ import annotations

from collections.abc import Iterable

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


class NormOfSum(nn.BatchNorm2d):
    """BatchNorm of a sum of two terms, `carried + convolved`, both (N, C, H, W)."""

    def forward(self, carried: Tensor, convolved: Tensor) -> Tensor:  # type: ignore[override]
        """Normalise the sum."""
        normed: Tensor = super().forward(carried + convolved)
        return normed

    def folded(self, convolutions: Iterable[nn.Conv2d]) -> FoldedNormOfSum:
        """Give the norm as of now, its gain folded into the convolutions that make `convolved`.

        Args:
            convolutions: without bias, whose results are summed; their weights are changed.
        """
        assert self.running_mean is not None
        assert self.running_var is not None
        with torch.no_grad():
            gain = self.weight / (self.running_var + self.eps).sqrt()
            for convolution in convolutions:
                convolution.weight.mul_(gain.view(-1, 1, 1, 1))
            return FoldedNormOfSum(gain, self.bias - self.running_mean * gain)


class FoldedNormOfSum(nn.Module):
    """`NormOfSum` with constant statistics, for graphs: `gain * carried + shift + convolved`.

    The gain is a depthwise convolution because ONNX Runtime keeps tensors in its blocked layout
    from one convolution to the next and adds what follows within them; a plain sum with a term in
    the standard layout would convert every tensor after it.
    """

    def __init__(self, gain: Tensor, shift: Tensor):
        super().__init__()
        channels = len(gain)
        self.scale = nn.Conv2d(channels, channels, 1, groups=channels)
        self.scale.weight = nn.Parameter(gain.detach().view(-1, 1, 1, 1))
        self.scale.bias = nn.Parameter(shift.detach())

    def forward(self, carried: Tensor, convolved: Tensor) -> Tensor:
        """Normalise the sum."""
        scaled: Tensor = self.scale(carried)
        return scaled + convolved


class ShuffledConvolution(nn.Conv2d):
    """1x1 convolution to four times the channels, then pixel shuffle (Shi et al. 2016).

    (N, inputs, H, W) to (N, channels, 2 H, 2 W), without bias.
    """

    def __init__(self, inputs: int, channels: int):
        super().__init__(inputs, 4 * channels, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Convolve and shuffle."""
        return F.pixel_shuffle(super().forward(features), 2)

    def as_transposed(self) -> nn.ConvTranspose2d:
        """Give the same as one transposed convolution, which ONNX Runtime computes faster."""
        channels = self.out_channels // 4
        same = nn.ConvTranspose2d(self.in_channels, channels, 2, 2, bias=False)
        kernels = self.weight.detach().view(channels, 2, 2, self.in_channels)
        same.weight = nn.Parameter(kernels.permute(3, 0, 1, 2).contiguous())
        return same


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
