"""Metric scaling of an estimator's output: relative disparity or depth to metres."""

from __future__ import annotations

import math

import numpy as np

from cleanplate.arrays import Plane
from cleanplate.depth import disparity_to_depth
from cleanplate.depth.depth_estimators import Convention
from cleanplate.errors import CleanplateError

DEFAULT_NEAR, DEFAULT_FAR = 1.5, 8.0
"""Assumed metres of the nearest and the farthest part of a scene with relative depth. Medians of
rendered rooms, halls and corridors with known depth.
"""

DEFAULT_CAMERA_HEIGHT = 1.5
"""Assumed metres of a camera over its floor, if a floor is found and neither bound is given: the
height of a held camera varies little, the depth of scenes by tens of metres.
"""

_PERCENTILES = (1.0, 99.0)
"""Percentiles taken as nearest and farthest part, because single pixels are wrong."""


def to_metres(
    estimate: Plane, convention: Convention, near: float, far: float
) -> tuple[Plane, dict[str, float] | None]:
    """Convert an estimate to depth: (H, W) metres, +inf = infinitely far, NaN = unknown.

    Relative disparity is true disparity up to scale and shift (Ranftl et al. 2020). They are
    fixed by two distances: `near` at the 99th percentile of nearness and `far` at the first.
    Beyond them the line is extrapolated; disparity below 0 is infinitely far.

    Args:
        estimate: (H, W) in `convention`.
        convention: of the estimator.
        near: metres; ignored for metric depth.
        far: metres, may be inf for disparity.

    Returns:
        The depth, and the estimate's values at `near` and `far`; None if metric.

    Raises:
        CleanplateError: if the estimate is nowhere a number, or constant.
    """
    known = np.isfinite(estimate)
    if convention == "metric":
        depth = np.where(estimate > 0, estimate, np.float32(np.nan)).astype(np.float32)
        if np.isnan(depth).all():
            raise CleanplateError("the depth network finds no depth in it")
        return depth, None
    if not known.any():
        raise CleanplateError("the depth network's output is nowhere a number")
    low, high = (float(p) for p in np.percentile(estimate[known], _PERCENTILES))
    if high - low <= 1e-6 * max(abs(low), abs(high), 1e-6):
        raise CleanplateError("the depth network's output is constant")
    place = (estimate.astype(np.float64) - low) / (high - low)
    if convention == "disparity":
        disparity = 1 / far + place * (1 / near - 1 / far)
        return disparity_to_depth(np.maximum(disparity, 0).astype(np.float32)), {
            "at_far": low,
            "at_near": high,
        }
    if math.isinf(far):
        raise CleanplateError("relative depth cannot be infinite", cure="Give --far in metres.")
    # At least half of `near`: the extrapolated line would go through the camera.
    metres = np.maximum(near + place * (far - near), near / 2)
    return metres.astype(np.float32), {"at_near": low, "at_far": high}
