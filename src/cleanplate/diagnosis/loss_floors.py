"""What a loss can be at all, without learning and at best, so that a flat curve can be read."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cleanplate.diagnosis.array_input import Maps, as_maps, block_sums
from cleanplate.errors import CleanplateError

EDGE = 1e-6
"""Probabilities are kept this far from 0 and 1, so that logarithms are finite."""


def cross_entropy(probability: npt.NDArray[Any], target: npt.NDArray[Any]) -> float:
    """Mean binary cross-entropy in nats of probabilities against targets in [0, 1].

    -mean(t ln p + (1 - t) ln(1 - p)): what `BCELoss` and `BCEWithLogitsLoss` of PyTorch print.
    Pixels whose target is NaN do not count; both arrays have one shape or broadcast to one.
    """
    p = np.clip(np.asarray(probability, np.float64), EDGE, 1 - EDGE)
    t = np.asarray(target, np.float64)
    return float(np.nanmean(-(t * np.log(p) + (1 - t) * np.log1p(-p))))


class FloorTotals:
    """Sums from which the floors of cross-entropy and squared error follow, batch by batch.

    Args:
        grid: rows and columns of the mean map. The mean map's loss is exact where the pictures have
            this size; otherwise it is that of a mean map of so many cells.
    """

    def __init__(self, grid: tuple[int, int]):
        self.grid = grid
        self.pixels = self.sum = self.squares = 0.0
        self.entropy = self.picture_entropy = self.picture_variance = 0.0
        self.low, self.high = np.inf, -np.inf
        self.cell_sum = np.zeros(grid)
        self.cell_count = np.zeros(grid)

    @property
    def is_share(self) -> bool:
        """Whether all targets lie in [0, 1], where cross-entropy has a meaning."""
        return self.low >= 0 and self.high <= 1

    def update(self, targets: Maps) -> None:
        """Add (N, H, W) targets; NaN is unknown."""
        known = np.isfinite(targets)
        t = np.where(known, targets, 0).astype(np.float64)
        if not known.any():
            return
        self.low = min(self.low, float(targets[known].min()))
        self.high = max(self.high, float(targets[known].max()))
        count = known.sum((1, 2)).astype(np.float64)
        self.pixels += float(count.sum())
        self.sum += float(t.sum())
        self.squares += float((t * t).sum())
        mean = t.sum((1, 2)) / np.maximum(count, 1)
        self.picture_variance += float(((t * t).sum((1, 2)) - count * mean * mean).sum())
        if self.is_share:
            self.entropy += float((_entropy(t) * known).sum())
            self.picture_entropy += float((_entropy(mean) * count).sum())
        self.cell_sum += block_sums(t, self.grid).sum(0)
        self.cell_count += block_sums(known.astype(np.float64), self.grid).sum(0)

    def mean_map(self) -> npt.NDArray[np.float64]:
        """Give the mean of all targets in each cell; the mean of everything where none is known."""
        constant = self.sum / max(self.pixels, 1)
        full = self.cell_count > 0
        return np.where(full, self.cell_sum / np.where(full, self.cell_count, 1), constant)

    def cross_entropy(self) -> dict[str, float]:
        """Give the floors of cross-entropy; see `loss_floors`. Empty if it has no meaning."""
        if not self.is_share or not self.pixels:
            return {}
        share = self.cell_count / self.cell_count.sum()
        return {
            "perfect": self.entropy / self.pixels,
            "picture_mean": self.picture_entropy / self.pixels,
            "mean_map": float((_entropy(self.mean_map()) * share).sum()),
            "constant": float(_entropy(np.asarray(self.sum / self.pixels))),
        }

    def squared_error(self) -> dict[str, float]:
        """Give the floors of mean squared error under the same names; perfect is 0."""
        if not self.pixels:
            return {}
        mean = self.sum / self.pixels
        map_ = self.mean_map()
        share = self.cell_count / self.cell_count.sum()
        # The mean square of what a best map says: E[(t - m)^2] = E[t^2] - E[m^2].
        return {
            "perfect": 0.0,
            "picture_mean": self.picture_variance / self.pixels,
            "mean_map": max(0.0, self.squares / self.pixels - float((map_**2 * share).sum())),
            "constant": max(0.0, self.squares / self.pixels - mean * mean),
        }


def loss_floors(targets: Any) -> dict[str, float]:
    """Give the cross-entropy that answers without any learning reach on targets in [0, 1].

    Args:
        targets: (N, H, W) or (N, 1, H, W); NaN is unknown.

    Returns:
        `perfect`: the targets' own entropy, below which no answer can go (0 only for masks of 0 and
        1); `picture_mean`: each picture's mean everywhere in it; `mean_map`: the mean of all
        pictures, for every picture; `constant`: one number for everything.

    Raises:
        CleanplateError: if targets lie outside of [0, 1].
    """
    maps = as_maps(targets, "targets")
    totals = FloorTotals((maps.shape[1], maps.shape[2]))
    totals.update(maps)
    floors = totals.cross_entropy()
    if not floors:
        raise CleanplateError(
            f"targets reach from {totals.low:.3g} to {totals.high:.3g}; cross-entropy needs 0 to 1",
            cure="Scale the targets to [0, 1], or read the floors of the squared error.",
        )
    return floors


def _entropy(p: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Binary entropy in nats: the cross-entropy of an answer that is its own target's mean."""
    q = np.clip(p, EDGE, 1 - EDGE)
    return np.asarray(-(p * np.log(q) + (1 - p) * np.log1p(-q)))
