"""The networks, by name."""

from __future__ import annotations

from collections.abc import Callable

from cleanplate.training.networks.compact import CompactNet
from cleanplate.training.networks.contract import PairNetwork, Prediction
from cleanplate.training.networks.dual_resolution import DualResolutionNet
from cleanplate.training.networks.plate_depth import PlateDepthNet
from cleanplate.training.networks.seednet import SeedNet

__all__ = [
    "NETWORKS",
    "CompactNet",
    "DualResolutionNet",
    "PairNetwork",
    "PlateDepthNet",
    "Prediction",
    "SeedNet",
]

NETWORKS: dict[str, Callable[..., PairNetwork]] = {
    "compact": CompactNet,
    "dual": DualResolutionNet,
    "seed": SeedNet,
}
"""Every network here is held to `tests/training/test_networks_contract.py`."""
