"""Median and spread of disparity, by which relative disparity is normalised, in torch."""

from __future__ import annotations

import torch
from torch import Tensor


def normalisation(disparity: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Compute median and mean absolute deviation per picture, over valid pixels.

    Ranftl et al. 2020, eq. 5; in torch, as `cleanplate.depth.Normalisation.of` in NumPy.

    Args:
        disparity: (N, 1, H, W).
        valid: (N, 1, H, W), 1 where known.

    Returns:
        Median and spread, both (N, 1, 1, 1); 0 and 1 for a picture without a valid pixel.
    """
    medians, spreads = [], []
    for picture, known in zip(disparity.float(), valid > 0, strict=True):
        values = picture[known]
        if values.numel() == 0:
            medians.append(picture.new_zeros(()))
            spreads.append(picture.new_ones(()))
            continue
        median = torch.quantile(values, 0.5)
        floor = 1e-3 * median.clamp_min(1e-3)
        medians.append(median)
        spreads.append((values - median).abs().mean().maximum(floor))
    shape = (-1, 1, 1, 1)
    return torch.stack(medians).view(shape), torch.stack(spreads).view(shape)
