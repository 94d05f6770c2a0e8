"""DualResolutionNet: a pretrained encoder at half size and a detail branch at full size.

A semantic and a detail branch as in BiSeNet (Yu et al. 2018). The semantic branch is a pretrained
EfficientNet-Lite0 on pictures of half size, which recognises objects; the detail branch is two
convolutions on pictures of full size, which locate edges.

At each stride frame and plate are compared as `W_f f + W_p p + W_d |f - p|`: the 1x1 convolution
of `concat(f, p, |f - p|)`, split into a sum, so that the plate's term is computed once per plate.
Self-attention over all cells at stride 32 (some 150 in a 512 x 288 picture) connects the parts of
a large subject. No convolution runs at full resolution: the alpha head gives four values for each
cell of 2 x 2 pixels (pixel shuffle).

The network gives alpha and shadow. The subject's depth is computed from the matte and the plate's
depth by geometry (`cleanplate.predict.geometry`).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cleanplate.training.networks.blocks import (
    GlobalAttention,
    NormOfSum,
    ResidualBlock,
    ShuffledConvolution,
    resize,
)
from cleanplate.training.networks.contract import PairNetwork, Prediction
from cleanplate.training.networks.efficientnet import EfficientNetLite0


class Layout(NamedTuple):
    """Channels and depth of a DualResolutionNet; the encoder is always the same.

    decoder: channels at strides 4, 8, 16, 32 and 64 of the full-size picture.
    blocks: residual blocks of the decoder at strides 4, 8, 16 and 32.
    detail: channels of the full-size branch at strides 2 and 4.
    alpha: channels before the alpha head, at stride 2.
    """

    decoder: tuple[int, int, int, int, int]
    blocks: tuple[int, int, int, int]
    detail: tuple[int, int]
    alpha: int


DUAL = Layout((64, 80, 112, 128, 128), (2, 2, 2, 1), (16, 32), 16)
FAST = Layout((16, 32, 48, 64, 64), (1, 1, 1, 1), (8, 16), 8)
"""The encoder takes two thirds of the time that is left: for live pictures."""


def _cropped(tensor: Tensor, like: Tensor) -> Tensor:
    """Crop to the size of `like`, after what doubles the size of its half, rounded up."""
    return tensor[..., : like.shape[-2], : like.shape[-1]]


def _half(picture: Tensor) -> Tensor:
    """Average each 2 x 2 pixels: (N, C, H, W) to (N, C, ceil(H / 2), ceil(W / 2))."""
    return F.avg_pool2d(picture, 2, ceil_mode=True, count_include_pad=False)


class Comparison(nn.Module):
    """Compare frame and plate at one stride: `W_f f + W_p p + W_d |f - p|`.

    The plate's term, `plate(p)`, depends on the plate alone and is one of the plate's outputs; it
    is added by whoever adds other terms.
    """

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.plate = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.frame = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.difference = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, frame: Tensor, plate: Tensor) -> Tensor:
        """Compute the terms `W_f f + W_d |f - p|`, (N, outputs, H, W).

        Args:
            frame: features of the frame, (N, inputs, H, W).
            plate: features of the plate.
        """
        compared: Tensor = self.frame(frame) + self.difference((frame - plate).abs())
        return compared


class DecoderBlock(nn.Module):
    """Upsample coarser features, add the comparison at this stride, filter by residual blocks."""

    def __init__(self, coarser: int, channels: int, blocks: int):
        super().__init__()
        self.coarser = nn.Conv2d(coarser, channels, 1, bias=False)
        self.norm = NormOfSum(channels)
        self.filter = nn.Sequential(*(ResidualBlock(channels) for _ in range(blocks)))

    def forward(self, coarser: Tensor, compared: Tensor, plate_share: Tensor) -> Tensor:
        """Decode to (N, channels, H, W), the size of `compared`.

        Args:
            coarser: decoded at the next coarser stride.
            compared: of the `Comparison` at this stride.
            plate_share: its term of the plate.
        """
        # The 1x1 convolution before the upsampling: a quarter of the work, the same result.
        carried = resize(self.coarser(coarser), compared) + plate_share
        filtered: Tensor = self.filter(F.relu(self.norm(carried, compared)))
        return filtered


class DualPlateOutputs(NamedTuple):
    """What DualResolutionNet computes once per plate: features, and terms of the comparisons."""

    detail_2: Tensor  # detail branch, (N, C, ceil(H / 2), ceil(W / 2))
    detail_4: Tensor
    feature_4: Tensor  # encoder, at strides of the full-size picture
    feature_8: Tensor
    feature_16: Tensor
    feature_32: Tensor
    feature_64: Tensor
    share_2: Tensor  # plate term of the comparison at stride 2
    share_4: Tensor
    share_8: Tensor
    share_16: Tensor
    share_32: Tensor
    share_64: Tensor

    @property
    def features(self) -> tuple[Tensor, ...]:
        """Details at strides 2 and 4, then the encoder's features at strides 4 to 64."""
        return self[:7]

    @property
    def shares(self) -> tuple[Tensor, ...]:
        """Plate terms of the comparisons at strides 4 to 64."""
        return self[8:]


class DualResolutionNet(PairNetwork):
    """Alpha and shadow from plate and frame.

    Args:
        layout: channels and depth.
        pretrained: load the encoder's ImageNet weights.
    """

    plate_outputs: ClassVar[tuple[str, ...]] = DualPlateOutputs._fields
    frame_outputs: ClassVar[tuple[str, ...]] = ("alpha", "shadow")

    def __init__(self, layout: Layout = DUAL, *, pretrained: bool = False):
        super().__init__()
        d2, d4 = layout.detail
        channels = layout.alpha
        self.encoder = EfficientNetLite0()
        self.detail_2 = nn.Sequential(
            nn.Conv2d(3, d2, 3, 2, 1, bias=False), nn.BatchNorm2d(d2), nn.ReLU(inplace=True)
        )
        self.detail_4 = nn.Sequential(
            nn.Conv2d(d2, d4, 3, 2, 1, bias=False), nn.BatchNorm2d(d4), nn.ReLU(inplace=True)
        )
        inputs = [*self.encoder.channels]
        inputs[0] += d4
        comparisons = [Comparison(i, o) for i, o in zip(inputs, layout.decoder, strict=True)]
        self.comparisons: Iterable[Comparison] = nn.ModuleList(comparisons)  # type: ignore[assignment]
        self.compare_2 = Comparison(d2, channels)
        w4, w8, w16, w32, w64 = layout.decoder
        b4, b8, b16, b32 = layout.blocks
        self.coarsest = nn.Sequential(NormOfSum(w64), nn.ReLU(inplace=True), ResidualBlock(w64))
        self.decode_32 = DecoderBlock(w64, w32, b32)
        self.attention = GlobalAttention(w32)
        self.decode_16 = DecoderBlock(w32, w16, b16)
        self.decode_8 = DecoderBlock(w16, w8, b8)
        self.decode_4 = DecoderBlock(w8, w4, b4)
        self.shadow_head = nn.Conv2d(w4, 4, 1)
        self.enlarge = ShuffledConvolution(w4, channels)
        self.norm_2 = NormOfSum(channels)
        self.filter_2 = ResidualBlock(channels)
        self.alpha_head = nn.Conv2d(channels, 4, 3, 1, 1)
        # The first predictions are those of an unchanged frame: alpha near 0, shadow near 1.
        nn.init.constant_(self.alpha_head.bias, -2.0)  # type: ignore[arg-type]
        nn.init.constant_(self.shadow_head.bias, -4.0)  # type: ignore[arg-type]
        if pretrained:
            self.encoder.load_imagenet()

    def _features(self, picture: Tensor) -> tuple[Tensor, ...]:
        """Compute details at strides 2 and 4, then the encoder's features at strides 4 to 64."""
        detail_2 = self.detail_2(picture * 4 - 2)
        return detail_2, self.detail_4(detail_2), *self.encoder(_half(picture))

    def _inputs(self, features: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Select what is compared at strides 4 to 64; at stride 4 encoder and detail features."""
        _, detail_4, first, *rest = features
        return torch.cat([first, detail_4], 1), *rest

    def _plate_outputs(self, features: tuple[Tensor, ...]) -> DualPlateOutputs:
        shares = [
            comparison.plate(plate)
            for comparison, plate in zip(self.comparisons, self._inputs(features), strict=True)
        ]
        share_2 = self.compare_2.plate(features[0])
        return DualPlateOutputs(*features, share_2, *shares)  # type: ignore[call-arg]  # 13 in all

    def encode_plate(
        self,
        plate: Tensor,
        plate_disparity: Tensor | None = None,
        plate_valid: Tensor | None = None,
    ) -> DualPlateOutputs:
        """Compute the plate's features and its terms of the comparisons; depth is not used."""
        return self._plate_outputs(self._features(plate))

    def compare(self, frame: Tensor, plate: Tensor, features: tuple[Tensor, ...]) -> Prediction:
        """Predict from a frame and the plate's outputs; arguments as in `PairNetwork.compare`."""
        return self._compare(frame, self._features(frame), DualPlateOutputs(*features))

    def _compare(
        self, frame: Tensor, features: tuple[Tensor, ...], plate: DualPlateOutputs
    ) -> Prediction:
        c4, c8, c16, c32, c64 = (
            comparison(f, p)
            for comparison, f, p in zip(
                self.comparisons,
                self._inputs(features),
                self._inputs(plate.features),
                strict=True,
            )
        )
        s4, s8, s16, s32, s64 = plate.shares
        norm, *filters = self.coarsest
        x64 = nn.Sequential(*filters)(norm(s64, c64))
        x32 = self.attention(self.decode_32(x64, c32, s32))
        x8 = self.decode_8(self.decode_16(x32, c16, s16), c8, s8)
        x4 = self.decode_4(x8, c4, s4)
        c2 = self.compare_2(features[0], plate.detail_2)
        carried = _cropped(self.enlarge(x4), c2) + plate.share_2
        x2 = self.filter_2(F.relu(self.norm_2(carried, c2)))
        logits = _cropped(F.pixel_shuffle(self.alpha_head(x2), 2), frame)
        shadow = _cropped(F.pixel_shuffle(self.shadow_head(x4), 2), c2)
        shadow = torch.sigmoid(-shadow)
        return Prediction(alpha=logits.sigmoid(), shadow=resize(shadow, frame), alpha_logits=logits)

    def for_inference(self) -> DualResolutionNet:
        """Copy the network in the form in which graphs are fast; the answers are the same.

        Each `NormOfSum` is folded (exporters fold a BatchNorm after one convolution, not after a
        sum), and the pixel shuffle at stride 2 becomes a transposed convolution.
        """
        network = copy.deepcopy(self)
        sums: list[tuple[nn.Module, str]] = [
            (network, "norm_2"),
            (network.decode_4, "norm"),
            (network.decode_8, "norm"),
            (network.decode_16, "norm"),
            (network.decode_32, "norm"),
            (network.coarsest, "0"),
        ]
        comparisons = (network.compare_2, *network.comparisons)
        for (owner, name), comparison in zip(sums, comparisons, strict=True):
            norm = getattr(owner, name)
            setattr(owner, name, norm.folded([comparison.frame, comparison.difference]))
        network.enlarge = network.enlarge.as_transposed()  # type: ignore[assignment]  # same call
        return network

    def forward(
        self,
        plate: Tensor,
        frame: Tensor,
        plate_disparity: Tensor | None = None,
        plate_valid: Tensor | None = None,
    ) -> Prediction:
        """Predict from plate and frame, as in training; the encoder runs once over both.

        One pass is faster, and in training its batch statistics are those of both pictures.
        """
        both = self._features(torch.cat([plate, frame]))
        count = len(plate)
        outputs = self._plate_outputs(tuple(f[:count] for f in both))
        return self._compare(frame, tuple(f[count:] for f in both), outputs)
