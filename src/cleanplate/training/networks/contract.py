"""What every network that compares a frame with its plate promises."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from torch import Tensor, nn


class Prediction(NamedTuple):
    """A network's answer, at the size of its input. Disparity is relative.

    `disparity` is the frame's: the subject's where alpha is at least one half, else the plate's.
    What a network does not estimate is None.
    """

    alpha: Tensor | None = None  # (N, 1, H, W) in [0, 1]
    disparity: Tensor | None = None  # (N, 1, H, W)
    plate_disparity: Tensor | None = None  # (N, 1, H, W)
    subject_disparity: Tensor | None = None  # (N, 1, H, W)
    shadow: Tensor | None = None  # (N, 1, H, W) in (0, 1]
    alpha_logits: Tensor | None = None
    disparity_logits: Tensor | None = None


class PairNetwork(nn.Module):
    """A network in two parts: one sees the plate once, one sees each frame."""

    plate_outputs: ClassVar[tuple[str, ...]] = ()
    """Names of the tensors that `encode_plate` returns, in order."""

    frame_outputs: ClassVar[tuple[str, ...]] = ("alpha", "subject_disparity", "shadow")
    """What the exported frame graph gives, in order; a part of the three."""

    def encode_plate(
        self,
        plate: Tensor,
        plate_disparity: Tensor | None = None,
        plate_valid: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        """Everything that depends on the plate alone.

        Args:
            plate: (N, 3, H, W) sRGB in [0, 1].
            plate_disparity: (N, 1, H, W) relative disparity, 0 where unknown; None = unknown.
            plate_valid: (N, 1, H, W), 1 where `plate_disparity` is known.
        """
        raise NotImplementedError

    def compare(self, frame: Tensor, plate: Tensor, features: tuple[Tensor, ...]) -> Prediction:
        """Find the subject of `frame`, given what `encode_plate` made of `plate`."""
        raise NotImplementedError

    def for_inference(self) -> PairNetwork:
        """Give the same function with less work, for export; the network itself stays as it is."""
        return self

    def forward(
        self,
        plate: Tensor,
        frame: Tensor,
        plate_disparity: Tensor | None = None,
        plate_valid: Tensor | None = None,
    ) -> Prediction:
        """Both parts in one go, as in training."""
        features = self.encode_plate(plate, plate_disparity, plate_valid)
        return self.compare(frame, plate, features)
