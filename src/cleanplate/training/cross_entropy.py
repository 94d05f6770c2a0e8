"""The 2020 report's loss: binary cross-entropy of mask and depth, on logits."""

from __future__ import annotations

from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor

from cleanplate.training.losses import masked_mean_each
from cleanplate.training.networks.contract import Prediction


class CrossEntropyLoss:
    """`2 * mask + depth`, both as binary cross-entropy with logits.

    Depth's target is the logistic function of relative disparity, so the logits that minimise it
    are the relative disparity itself. The minimum, the entropy of a target between 0 and 1, is
    subtracted: the loss of a perfect map is 0.
    """

    def __call__(self, prediction: Prediction, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Compute the terms `mask` and `depth`, unweighted, and `total`, all scalars.

        Args:
            prediction: with alpha_logits and disparity_logits, (N, 1, H, W).
            batch: alpha, disparity (relative) and valid, (N, 1, H, W).

        Raises:
            ValueError: if the network gives no logits.
        """
        if prediction.alpha_logits is None or prediction.disparity_logits is None:
            raise ValueError("cross-entropy needs a network with logits as outputs")
        mask = F.binary_cross_entropy_with_logits(prediction.alpha_logits, batch["alpha"])
        relative = batch["disparity"]
        target = relative.sigmoid()
        excess = F.binary_cross_entropy_with_logits(
            prediction.disparity_logits, target, reduction="none"
        ) - F.binary_cross_entropy_with_logits(relative, target, reduction="none")
        depth = masked_mean_each(excess, batch["valid"])
        return {"mask": mask, "depth": depth, "total": 2 * mask + depth}
