"""CompactNet: the default network, about a million parameters.

One pyramid of inverted residuals (Sandler et al. 2018, MobileNetV2) looks at plate and frame
with the same weights. At each stride the two are fused as `concat(f, p, |f - p|)` by a 1x1
convolution. The plate has a decoder of its own for depth, computed once per scene; the frame's
decoder reads it, so that a subject is placed in the plate's depth rather than guessed anew.

The plate's depth, when given, enters the plate's decoder only. The comparison of pictures never
sees it, so an identical pair has identical features with and without depth.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cleanplate.training.networks.blocks import coordinate_channels, resize
from cleanplate.training.networks.contract import PairNetwork, Prediction

_STRIDES = (2, 4, 8, 16, 32)


def _channels(count: int, width: float) -> int:
    """`count` scaled by `width`, a multiple of 8 so that vector units stay full."""
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


class Merge(nn.Module):
    """Bring coarse features up to finer ones and mix the two."""

    def __init__(self, inputs: int, outputs: int, expansion: int = 2):
        super().__init__()
        self.mix = _conv(inputs, outputs)
        self.filter = InvertedResidual(outputs, outputs, expansion)

    def forward(self, coarse: Tensor, fine: Tensor, *more: Tensor) -> Tensor:
        """Features at the stride of `fine`."""
        mixed: Tensor = self.filter(self.mix(torch.cat([resize(coarse, fine), fine, *more], 1)))
        return mixed


class Pyramid(nn.Module):
    """A picture's features at strides 2, 4, 8, 16 and 32."""

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
        """(N, 3, H, W) sRGB in [0, 1] to one tensor per stride."""
        features = (picture - 0.5) * 4.0
        outputs = []
        for stage in self.stages:
            features = stage(features)
            outputs.append(features)
        return tuple(outputs)


class PlateDepth(nn.Module):
    """The plate's relative disparity, from its picture and from whatever depth is known."""

    def __init__(self, channels: tuple[int, ...], decoded: tuple[int, int, int], width: float):
        super().__init__()
        _, c4, c8, c16, c32 = channels
        d4, d8, d16 = decoded
        k2, k4, k8, k16, k32 = (_channels(c, width) for c in (8, 16, 24, 40, 64))
        self.known = nn.ModuleList(
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
        self.whole = nn.Conv2d(c32, c32, 1)
        self.merge16 = Merge(c32 + c16 + k16, d16)
        self.merge8 = Merge(d16 + c8 + k8, d8)
        self.merge4 = Merge(d8 + c4 + k4, d4)
        self.head = nn.Sequential(_conv(d4, d4, 3), nn.Conv2d(d4, 1, 1))

    def forward(
        self, features: tuple[Tensor, ...], disparity: Tensor, valid: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Give decoded features at strides 4, 8, 16 and disparity at stride 4."""
        _, f4, f8, f16, f32 = features
        known = torch.cat([disparity * valid, valid], 1)
        knowns = []
        for stage in self.known:
            known = stage(known)
            knowns.append(known)
        _, k4, k8, k16, k32 = knowns
        coarse = self.coarse(torch.cat([f32, k32, coordinate_channels(f32)], 1))
        # What kind of place this is, seen from everywhere: receptive fields end before large
        # pictures do.
        coarse = coarse + self.whole(coarse.mean((2, 3), keepdim=True))
        p16 = self.merge16(coarse, f16, k16)
        p8 = self.merge8(p16, f8, k8)
        p4 = self.merge4(p8, f4, k4)
        return p4, p8, p16, self.head(p4)


class CompactNet(PairNetwork):
    """Alpha, subject and plate disparity and shadow, small enough for a CPU in real time.

    Args:
        width: factor on all channel counts; 1 is what ships.
    """

    plate_outputs: ClassVar[tuple[str, ...]] = (
        *(f"feature_{stride}" for stride in _STRIDES),
        "plate_4",
        "plate_8",
        "plate_16",
        "disparity",
    )

    def __init__(self, width: float = 1.0):
        super().__init__()
        channels = tuple(_channels(c, width) for c in (16, 24, 40, 80, 128))
        d2, d4, d8, d16 = (_channels(c, width) for c in (24, 40, 64, 96))
        p4, p8, p16 = (_channels(c, width) for c in (32, 64, 96))
        c2, c4, c8, c16, c32 = channels
        self.pyramid = Pyramid(channels)
        self.plate_depth = PlateDepth(channels, (p4, p8, p16), width)
        self.fuse = nn.ModuleList([_conv(3 * c, c) for c in channels])
        self.coarse = nn.Sequential(InvertedResidual(c32, c32, 2), InvertedResidual(c32, c32, 2))
        self.merge16 = Merge(c32 + c16 + p16, d16)
        self.merge8 = Merge(d16 + c8 + p8, d8)
        self.merge4 = Merge(d8 + c4 + p4 + 1, d4)
        self.merge2 = Merge(d4 + c2, d2)
        self.subject = nn.Sequential(_conv(d4, d2, 3), nn.Conv2d(d2, 1, 1))
        self.shade = nn.Sequential(_conv(d2, 8, 3), nn.Conv2d(8, 1, 1))
        self.detail = nn.Conv2d(d2, 8, 1)
        self.edge = nn.Sequential(_conv(8 + 9, 8, 3), nn.Conv2d(8, 1, 3, 1, 1))
        self._start()

    def _start(self) -> None:
        """Begin near 'nothing has changed': little alpha, no shadow."""
        nn.init.constant_(self.edge[-1].bias, -2.0)  # type: ignore[arg-type]
        nn.init.constant_(self.shade[-1].bias, -4.0)  # type: ignore[arg-type]

    def _plate_outputs(
        self,
        plate: Tensor,
        features: tuple[Tensor, ...],
        disparity: Tensor | None,
        valid: Tensor | None,
    ) -> tuple[Tensor, ...]:
        if disparity is None or valid is None:
            disparity = valid = torch.zeros_like(plate[:, :1])
        p4, p8, p16, coarse = self.plate_depth(features, disparity, valid)
        return (*features, p4, p8, p16, resize(coarse, plate))

    def encode_plate(
        self,
        plate: Tensor,
        plate_disparity: Tensor | None = None,
        plate_valid: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        """Features at five strides, decoded depth features at three, the plate's disparity."""
        return self._plate_outputs(plate, self.pyramid(plate), plate_disparity, plate_valid)

    def compare(self, frame: Tensor, plate: Tensor, features: tuple[Tensor, ...]) -> Prediction:
        """Find the subject of `frame`, given what `encode_plate` made of `plate`."""
        return self._compare(frame, plate, self.pyramid(frame), features)

    def _compare(
        self,
        frame: Tensor,
        plate: Tensor,
        frame_features: tuple[Tensor, ...],
        plate_outputs: tuple[Tensor, ...],
    ) -> Prediction:
        p4, p8, p16, plate_disparity = plate_outputs[5:]
        f2, f4, f8, f16, f32 = (
            fuse(torch.cat([f, p, (f - p).abs()], 1))
            for fuse, f, p in zip(self.fuse, frame_features, plate_outputs, strict=False)
        )
        x = self.coarse(f32)
        x = self.merge16(x, f16, p16)
        x = self.merge8(x, f8, p8)
        x4 = self.merge4(x, f4, p4, resize(plate_disparity, f4))
        x2 = self.merge2(x4, f2)
        subject_disparity = resize(self.subject(x4), frame)
        shadow = resize(torch.exp(-F.softplus(self.shade(x2))), frame)
        # Full resolution only for the last, cheap look at the two pictures.
        detail = torch.cat(
            [resize(self.detail(x2), frame), frame - 0.5, plate - 0.5, (frame - plate).abs()], 1
        )
        logits = self.edge(detail)
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
        """Both parts; the pyramid runs once over both pictures.

        One pass is faster, and in training its batch statistics are those of both pictures.
        """
        both = self.pyramid(torch.cat([plate, frame]))
        count = len(plate)
        outputs = self._plate_outputs(
            plate, tuple(f[:count] for f in both), plate_disparity, plate_valid
        )
        return self._compare(frame, plate, tuple(f[count:] for f in both), outputs)
