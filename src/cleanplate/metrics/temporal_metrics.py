"""Metrics over time: dtSSD of depth, steadiness of a distance, lag.

dtSSD of alpha is in `alpha_metrics`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Mask, Plane


def depth_dtssd(
    depths: Iterable[Plane],
    truths: Iterable[Plane],
    subjects: Iterable[Mask],
    *,
    cap: float = 80.0,
    scale: float = 1e2,
) -> float:
    """Compute dtSSD of the subject's depth, in logarithms of metres.

    The mean over steps of sqrt(mean(((l_t - l_{t-1}) - (l*_t - l*_{t-1}))^2)) with l = ln d, over
    the pixels that are subject at both times and whose true depth is finite at both. The form is
    that of Erofeev et al. (BMVC 2015) for alpha; the logarithm makes a step of 1 % count alike at
    any distance. Steps without such a pixel are left out.

    Args:
        depths: predicted, in temporal order, each (H, W) metres; unknown or beyond `cap` = `cap`.
        truths: true depth, as many; NaN = unknown, +inf = nothing hit.
        subjects: (H, W) bool, where the true depth is the subject's.
        cap: metres.
        scale: factor of the result; 100 makes it percent of the distance.

    Returns:
        the error; nan if no step has a pixel that counts.

    Raises:
        ValueError: if the clips differ in length or the shapes do.

    Examples:
        >>> near, far, all_ = np.full((1, 1), 2.0), np.full((1, 1), 2.2), np.ones((1, 1), bool)
        >>> round(depth_dtssd([near, far], [near, near], [all_, all_]), 3)  # 100 ln(2.2 / 2)
        9.531
    """
    steps: list[float] = []
    before: npt.NDArray[np.float64] | None = None
    for depth, truth, subject in zip(depths, truths, subjects, strict=True):
        if not depth.shape == truth.shape == subject.shape:
            raise ValueError(f"shapes differ: {depth.shape}, {truth.shape}, {subject.shape}")
        counted = subject & np.isfinite(truth) & (truth > 0)
        held = np.where(np.isfinite(depth), np.clip(depth, 1e-3, cap), cap).astype(np.float64)
        error = np.full(depth.shape, np.nan)
        error[counted] = np.log(held[counted]) - np.log(truth[counted].astype(np.float64))
        if before is not None:
            step = error - before
            step = step[np.isfinite(step)]
            if step.size:
                steps.append(float(np.sqrt(np.square(step).mean())))
        before = error
    return sum(steps) / len(steps) * scale if steps else math.nan


def distance_jitter(distances: Iterable[float], truths: Iterable[float]) -> float:
    """Compute how unsteady a distance is: RMS of the steps of ln(d / d*) from frame to frame.

    Args:
        distances: predicted, in temporal order, metres; nan = none in this frame.
        truths: true, as many; nan = no subject in this frame.

    Returns:
        the RMS over the steps between frames that both have a distance; nan without any.

    Examples:
        >>> round(distance_jitter([2.0, 2.2, 2.0], [3.0, 3.0, 3.0]), 4)  # ln(2.2 / 2), both ways
        0.0953
    """
    pairs = np.array(list(zip(distances, truths, strict=True)), np.float64).reshape(-1, 2)
    steps = np.diff(np.log(pairs[:, 0]) - np.log(pairs[:, 1]))
    steps = steps[np.isfinite(steps)]
    return float(np.sqrt(np.square(steps).mean())) if steps.size else math.nan


def lag(early: float, same: float, late: float) -> float:
    """Estimate by how many frames a prediction lags, from its errors against shifted truth.

    The lowest point of a V through the three errors: where a sharp edge moves, the squared error
    grows as its displacement does.

    Args:
        early: mean squared error of frame t against the truth of t + 1.
        same: against that of t.
        late: against that of t - 1; small if the prediction lags.

    Returns:
        frames, above 0 if the prediction is late, between -1 and 1; nan if the middle error is
        the largest, as in a clip in which nothing moves.

    Examples:
        >>> lag(5.0, 3.0, 1.0)  # 2 |x - 1| + 1 at x = -1, 0, 1
        1.0
    """
    rise = max(early, late) - same
    return (early - late) / (2 * rise) if rise > 0 else math.nan
