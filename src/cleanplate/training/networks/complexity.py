"""Complexity of a network: multiply-accumulate operations (MACs) per picture."""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

from cleanplate.training.networks.contract import PairNetwork


def giga_macs(network: PairNetwork, part: str, size: int = 256) -> float:
    """Count the multiply-accumulate operations of a `size` x `size` picture, in 10^9 (GMAC).

    Args:
        network: of any width.
        part: "frame" (the plate's outputs cached) or "plate".
        size: side of the picture in pixels.
    """
    picture, plane = torch.zeros(1, 3, size, size), torch.zeros(1, 1, size, size)
    with torch.no_grad():
        features = network.encode_plate(picture, plane, plane)
        with FlopCounterMode(display=False) as counter:
            if part == "plate":
                network.encode_plate(picture, plane, plane)
            else:
                network.compare(picture, picture, features)
    return float(round(counter.get_total_flops() / 2e9, 4))
