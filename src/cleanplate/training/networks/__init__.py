"""Neural networks for matting and depth, their interface, and the registry of their names.

Networks take plates and frames as `(N, 3, H, W)` tensors and return a `Prediction` (`contract`).
"""

from __future__ import annotations

from cleanplate.training.networks.compact_net import CompactNet
from cleanplate.training.networks.contract import PairNetwork, Prediction
from cleanplate.training.networks.dual_resolution import DualResolutionNet
from cleanplate.training.networks.network_recipe import NetworkRecipe
from cleanplate.training.networks.plate_depth_net import PlateDepthNet
from cleanplate.training.networks.registry import NETWORKS, build_network
from cleanplate.training.networks.seed_net import SeedNet

__all__ = [
    "NETWORKS",
    "CompactNet",
    "DualResolutionNet",
    "NetworkRecipe",
    "PairNetwork",
    "PlateDepthNet",
    "Prediction",
    "SeedNet",
    "build_network",
]
