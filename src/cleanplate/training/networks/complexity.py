"""What a network costs: multiplications of a picture."""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

from cleanplate.training.networks.contract import PairNetwork


def giga_macs(network: PairNetwork, part: str, size: int = 256) -> float:
    """Count the multiplications of a `size` x `size` picture, in 10^9.

    Args:
        part: "frame" (its plate kept) or "plate".
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
