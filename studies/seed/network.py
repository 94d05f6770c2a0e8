"""SeedNet with the parts that the study turns: where the mask is read, how inputs are scaled."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from cleanplate.training.networks import CompactNet, PairNetwork, Prediction, SeedNet
from studies.seed.settings import Settings

_REPORTED = 255.0
"""The report's notebooks gave ImageNet's mean and std times this, for pictures in [0, 1]."""


class StudyNet(SeedNet):
    """SeedNet as `Settings` describe it; with the defaults, the report's."""

    def __init__(self, settings: Settings, width: float):
        subtract = settings.fusion if settings.fusion != "concat" else "features"
        super().__init__(
            fusion="concat" if settings.fusion == "concat" else "subtract",
            subtract=subtract,
            width=width,
            shared_head=settings.shared_head,
        )
        self.task, self.mask_from = settings.task, settings.mask_from
        self.dropout = nn.Dropout(settings.dropout)
        if settings.scaling == "report":
            self.mean, self.std = self.mean * _REPORTED, self.std * _REPORTED
        last = self.head.in_channels
        if self.mask_from != "stem":
            self.mask = nn.Sequential(
                nn.Conv2d(last, last, 3, padding=1, bias=False), nn.BatchNorm2d(last), nn.ReLU()
            )
        if self.mask_from == "own":
            self.own = nn.ModuleList(
                copy.deepcopy(part)
                for part in (self.decoder4, self.decoder3, self.decoder2, self.decoder1)
            )
        if settings.channels != 1:
            shared = self.depth_head is self.head
            self.head = nn.Conv2d(last, settings.channels, 3, padding=1, bias=False)
            self.depth_head = self.head if shared else copy.deepcopy(self.head)

    def compare(self, frame: Tensor, plate: Tensor, features: tuple[Tensor, ...]) -> Prediction:
        """Give logits of mask and depth; what the task does not ask for is not computed."""
        # In bfloat16 an input of the report's contrast would be a single number.
        with torch.autocast(frame.device.type, enabled=False):
            fused = self.fuse(frame, features)
        if self.task == "mask" and self.mask_from == "stem":
            mask = self._last(self.head, self.mask(fused))
            return Prediction(mask.sigmoid(), mask, alpha_logits=mask, disparity_logits=mask)
        levels = self.encode(self.unet_input(fused))
        decoded = self.decode(levels)
        depth = self._last(self.depth_head, decoded)
        if self.task == "depth":
            return Prediction(depth.sigmoid(), depth, alpha_logits=depth, disparity_logits=depth)
        seen = fused
        if self.mask_from == "decoder":
            seen = decoded
        elif self.mask_from == "own":
            *finer, seen = levels
            for decoder, fine in zip(self.own, reversed(finer), strict=True):
                seen = decoder(seen, fine)
        mask = self._last(self.head, self.mask(seen))
        return Prediction(mask.sigmoid(), depth, alpha_logits=mask, disparity_logits=depth)

    def encode_plate(
        self,
        plate: Tensor,
        plate_disparity: Tensor | None = None,
        plate_valid: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        """As SeedNet, in float32."""
        with torch.autocast(plate.device.type, enabled=False):
            return super().encode_plate(plate, plate_disparity, plate_valid)

    def _last(self, head: nn.Module, features: Tensor) -> Tensor:
        logits: Tensor = head(self.dropout(features))
        return logits


class ScaledCompactNet(CompactNet):
    """CompactNet, whose own scaling is sound, or after the report's: pictures of no contrast."""

    def __init__(self, settings: Settings, width: float):
        super().__init__(width=width)
        self.scale = 1 / _REPORTED if settings.scaling == "report" else 1.0

    def forward(
        self,
        plate: Tensor,
        frame: Tensor,
        plate_disparity: Tensor | None = None,
        plate_valid: Tensor | None = None,
    ) -> Prediction:
        """Give logits of mask and depth; CompactNet's disparity is read as a logit."""
        answer = super().forward(
            plate * self.scale, frame * self.scale, plate_disparity, plate_valid
        )
        return answer._replace(disparity_logits=answer.disparity)


def freeze_depth(model: nn.Module) -> None:
    """Let only the mask's own decoder and convolutions of a StudyNet learn on."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith(("own.", "mask.", "head.")))


def build(settings: Settings, width: float) -> PairNetwork:
    """Make the network of a training with fresh weights from torch's global generator."""
    if settings.network == "compact":
        return ScaledCompactNet(settings, settings.widen)
    return StudyNet(settings, width * settings.widen)
