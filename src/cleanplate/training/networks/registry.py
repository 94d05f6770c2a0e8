"""Registry of the networks by name; `build_network` makes one from its recipe."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from cleanplate.errors import CleanplateError
from cleanplate.training.networks.compact_net import CompactNet
from cleanplate.training.networks.contract import PairNetwork
from cleanplate.training.networks.dual_resolution import FAST, DualResolutionNet
from cleanplate.training.networks.network_recipe import NetworkRecipe
from cleanplate.training.networks.plate_depth_net import PlateDepthNet
from cleanplate.training.networks.seed_net import SeedNet

NETWORKS: dict[str, Callable[..., PairNetwork]] = {
    "compact": CompactNet,
    "dual": DualResolutionNet,
    "fast": partial(DualResolutionNet, FAST),
    "seed": SeedNet,
}
"""Name -> what makes it. `tests/training/test_networks_contract.py` tests every one of them."""


def build_network(recipe: NetworkRecipe) -> PairNetwork | PlateDepthNet:
    """Make the recipe's network, weights initialised from torch's global generator.

    Raises:
        CleanplateError: if no network of that name is registered.
    """
    if recipe.name == "plate-depth":
        return PlateDepthNet(pretrained=recipe.pretrained)
    if recipe.name not in NETWORKS:
        raise CleanplateError(
            f"there is no network {recipe.name!r}",
            cure=f"Choose one of {', '.join(NETWORKS)}. A network of your own has to be registered "
            "first: put its class into cleanplate.training.networks.NETWORKS, from Python.",
        )
    if recipe.name in ("dual", "fast"):
        return NETWORKS[recipe.name](pretrained=recipe.pretrained)
    options: dict[str, Any] = {"width": recipe.width}
    if recipe.name == "seed":
        options.update(
            fusion=recipe.fusion, subtract=recipe.subtract, shared_head=recipe.shared_head
        )
    return NETWORKS[recipe.name](**options)
