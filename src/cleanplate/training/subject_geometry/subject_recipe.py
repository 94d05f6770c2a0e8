"""What decides which regressor of the subject's depth comes out of a training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SubjectDepthRecipe:
    """Everything that decides what the regressor learns."""

    plates: tuple[Path, ...] = ()
    """Folders of plates with depth. None = procedural rooms."""
    cutouts: tuple[Path, ...] = ()
    """Folders of cutouts. None = procedural ones."""
    pairs: Path | None = None
    """A folder of full-scene pairs; one in ten validates and never trains."""
    composites: int = 9_000
    """Scenes composed of plates and cutouts."""
    pair_scenes: int = 6_000
    """Scenes cut from the pairs."""
    pairs_weight: float = 1.0
    """How often a subject of a pair is drawn, against one of a composite."""
    validation: int = 500
    """Composites that validate, of assets that never train."""
    networks: int = 3
    """Networks whose mean counts; each has its own fresh weights."""
    hidden: int = 64
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
"""The recipes of `cleanplate train` that are of this kind."""
