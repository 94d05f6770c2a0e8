"""NetworkRecipe: the network that a run trains, and its options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class NetworkRecipe:
    """Name and options of a network."""

    name: Literal["compact", "dual", "fast", "plate-depth", "seed"] = "compact"
    width: float = 1.0
    """CompactNet and SeedNet: factor on all channel counts."""
    pretrained: bool = False
    """dual, fast and plate-depth: load the encoder's ImageNet weights."""
    fusion: Literal["concat", "subtract"] = "concat"
    """SeedNet only: how features of plate and frame are combined."""
    subtract: Literal["features", "pictures"] = "features"
    """SeedNet with fusion=subtract only."""
    shared_head: bool = True
    """SeedNet only: one last convolution for mask and depth."""
