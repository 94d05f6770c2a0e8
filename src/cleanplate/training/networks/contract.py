"""PairNetwork, the interface of every network for plate and frame, and its Prediction."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from torch import Tensor, nn


class Prediction(NamedTuple):
    """Outputs of a network, float32 at the size of its input. Disparity is relative.

    `disparity` is the frame's: the subject's where alpha is at least one half, else the plate's.
    An output that a network does not have is None.
    """

    alpha: Tensor | None = None  # (N, 1, H, W) in [0, 1]
    disparity: Tensor | None = None  # (N, 1, H, W)
    plate_disparity: Tensor | None = None  # (N, 1, H, W)
    subject_disparity: Tensor | None = None  # (N, 1, H, W)
    shadow: Tensor | None = None  # (N, 1, H, W) in (0, 1]
    alpha_logits: Tensor | None = None  # (N, 1, H, W), alpha before the logistic function
    disparity_logits: Tensor | None = None  # (N, 1, H, W)


class PairNetwork(nn.Module):
    """A network in two parts: `encode_plate` runs once per plate, `compare` for each frame."""

    plate_outputs: ClassVar[tuple[str, ...]] = ()
    """Names of the tensors that `encode_plate` returns, in order."""

    frame_outputs: ClassVar[tuple[str, ...]] = ("alpha", "subject_disparity", "shadow")
    """Outputs of the exported frame graph, in order; a part of the three."""

    def encode_plate(
        self,
        plate: Tensor,
        plate_disparity: Tensor | None = None,
        plate_valid: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        """Compute everything that depends on the plate alone.

        Args:
            plate: (N, 3, H, W) sRGB in [0, 1].
            plate_disparity: (N, 1, H, W) relative disparity, 0 where unknown; None = unknown.
            plate_valid: (N, 1, H, W), 1 where `plate_disparity` is known.

        Returns:
            One tensor for each name in `plate_outputs`.
        """
        raise NotImplementedError

    def compare(self, frame: Tensor, plate: Tensor, features: tuple[Tensor, ...]) -> Prediction:
        """Predict the subject of a frame.

        Args:
            frame: (N, 3, H, W) sRGB in [0, 1].
            plate: likewise.
            features: what `encode_plate` returned for `plate`.
        """
        raise NotImplementedError

    def for_inference(self) -> PairNetwork:
        """Return an equivalent network with less work, for export; `self` is not changed."""
        return self

    def forward(
        self,
        plate: Tensor,
        frame: Tensor,
        plate_disparity: Tensor | None = None,
        plate_valid: Tensor | None = None,
    ) -> Prediction:
        """Predict from plate and frame, as in training."""
        features = self.encode_plate(plate, plate_disparity, plate_valid)
        return self.compare(frame, plate, features)
