"""Recipe of the subject depth regressor."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SubjectDepthRecipe:
    """Everything that decides what the regressor learns."""

    plates: tuple[Path, ...] = ()
    """Folders of plates with depth. None = procedural scenes."""
    cutouts: tuple[Path, ...] = ()
    """Folders of cutouts. None = procedural ones."""
    pairs: Path | None = None
    """A folder of full-scene pairs; one in ten is for validation only."""
    composites: int = 9_000
    """Number of scenes composed of plates and cutouts."""
    pair_scenes: int = 6_000
    """Number of scenes cropped from the pairs."""
    pairs_weight: float = 1.0
    """Sampling weight of a pair's subject, relative to a composite's."""
    validation: int = 500
    """Number of composites for validation, of assets that are not in training."""
    networks: int = 3
    """Size of the ensemble; its mean is the prediction."""
    hidden: int = 64
    """Units of each of the two hidden layers."""
    steps: int = 1_500
    batch: int = 512
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    seed: int = 0


RECIPES: dict[str, SubjectDepthRecipe] = {
    "subject-depth": SubjectDepthRecipe(),
    "subject-depth-smoke": SubjectDepthRecipe(
        composites=24, validation=8, networks=2, hidden=16, steps=30, batch=32
    ),
}
"""Recipes of `cleanplate train` for this regressor, by name."""
