"""The subject depth regressor: fitting, calibration and evaluation."""

from __future__ import annotations

import dataclasses
import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cleanplate.predict.geometry.subject_depth import Regressor
from cleanplate.training.subject_geometry.subject_recipe import SubjectDepthRecipe
from cleanplate.training.subject_geometry.subject_table import Table

_LARGEST = 3.0
"""Targets ln(disparity / bound) are clipped to this."""


class _Networks(torch.nn.Module):
    """An ensemble of E networks with two hidden layers, computed together."""

    def __init__(self, count: int, quantities: int, hidden: int, seed: int):
        super().__init__()
        sizes = (quantities, hidden, hidden, 2)
        generator = torch.Generator().manual_seed(seed)
        self.weights, self.offsets = torch.nn.ParameterList(), torch.nn.ParameterList()
        for n, m in pairwise(sizes):
            fresh = torch.randn(count, n, m, generator=generator) * math.sqrt(2 / n)
            self.weights.append(fresh if m != 2 else 0.3 * fresh)
            self.offsets.append(torch.full((count, 1, m), 0.0 if m != 2 else -1.5))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map (E, n, k) to ln(disparity / bound) and the log of its Laplace scale, (E, n)."""
        for place, (weights, offsets) in enumerate(zip(self.weights, self.offsets, strict=True)):
            x = torch.baddbmm(offsets, x, weights)
            if place < 2:
                x = torch.relu(x)
        return torch.nn.functional.softplus(x[..., 0]), x[..., 1].clamp(-5, 1)


def fit_regressor(table: Table, recipe: SubjectDepthRecipe) -> Regressor:
    """Fit the ensemble by the relative error of depth plus the Laplace likelihood of its logarithm.

    The likelihood alone gives less weight to subjects whose depth is hard to estimate: more of the
    others are within 10 %, but the errors of the hard ones are much larger.
    """
    mean = table.quantities.mean(0)
    deviation = np.maximum(table.quantities.std(0), np.float32(1e-3))
    scaled = torch.from_numpy(np.clip((table.quantities - mean) / deviation, -5, 5))
    target = torch.from_numpy(np.clip(table.ratio, 0, _LARGEST))
    weight = torch.from_numpy(table.weight)
    count = recipe.networks
    networks = _Networks(count, scaled.shape[1], recipe.hidden, recipe.seed)
    groups = [
        {"params": list(networks.weights), "weight_decay": recipe.weight_decay},
        {"params": list(networks.offsets), "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=recipe.learning_rate)
    generator = torch.Generator().manual_seed(recipe.seed)
    for step in range(recipe.steps):
        cosine = 0.5 * (1 + math.cos(math.pi * step / recipe.steps))
        for group in optimiser.param_groups:
            group["lr"] = recipe.learning_rate * min(1, (step + 1) / 100) * (0.01 + 0.99 * cosine)
        chosen = torch.multinomial(weight, recipe.batch * count, True, generator=generator)
        chosen = chosen.view(count, recipe.batch)
        ratio, scale = networks(scaled[chosen])
        error = target[chosen] - ratio
        likelihood = error.abs() * torch.exp(-scale) + scale
        loss = 2 * torch.expm1(error.clamp(-3, 1.5)).abs().mean() + 0.3 * likelihood.mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    layers = tuple(
        (weights.detach().numpy(), offsets.detach().numpy()[:, 0])
        for weights, offsets in zip(networks.weights, networks.offsets, strict=True)
    )
    return Regressor(mean.astype(np.float32), deviation.astype(np.float32), layers)


def calibrated(regressor: Regressor, table: Table) -> Regressor:
    """Scale the uncertainty so that 68 % of the table's subjects lie within it."""
    ratio, spread = regressor(table.quantities)
    share = np.abs(ratio - table.ratio) / spread
    factor = float(np.quantile(share, 0.68)) if len(table) else 1.0
    return dataclasses.replace(regressor, calibration=regressor.calibration * factor)


class Figures(NamedTuple):
    """Errors of a regressor on validation subjects, each counted once; shares in [0, 1]."""

    subjects: int
    abs_rel: float
    within_10: float
    bound_abs_rel: float
    bound_within_10: float
    within_uncertainty: float


def figures(regressor: Regressor, table: Table) -> Figures:
    """Compute the relative depth errors of a regressor, and of the bound alone."""
    ratio, spread = regressor(table.quantities)
    error, alone = np.abs(np.expm1(table.ratio - ratio)), np.abs(np.expm1(table.ratio))
    inside = np.abs(table.ratio - ratio) <= spread
    return Figures(
        len(table),
        float(error.mean()),
        float((error <= 0.1).mean()),
        float(alone.mean()),
        float((alone <= 0.1).mean()),
        float(inside.mean()),
    )
