"""What cross-entropy on grey targets can be at all: so that a flat curve can be read."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_EDGE = 1e-6


def floors(targets: npt.NDArray[np.float32]) -> dict[str, float]:
    """Give the cross-entropy that answers without any learning reach on (N, H, W) in [0, 1].

    perfect: the targets' own entropy, below which nothing can go. picture_mean: each picture's
    mean. mean_map: the mean of all pictures. constant: one number for everything.
    """
    truth = targets.astype(np.float64)
    return {
        "perfect": cross_entropy(truth, truth),
        "picture_mean": cross_entropy(truth.mean((1, 2), keepdims=True), truth),
        "mean_map": cross_entropy(truth.mean(0, keepdims=True), truth),
        "constant": cross_entropy(truth.mean(keepdims=True), truth),
        "low": float(np.percentile(truth, 1)),
        "high": float(np.percentile(truth, 99)),
    }


def cross_entropy(said: npt.NDArray[np.float64], truth: npt.NDArray[np.float64]) -> float:
    """Mean binary cross-entropy, in nats, of probabilities against grey targets."""
    p = np.clip(said, _EDGE, 1 - _EDGE)
    return float(-(truth * np.log(p) + (1 - truth) * np.log1p(-p)).mean())
