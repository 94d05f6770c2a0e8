"""Train with a loss that is not part of Cleanplate.

    python examples/extending/own_loss.py RUN

A loss is any function of a `Prediction` and a batch that returns its parts and their `total`.
Each part is logged under its name.
"""

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from cleanplate.training.fit import fit
from cleanplate.training.losses import MatteLoss
from cleanplate.training.networks import Prediction
from cleanplate.training.recipes import RECIPES


class EdgeLoss:
    """The default loss, plus the mean absolute difference of the alphas' gradients."""

    def __init__(self, weight: float = 0.5):
        self.weight = weight
        self.matte = MatteLoss()

    def __call__(self, prediction: Prediction, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Alpha and its truth are (N, 1, H, W) in [0, 1]."""
        parts = self.matte(prediction, batch)
        error = prediction.alpha - batch["alpha"]
        edge = error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean()
        return {**parts, "edge": edge, "total": parts["total"] + self.weight * edge}


SHORT = replace(RECIPES["compact-smoke"], steps=4, warm_up=1, validation_every=0)


def main(run: Path) -> None:
    outcome = fit(SHORT, run, objective=EdgeLoss())
    print(f"{outcome.status} at step {outcome.step}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
