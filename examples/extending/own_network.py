"""Train, export and use a network that is not part of Cleanplate.

    python examples/extending/own_network.py RUN

A network is a `PairNetwork`: `encode_plate` runs once per plate, `compare` once per frame.
"""

import sys
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cleanplate import Predictor
from cleanplate.training.export.model_export import export
from cleanplate.training.fit import fit
from cleanplate.training.networks import NETWORKS, NetworkRecipe, PairNetwork, Prediction
from cleanplate.training.recipes import RECIPES


class DifferenceNet(PairNetwork):
    """Alpha and disparity from the difference of plate and frame, at full resolution."""

    plate_outputs = ("features", "disparity")

    def __init__(self, width: float = 1.0):
        super().__init__()
        channels = max(4, round(16 * width))
        self.encoder = nn.Sequential(nn.Conv2d(3, channels, 3, padding=1), nn.ReLU())
        self.head = nn.Conv2d(channels + 3, 2, 5, padding=2)

    def encode_plate(
        self,
        plate: Tensor,
        plate_disparity: Tensor | None = None,
        plate_valid: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        unknown = torch.zeros_like(plate[:, :1])
        return self.encoder(plate), unknown if plate_disparity is None else plate_disparity

    def compare(self, frame: Tensor, plate: Tensor, features: tuple[Tensor, ...]) -> Prediction:
        plate_features, plate_disparity = features
        changed = (self.encoder(frame) - plate_features).abs()
        alpha, nearer = self.head(torch.cat([changed, (frame - plate).abs()], 1)).split(1, dim=1)
        alpha = alpha.sigmoid()
        # A subject is nearer than what it hides.
        return Prediction(alpha=alpha, disparity=plate_disparity + alpha * F.softplus(nearer))


SHORT = replace(RECIPES["compact-smoke"], steps=4, warm_up=1, validation_every=0)


def main(run: Path) -> None:
    NETWORKS["difference"] = DifferenceNet  # the name by which recipes and checkpoints know it
    recipe = replace(SHORT, network=NetworkRecipe(name="difference"))
    fit(recipe, run)
    model = export(run, run / "model")
    result = Predictor(model).scene("examples/plate.jpg").predict("examples/frame.jpg")
    print(f"alpha: {result.alpha.shape}, disparity: {result.disparity.shape}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
