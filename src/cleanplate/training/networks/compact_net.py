"""CompactNet: the default network. Encoder-decoder of inverted residuals, 1.07 M parameters.

One encoder of inverted residuals (Sandler et al. 2018, MobileNetV2) computes the features of
plate and frame with the same weights. At each stride the two are fused as
`concat(f, p, |f - p|)` by a 1x1 convolution. The plate has a depth decoder, run once per plate;
the frame's decoder takes its features, so that the subject's disparity is relative to the plate's.

A known plate depth enters the plate's depth decoder only. The encoder does not take it, so an
identical pair has identical features with and without depth.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cleanplate.training.networks.blocks import coordinate_channels, resize
from cleanplate.training.networks.contract import PairNetwork, Prediction


def _channels(count: int, width: float) -> int:
    """Scale a number of channels; a multiple of 8, the width of CPU vector registers."""
    return max(8, round(count * width / 8) * 8)


def _conv(inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class InvertedResidual(nn.Module):
    """Expand by 1x1, filter by depthwise 3x3, project by 1x1; residual where shapes allow."""

    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int = 1):
        super().__init__()
        hidden = inputs * expansion
        self.residual = stride == 1 and inputs == outputs
        self.body = nn.Sequential(
            *_conv(inputs, hidden),
            nn.Conv2d(hidden, hidden, 3, stride, 1, groups=hidden, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, features: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, ceil(H / stride), ceil(W / stride))."""
        filtered: Tensor = self.body(features)
        return features + filtered if self.residual else filtered


class DecoderBlock(nn.Module):
    """Upsample coarse features, concatenate finer ones, mix by 1x1, filter by one residual."""

    def __init__(self, inputs: int, outputs: int, expansion: int = 2):
        super().__init__()
        self.mix = _conv(inputs, outputs)
        self.filter = InvertedResidual(outputs, outputs, expansion)

    def forward(self, coarse: Tensor, fine: Tensor, *more: Tensor) -> Tensor:
        """Decode to (N, outputs, H, W), the size of `fine`.

        Args:
            coarse: features of any size, (N, C, h, w).
            fine: features (N, C', H, W).
            *more: further features at the size of `fine`.
        """
        mixed: Tensor = self.filter(self.mix(torch.cat([resize(coarse, fine), fine, *more], 1)))
        return mixed


class Encoder(nn.Module):
    """Features of a picture at strides 2, 4, 8, 16 and 32."""

    def __init__(self, channels: tuple[int, ...]):
        super().__init__()
        c2, c4, c8, c16, c32 = channels
        self.stages = nn.ModuleList(
            [
                _conv(3, c2, kernel=3, stride=2),
                nn.Sequential(InvertedResidual(c2, c4, 3, 2), InvertedResidual(c4, c4, 3)),
                nn.Sequential(
                    InvertedResidual(c4, c8, 4, 2),
                    InvertedResidual(c8, c8, 3),
                    InvertedResidual(c8, c8, 3),
                ),
                nn.Sequential(
                    InvertedResidual(c8, c16, 4, 2),
                    InvertedResidual(c16, c16, 3),
                    InvertedResidual(c16, c16, 3),
                ),
                nn.Sequential(
                    InvertedResidual(c16, c32, 4, 2),
                    InvertedResidual(c32, c32, 3),
                    InvertedResidual(c32, c32, 3),
                ),
            ]
        )

    def forward(self, picture: Tensor) -> tuple[Tensor, ...]:
        """Encode (N, 3, H, W) float32 sRGB in [0, 1] to one tensor per stride.

        Returns:
            (N, C, ceil(H / s), ceil(W / s)) for each stride s.
        """
        features = (picture - 0.5) * 4.0
        outputs = []
        for stage in self.stages:
            features = stage(features)
            outputs.append(features)
        return tuple(outputs)


class PlateDepthDecoder(nn.Module):
    """The plate's relative disparity, from its features and from known depth where there is any."""

    def __init__(self, channels: tuple[int, ...], decoded: tuple[int, int, int], width: float):
        super().__init__()
        _, c4, c8, c16, c32 = channels
        d4, d8, d16 = decoded
        k2, k4, k8, k16, k32 = (_channels(c, width) for c in (8, 16, 24, 40, 64))
        self.known_encoder = nn.ModuleList(
            [
                _conv(2, k2, 3, 2),
                InvertedResidual(k2, k4, 2, 2),
                InvertedResidual(k4, k8, 2, 2),
                InvertedResidual(k8, k16, 2, 2),
                InvertedResidual(k16, k32, 2, 2),
            ]
        )
        self.coarse = nn.Sequential(
            _conv(c32 + k32 + 2, c32), InvertedResidual(c32, c32, 2), InvertedResidual(c32, c32, 2)
        )
        self.global_context = nn.Conv2d(c32, c32, 1)
        self.decode_16 = DecoderBlock(c32 + c16 + k16, d16)
        self.decode_8 = DecoderBlock(d16 + c8 + k8, d8)
        self.decode_4 = DecoderBlock(d8 + c4 + k4, d4)
        self.head = nn.Sequential(_conv(d4, d4, 3), nn.Conv2d(d4, 1, 1))

    def forward(
        self, features: tuple[Tensor, ...], disparity: Tensor, valid: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Decode the plate's features and its known depth.

        Args:
            features: of the plate at five strides, see `Encoder`.
            disparity: (N, 1, H, W) relative disparity, any value where unknown.
            valid: (N, 1, H, W), 1 where known, else 0.

        Returns:
            Decoded features at strides 4, 8 and 16, and relative disparity at stride 4.
        """
        _, f4, f8, f16, f32 = features
        known = torch.cat([disparity * valid, valid], 1)
        knowns = []
        for stage in self.known_encoder:
            known = stage(known)
            knowns.append(known)
        _, k4, k8, k16, k32 = knowns
        coarse = self.coarse(torch.cat([f32, k32, coordinate_channels(f32)], 1))
        # Global average pooling: receptive fields are smaller than large pictures.
        coarse = coarse + self.global_context(coarse.mean((2, 3), keepdim=True))
        p16 = self.decode_16(coarse, f16, k16)
        p8 = self.decode_8(p16, f8, k8)
        p4 = self.decode_4(p8, f4, k4)
        return p4, p8, p16, self.head(p4)


class CompactPlateOutputs(NamedTuple):
    """What CompactNet computes once per plate of (N, 3, H, W)."""

    feature_2: Tensor  # (N, C, ceil(H / 2), ceil(W / 2)) encoder features at stride 2
    feature_4: Tensor
    feature_8: Tensor
    feature_16: Tensor
    feature_32: Tensor
    plate_4: Tensor  # depth decoder features at stride 4
    plate_8: Tensor
    plate_16: Tensor
    disparity: Tensor  # (N, 1, H, W) relative disparity


class CompactNet(PairNetwork):
    """Alpha, disparity of subject and plate, and shadow; .49 GMAC a 256 x 256 frame.

    Args:
        width: factor on all channel counts; 1 is the shipped network.
    """

    plate_outputs: ClassVar[tuple[str, ...]] = CompactPlateOutputs._fields

    def __init__(self, width: float = 1.0):
        super().__init__()
        channels = tuple(_channels(c, width) for c in (16, 24, 40, 80, 128))
        d2, d4, d8, d16 = (_channels(c, width) for c in (24, 40, 64, 96))
        p4, p8, p16 = (_channels(c, width) for c in (32, 64, 96))
        c2, c4, c8, c16, c32 = channels
        self.encoder = Encoder(channels)
        self.plate_depth = PlateDepthDecoder(channels, (p4, p8, p16), width)
        self.fuse = nn.ModuleList([_conv(3 * c, c) for c in channels])
        self.coarse = nn.Sequential(InvertedResidual(c32, c32, 2), InvertedResidual(c32, c32, 2))
        self.decode_16 = DecoderBlock(c32 + c16 + p16, d16)
        self.decode_8 = DecoderBlock(d16 + c8 + p8, d8)
        self.decode_4 = DecoderBlock(d8 + c4 + p4 + 1, d4)
        self.decode_2 = DecoderBlock(d4 + c2, d2)
        self.disparity_head = nn.Sequential(_conv(d4, d2, 3), nn.Conv2d(d2, 1, 1))
        self.shadow_head = nn.Sequential(_conv(d2, 8, 3), nn.Conv2d(8, 1, 1))
        self.detail = nn.Conv2d(d2, 8, 1)
        self.alpha_head = nn.Sequential(_conv(8 + 9, 8, 3), nn.Conv2d(8, 1, 3, 1, 1))
        # The first predictions are those of an unchanged frame: alpha near 0, shadow near 1.
        nn.init.constant_(self.alpha_head[-1].bias, -2.0)  # type: ignore[arg-type]
        nn.init.constant_(self.shadow_head[-1].bias, -4.0)  # type: ignore[arg-type]

    def _plate_outputs(
        self,
        plate: Tensor,
        features: tuple[Tensor, ...],
        disparity: Tensor | None,
        valid: Tensor | None,
    ) -> CompactPlateOutputs:
        if disparity is None or valid is None:
            disparity = valid = torch.zeros_like(plate[:, :1])
        p4, p8, p16, coarse = self.plate_depth(features, disparity, valid)
        return CompactPlateOutputs(  # type: ignore[call-arg]  # nine in all
            *features, p4, p8, p16, resize(coarse, plate)
        )

    def encode_plate(
        self,
        plate: Tensor,
        plate_disparity: Tensor | None = None,
        plate_valid: Tensor | None = None,
    ) -> CompactPlateOutputs:
        """Compute features at five strides, decoded depth features at three, and disparity.

        Arguments as for `PairNetwork.encode_plate`.
        """
        return self._plate_outputs(plate, self.encoder(plate), plate_disparity, plate_valid)

    def compare(self, frame: Tensor, plate: Tensor, features: tuple[Tensor, ...]) -> Prediction:
        """Predict from a frame and the plate's outputs; arguments as in `PairNetwork.compare`."""
        return self._compare(frame, plate, self.encoder(frame), CompactPlateOutputs(*features))

    def _compare(
        self,
        frame: Tensor,
        plate: Tensor,
        frame_features: tuple[Tensor, ...],
        plate_outputs: CompactPlateOutputs,
    ) -> Prediction:
        plate_disparity = plate_outputs.disparity
        f2, f4, f8, f16, f32 = (
            fuse(torch.cat([f, p, (f - p).abs()], 1))
            # Of the plate's outputs the features come first.
            for fuse, f, p in zip(self.fuse, frame_features, plate_outputs, strict=False)
        )
        x = self.coarse(f32)
        x = self.decode_16(x, f16, plate_outputs.plate_16)
        x = self.decode_8(x, f8, plate_outputs.plate_8)
        x4 = self.decode_4(x, f4, plate_outputs.plate_4, resize(plate_disparity, f4))
        x2 = self.decode_2(x4, f2)
        subject_disparity = resize(self.disparity_head(x4), frame)
        shadow = resize(torch.exp(-F.softplus(self.shadow_head(x2))), frame)
        # Only the alpha head runs at full resolution: it has few channels.
        detail = torch.cat(
            [resize(self.detail(x2), frame), frame - 0.5, plate - 0.5, (frame - plate).abs()], 1
        )
        logits = self.alpha_head(detail)
        alpha = logits.sigmoid()
        return Prediction(
            alpha=alpha,
            disparity=torch.where(alpha >= 0.5, subject_disparity, plate_disparity),
            plate_disparity=plate_disparity,
            subject_disparity=subject_disparity,
            shadow=shadow,
            alpha_logits=logits,
        )

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
        both = self.encoder(torch.cat([plate, frame]))
        count = len(plate)
        outputs = self._plate_outputs(
            plate, tuple(f[:count] for f in both), plate_disparity, plate_valid
        )
        return self._compare(frame, plate, tuple(f[count:] for f in both), outputs)
