"""Losses of depth between a map in [0, 1] and its target, as students of the task chose them.

All take logits and targets (N, 1, H, W) and give one number.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from cleanplate.training.disparity_normalisation import normalisation
from cleanplate.training.losses import gradient_l1
from studies.seed.settings import Loss


def depth_loss(kind: Loss, logits: Tensor, target: Tensor) -> Tensor:
    """Give the loss of a depth map by its name."""
    if kind == "bce":
        return F.binary_cross_entropy_with_logits(logits, target)
    if kind == "ssi":
        return scale_and_shift_invariant(logits, target)
    return _OF_MAPS[kind](logits.sigmoid(), target)


def scale_and_shift_invariant(one: Tensor, other: Tensor) -> Tensor:
    """L1 of maps that are each taken by their own median and spread (Ranftl et al. 2020, eq. 5)."""
    everywhere = torch.ones_like(other)

    def normal(values: Tensor) -> Tensor:
        median, spread = normalisation(values, everywhere)
        return (values - median) / spread

    return (normal(one) - normal(other)).abs().mean()


def with_gradient(depth: Tensor, target: Tensor) -> Tensor:
    """L1 and the L1 of gradients at four scales (Ranftl et al. 2020, eq. 11)."""
    return F.l1_loss(depth, target) + gradient_l1(depth - target, torch.ones_like(target))


def with_ssim_and_edges(depth: Tensor, target: Tensor) -> Tensor:
    """L1, gradients and structure (Alhashim & Wonka 2018, eq. 1): the recipe of other students."""
    edges = gradient_l1(depth - target, torch.ones_like(target), scales=1)
    return 0.1 * F.l1_loss(depth, target) + edges + 0.5 * (1 - ssim(depth, target))


def ssim(one: Tensor, other: Tensor) -> Tensor:
    """Mean structural similarity of maps in [0, 1] (Wang et al. 2004).

    Gaussian window of 11 pixels, sigma 1.5; only windows that lie wholly inside count.
    """
    offsets = torch.arange(11, device=one.device) - 5.0
    taps = torch.exp(-(offsets**2) / (2 * 1.5**2))
    taps = taps / taps.sum()

    def mean(values: Tensor) -> Tensor:
        return F.conv2d(F.conv2d(values, taps.view(1, 1, 1, -1)), taps.view(1, 1, -1, 1))

    mean_one, mean_other = mean(one), mean(other)
    variance_one = mean(one * one) - mean_one**2
    variance_other = mean(other * other) - mean_other**2
    covariance = mean(one * other) - mean_one * mean_other
    c1, c2 = 0.01**2, 0.03**2
    likeness = (2 * mean_one * mean_other + c1) * (2 * covariance + c2)
    return (
        likeness / ((mean_one**2 + mean_other**2 + c1) * (variance_one + variance_other + c2))
    ).mean()


_OF_MAPS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "l1": F.l1_loss,
    "smooth-l1": F.smooth_l1_loss,
    "mse": F.mse_loss,
    "ssim": lambda depth, target: 1 - ssim(depth, target),
    "l1-gradient": with_gradient,
    "l1-ssim-edges": with_ssim_and_edges,
}
