"""PlateDepthNet: monocular depth of a plate, as relative disparity; run once per plate.

The pretrained encoder at full size, self-attention over all cells at stride 32, a light decoder to
stride 4. A pixel's position is a cue to its depth (floors are below, ceilings above), so
coordinate channels are added to the coarsest features.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cleanplate.training.networks.blocks import (
    GlobalAttention,
    ResidualBlock,
    coordinate_channels,
    resize,
)
from cleanplate.training.networks.contract import Prediction
from cleanplate.training.networks.efficientnet import EfficientNetLite0

_WIDTHS = (48, 64, 96, 160)
"""Channels of the decoder at strides 4, 8, 16 and 32."""


class _DecoderBlock(nn.Module):
    """Upsample coarser features, add the encoder's at this stride, filter by residual blocks."""

    def __init__(self, coarser: int, encoded: int, channels: int):
        super().__init__()
        self.coarser = nn.Conv2d(coarser, channels, 1, bias=False)
        self.encoded = nn.Conv2d(encoded, channels, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.filter = nn.Sequential(ResidualBlock(channels), ResidualBlock(channels))

    def forward(self, coarser: Tensor, encoded: Tensor) -> Tensor:
        mixed = resize(self.coarser(coarser), encoded) + self.encoded(encoded)
        filtered: Tensor = self.filter(F.relu(self.norm(mixed)))
        return filtered


class PlateDepthNet(nn.Module):
    """Relative disparity of a picture of an empty scene.

    Args:
        pretrained: load the encoder's ImageNet weights.
    """

    def __init__(self, *, pretrained: bool = False):
        super().__init__()
        self.encoder = EfficientNetLite0()
        _, e4, e8, e16, e32 = self.encoder.channels
        w4, w8, w16, w32 = _WIDTHS
        self.coarsest = nn.Sequential(
            nn.Conv2d(e32 + 2, w32, 1, bias=False), nn.BatchNorm2d(w32), nn.ReLU(inplace=True)
        )
        self.attention = nn.Sequential(GlobalAttention(w32), GlobalAttention(w32))
        self.decode_16 = _DecoderBlock(w32, e16, w16)
        self.decode_8 = _DecoderBlock(w16, e8, w8)
        self.decode_4 = _DecoderBlock(w8, e4, w4)
        self.head = nn.Conv2d(w4, 1, 3, 1, 1)
        if pretrained:
            self.encoder.load_imagenet()

    def estimate(self, plate: Tensor) -> Tensor:
        """Estimate relative disparity (N, 1, H, W), larger is nearer.

        Args:
            plate: (N, 3, H, W) float32 sRGB in [0, 1].
        """
        _, f4, f8, f16, f32 = self.encoder(plate)
        coarsest = self.coarsest(torch.cat([f32, coordinate_channels(f32)], 1))
        x = self.decode_16(self.attention(coarsest), f16)
        x = self.decode_4(self.decode_8(x, f8), f4)
        return resize(self.head(x), plate)

    def forward(
        self,
        plate: Tensor,
        frame: Tensor,
        plate_disparity: Tensor | None = None,
        plate_valid: Tensor | None = None,
    ) -> Prediction:
        """Predict the plate's disparity, called as a pair network is; only `plate` is used."""
        return Prediction(plate_disparity=self.estimate(plate))
