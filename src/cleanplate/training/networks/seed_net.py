"""SeedNet: the network of the 2020 report that Cleanplate continues, layer for layer.

A ResNet-U-Net of 41 M parameters over the fused features of plate and frame. It is a baseline, and
the subject of the study of why the report's depth maps came out blank. The tests compare it with
the 99 rows of the report's layer table.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cleanplate.training.networks.contract import PairNetwork, Prediction

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)


def _unit(inputs: int, outputs: int) -> nn.Sequential:
    """3x3 convolution, BatchNorm, ReLU."""
    return nn.Sequential(_conv(inputs, outputs, 3), nn.BatchNorm2d(outputs), nn.ReLU())


class Stem(nn.Sequential):
    """Features (N, channels, H, W) of one picture: a convolution and a depthwise separable one."""

    def __init__(self, channels: int):
        super().__init__(
            *_unit(3, channels),
            _conv(channels, channels, 3, groups=channels),
            _conv(channels, channels, 1),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
        )


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut (He et al. 2016), 1x1 where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1):
        super().__init__()
        self.conv1 = _conv(inputs, outputs, 3, stride)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = _conv(outputs, outputs, 3)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                _conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs)
            )

    def forward(self, features: Tensor) -> Tensor:
        """Filter (N, inputs, H, W) to (N, outputs, ceil(H / stride), ceil(W / stride))."""
        inner = F.relu(self.norm1(self.conv1(features)))
        return F.relu(self.norm2(self.conv2(inner)) + self.shortcut(features))


class DecoderBlock(nn.Module):
    """Upsample to the size of the encoder's features, refine, concatenate and mix."""

    def __init__(self, inputs: int, outputs: int, mixed: int, blocks: int = 1):
        super().__init__()
        self.blocks = nn.Sequential(
            BasicBlock(inputs, outputs), *(BasicBlock(outputs, outputs) for _ in range(blocks - 1))
        )
        self.mix = _unit(2 * outputs, mixed)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """Decode to (N, mixed, H, W), the size of `fine`; a factor of 2 where that is even."""
        grown = F.interpolate(coarse, size=fine.shape[-2:], mode="bilinear", align_corners=True)
        mixed: Tensor = self.mix(torch.cat([self.blocks(grown), fine], 1))
        return mixed


class SeedNet(PairNetwork):
    """Mask from the fused stem, depth from the U-Net, one output convolution for both.

    Args:
        fusion: "concat" joins the two pictures' features, "subtract" takes their difference.
        subtract: with fusion="subtract", whether "features" or "pictures" are subtracted.
        width: factor on all channel counts; 1 is the report's network.
        shared_head: False gives depth an output convolution of its own.
    """

    plate_outputs: ClassVar[tuple[str, ...]] = ("feature",)

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        fusion: Literal["concat", "subtract"] = "concat",
        subtract: Literal["features", "pictures"] = "features",
        width: float = 1.0,
        shared_head: bool = True,
    ):
        super().__init__()
        self.fusion, self.subtract = fusion, subtract
        stem, c1, last, c2, c3, c4, c5 = (
            max(4, round(count * width / 4) * 4) for count in (32, 64, 128, 128, 256, 512, 1024)
        )
        fused = 2 * stem if fusion == "concat" else stem
        self.stem = Stem(stem)
        self.trunk_conv = _conv(fused, c1, 3)
        self.trunk_norm = nn.BatchNorm2d(c1)
        self.mask = _unit(fused, last)
        self.encoder1 = BasicBlock(c1, c1)
        self.encoder2 = BasicBlock(c1, c2, 2)
        self.encoder3 = BasicBlock(c2, c3, 2)
        self.encoder4 = BasicBlock(c3, c4, 2)
        self.encoder5 = BasicBlock(c4, c5, 2)
        self.decoder4 = DecoderBlock(c5, c4, c4, blocks=2)
        self.decoder3 = DecoderBlock(c4, c3, c3)
        self.decoder2 = DecoderBlock(c3, c2, c2)
        self.decoder1 = DecoderBlock(c2, c1, last)
        self.head = _conv(last, 1, 3)
        self.depth_head = self.head if shared_head else _conv(last, 1, 3)
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(_STD).view(1, 3, 1, 1), persistent=False)

    def _scaled(self, picture: Tensor) -> Tensor:
        scaled: Tensor = (picture - self.mean) / self.std
        return scaled

    def encode_plate(
        self,
        plate: Tensor,
        plate_disparity: Tensor | None = None,
        plate_valid: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        """Compute the plate's stem features; its depth is not used."""
        scaled = self._scaled(plate)
        if self.fusion == "subtract" and self.subtract == "pictures":
            return (scaled,)
        return (self.stem(scaled),)

    def fuse(self, frame: Tensor, features: tuple[Tensor, ...]) -> Tensor:
        """Fuse the frame's stem features with the plate's: (N, fused, H, W)."""
        (from_plate,) = features
        scaled = self._scaled(frame)
        if self.fusion == "concat":
            return torch.cat([from_plate, self.stem(scaled)], 1)
        if self.subtract == "features":
            difference: Tensor = self.stem(scaled) - from_plate
            return difference
        compared: Tensor = self.stem(scaled - from_plate)
        return compared

    def unet_input(self, fused: Tensor) -> Tensor:
        """Convolve fused stem features to the U-Net's input, (N, c1, H, W)."""
        return F.relu(self.trunk_norm(self.trunk_conv(fused)))

    def encode(self, x: Tensor) -> tuple[Tensor, ...]:
        """Compute the U-Net's features at strides 1, 2, 4, 8, 16."""
        levels = []
        for stage in (self.encoder1, self.encoder2, self.encoder3, self.encoder4, self.encoder5):
            x = stage(x)
            levels.append(x)
        return tuple(levels)

    def decode(self, levels: tuple[Tensor, ...]) -> Tensor:
        """Decode the U-Net's features to full size: (N, last, H, W)."""
        *finer, x = levels
        decoders = (self.decoder4, self.decoder3, self.decoder2, self.decoder1)
        for decoder, fine in zip(decoders, reversed(finer), strict=True):
            x = decoder(x, fine)
        return x

    def compare(self, frame: Tensor, plate: Tensor, features: tuple[Tensor, ...]) -> Prediction:
        """Predict mask and depth of a frame; the depth logit is taken as relative disparity."""
        fused = self.fuse(frame, features)
        unet_input = self.unet_input(fused)
        mask = self.head(self.mask(fused))
        disparity = self.depth_head(self.decode(self.encode(unet_input)))
        return Prediction(
            alpha=mask.sigmoid(),
            disparity=disparity,
            alpha_logits=mask,
            disparity_logits=disparity,
        )
