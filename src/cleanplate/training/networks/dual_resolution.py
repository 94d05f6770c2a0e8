"""DualResolutionNet: a pretrained encoder on a half-size picture beside a light full-size branch.

What a thing is shows at half size; where its edge runs shows at full size. The encoder
(EfficientNet-Lite0, pretrained) sees plate and frame at half size and knows objects; two plain
convolutions see them at full size and know edges. The split into a semantic and a detail branch is
that of BiSeNet (Yu et al. 2018).

At each stride frame and plate are compared as `W_f f + W_p p + W_d |f - p|`: the 1x1 convolution
of `concat(f, p, |f - p|)`, taken apart, so that the plate's share is computed once per plate.
Attention over all cells at stride 32 (some 150 in a 512 x 288 picture) joins the parts of a large
subject.
No convolution runs at full resolution: the last one gives four values a cell of 2 x 2 pixels.

The network gives alpha and shadow. Depth is placed by geometry, from the matte and the plate's
depth.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cleanplate.training.networks.blocks import GlobalAttention, ResidualBlock, resize
from cleanplate.training.networks.contract import PairNetwork, Prediction
from cleanplate.training.networks.efficientnet import EfficientNetLite0

_STRIDES = (4, 8, 16, 32, 64)
"""Strides of the encoder's features in the full-size picture."""

_WIDTHS = (64, 80, 112, 128, 128)
"""Channels of the decoder at these strides."""

_DETAIL = (16, 32)
"""Channels of the full-size branch at strides 2 and 4."""

_EDGE = 16
"""Channels in which alpha is decided, at stride 2."""


def _shuffle(tensor: Tensor, like: Tensor) -> Tensor:
    """Twice the size by pixel shuffle (Shi et al. 2016), cut to the size of `like`."""
    return F.pixel_shuffle(tensor, 2)[..., : like.shape[-2], : like.shape[-1]]


def _half(picture: Tensor) -> Tensor:
    """Mean of each 2 x 2 pixels; ceil(H / 2) rows."""
    return F.avg_pool2d(picture, 2, ceil_mode=True, count_include_pad=False)


class Comparison(nn.Module):
    """Frame against plate at one stride: `W_f f + W_p p + W_d |f - p|`, taken apart.

    The plate's share, `plate(p)`, depends on the plate alone and is kept with its features.
    """

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.plate = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.frame = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.difference = nn.Conv2d(inputs, outputs, 1, bias=False)

    @property
    def convolutions(self) -> list[nn.Conv2d]:
        """The three whose results are summed."""
        return [self.plate, self.frame, self.difference]

    def forward(self, frame: Tensor, plate: Tensor, plate_share: Tensor) -> Tensor:
        """(N, outputs, H, W) from features of frame and plate, (N, inputs, H, W)."""
        compared: Tensor = self.frame(frame) + self.difference((frame - plate).abs())
        return compared + plate_share


class DecoderBlock(nn.Module):
    """Coarser features brought up, added to the comparison at this stride, and filtered."""

    def __init__(self, coarser: int, channels: int, blocks: int):
        super().__init__()
        self.coarser = nn.Conv2d(coarser, channels, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.filter = nn.Sequential(*(ResidualBlock(channels) for _ in range(blocks)))

    def forward(self, coarser: Tensor, compared: Tensor) -> Tensor:
        """(N, channels, H, W) at the stride of `compared`."""
        # The convolution before the enlargement: a quarter of the work, the same result.
        mixed = resize(self.coarser(coarser), compared) + compared
        filtered: Tensor = self.filter(F.relu(self.norm(mixed)))
        return filtered


class DualResolutionNet(PairNetwork):
    """Alpha and shadow from plate and frame.

    Args:
        pretrained: begin with the encoder's ImageNet weights.
    """

    plate_outputs: ClassVar[tuple[str, ...]] = (
        "detail_2",
        "detail_4",
        *(f"feature_{stride}" for stride in _STRIDES),
        "share_2",
        *(f"share_{stride}" for stride in _STRIDES),
    )
    frame_outputs: ClassVar[tuple[str, ...]] = ("alpha", "shadow")

    def __init__(self, *, pretrained: bool = False):
        super().__init__()
        d2, d4 = _DETAIL
        self.encoder = EfficientNetLite0()
        self.detail_2 = nn.Sequential(
            nn.Conv2d(3, d2, 3, 2, 1, bias=False), nn.BatchNorm2d(d2), nn.ReLU(inplace=True)
        )
        self.detail_4 = nn.Sequential(
            nn.Conv2d(d2, d4, 3, 2, 1, bias=False), nn.BatchNorm2d(d4), nn.ReLU(inplace=True)
        )
        inputs = [*self.encoder.channels]
        inputs[0] += d4
        comparisons = [Comparison(i, o) for i, o in zip(inputs, _WIDTHS, strict=True)]
        self.comparisons: Iterable[Comparison] = nn.ModuleList(comparisons)  # type: ignore[assignment]
        self.compare_2 = Comparison(d2, _EDGE)
        w4, w8, w16, w32, w64 = _WIDTHS
        self.coarsest = nn.Sequential(
            nn.BatchNorm2d(w64), nn.ReLU(inplace=True), ResidualBlock(w64)
        )
        self.decode_32 = DecoderBlock(w64, w32, 1)
        self.attention = GlobalAttention(w32)
        self.decode_16 = DecoderBlock(w32, w16, 2)
        self.decode_8 = DecoderBlock(w16, w8, 2)
        self.decode_4 = DecoderBlock(w8, w4, 2)
        self.shadow_head = nn.Conv2d(w4, 4, 1)
        self.enlarge = nn.Conv2d(w4, 4 * _EDGE, 1, bias=False)
        self.norm_2 = nn.BatchNorm2d(_EDGE)
        self.filter_2 = ResidualBlock(_EDGE)
        self.alpha_head = nn.Conv2d(_EDGE, 4, 3, 1, 1)
        # Begin near 'nothing has changed': little alpha, no shadow.
        nn.init.constant_(self.alpha_head.bias, -2.0)  # type: ignore[arg-type]
        nn.init.constant_(self.shadow_head.bias, -4.0)  # type: ignore[arg-type]
        if pretrained:
            self.encoder.load_imagenet()

    def _features(self, picture: Tensor) -> tuple[Tensor, ...]:
        """Detail at strides 2 and 4, then the features at `_STRIDES`."""
        detail_2 = self.detail_2(picture * 4 - 2)
        return detail_2, self.detail_4(detail_2), *self.encoder(_half(picture))

    def _inputs(self, features: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Take what is compared at `_STRIDES`: detail joins the encoder's features at stride 4."""
        _, detail_4, first, *rest = features
        return torch.cat([first, detail_4], 1), *rest

    def _plate_outputs(self, features: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        shares = [
            comparison.plate(plate)
            for comparison, plate in zip(self.comparisons, self._inputs(features), strict=True)
        ]
        return (*features, self.compare_2.plate(features[0]), *shares)

    def encode_plate(
        self,
        plate: Tensor,
        plate_disparity: Tensor | None = None,
        plate_valid: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        """Give the plate's features and shares of the comparisons; its depth is not looked at."""
        return self._plate_outputs(self._features(plate))

    def compare(self, frame: Tensor, plate: Tensor, features: tuple[Tensor, ...]) -> Prediction:
        """Find the subject of `frame`, given what `encode_plate` made of `plate`."""
        return self._compare(frame, self._features(frame), features)

    def _compare(
        self, frame: Tensor, seen: tuple[Tensor, ...], plate_outputs: tuple[Tensor, ...]
    ) -> Prediction:
        count = len(seen)
        kept, (share_2, *shares) = plate_outputs[:count], plate_outputs[count:]
        c4, c8, c16, c32, c64 = (
            comparison(f, p, share)
            for comparison, f, p, share in zip(
                self.comparisons, self._inputs(seen), self._inputs(kept), shares, strict=True
            )
        )
        x32 = self.attention(self.decode_32(self.coarsest(c64), c32))
        x8 = self.decode_8(self.decode_16(x32, c16), c8)
        x4 = self.decode_4(x8, c4)
        c2 = self.compare_2(seen[0], kept[0], share_2)
        x2 = self.filter_2(F.relu(self.norm_2(_shuffle(self.enlarge(x4), c2) + c2)))
        logits = _shuffle(self.alpha_head(x2), frame)
        shadow = torch.exp(-F.softplus(_shuffle(self.shadow_head(x4), c2)))
        return Prediction(alpha=logits.sigmoid(), shadow=resize(shadow, frame), alpha_logits=logits)

    def for_inference(self) -> DualResolutionNet:
        """Copy the network, norms behind sums folded into the convolutions that are summed.

        BN(a + b + c) = (g a) + (g b) + (g c) + shift: exporters fold a norm behind one convolution
        by themselves, not behind a sum.
        """
        network = copy.deepcopy(self)
        for owner, name, convolutions in network._norms_behind_sums():
            norm = getattr(owner, name)
            gain = norm.weight / (norm.running_var + norm.eps).sqrt()
            with torch.no_grad():
                for convolution in convolutions:
                    own = gain.repeat_interleave(convolution.out_channels // len(gain))
                    convolution.weight.mul_(own.view(-1, 1, 1, 1))
                convolutions[0].bias = nn.Parameter(norm.bias - norm.running_mean * gain)
            setattr(owner, name, nn.Identity())
        return network

    def _norms_behind_sums(self) -> Iterator[tuple[nn.Module, str, list[nn.Conv2d]]]:
        """Give owner and name of each norm, and the convolutions whose sum it takes."""
        decoders = (self.decode_4, self.decode_8, self.decode_16, self.decode_32)
        *compared, coarsest = self.comparisons
        for decoder, comparison in zip(decoders, compared, strict=True):
            yield decoder, "norm", [*comparison.convolutions, decoder.coarser]
        yield self.coarsest, "0", coarsest.convolutions
        # The shuffle makes channel c of stride 2 from channels 4 c to 4 c + 3 of stride 4.
        yield self, "norm_2", [*self.compare_2.convolutions, self.enlarge]

    def forward(
        self,
        plate: Tensor,
        frame: Tensor,
        plate_disparity: Tensor | None = None,
        plate_valid: Tensor | None = None,
    ) -> Prediction:
        """Both parts; the encoder runs once over both pictures.

        One pass is faster, and in training its batch statistics are those of both pictures.
        """
        both = self._features(torch.cat([plate, frame]))
        count = len(plate)
        outputs = self._plate_outputs(tuple(f[:count] for f in both))
        return self._compare(frame, tuple(f[count:] for f in both), outputs)
