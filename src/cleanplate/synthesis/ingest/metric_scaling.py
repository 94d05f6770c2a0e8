"""A teacher's numbers as metres."""

from __future__ import annotations

import math

import numpy as np

from cleanplate.arrays import Plane
from cleanplate.depth import disparity_to_depth
from cleanplate.errors import CleanplateError
from cleanplate.synthesis.ingest.depth_estimators import Convention

DEFAULT_NEAR, DEFAULT_FAR = 1.5, 8.0
"""Assumed metres of the nearest and the farthest part of a scene whose depth is relative. Medians
of rendered rooms, halls and corridors, whose true depth is known."""

DEFAULT_CAMERA_HEIGHT = 1.5
"""Assumed metres of a camera over its floor, where a floor is seen and neither bound was given: a
person holds a camera at much the same height everywhere, while scenes differ in depth by tens."""

_PERCENTILES = (1.0, 99.0)
"""Between these the nearest and the farthest part lie: single pixels err."""


def to_metres(
    estimate: Plane, convention: Convention, near: float, far: float
) -> tuple[Plane, dict[str, float] | None]:
    """Turn a teacher's map into depth: (H, W) metres, +inf = infinitely far, NaN = unknown.

    Relative disparity is true disparity up to a scale and a shift (Ranftl et al. 2020). Those two
    are fixed by two distances: `near` is where the 99th percentile of nearness lies and `far`
    where the first does. Beyond them the same line goes on; disparity below 0 is infinitely far.

    Args:
        estimate: (H, W) in `convention`.
        convention: of the teacher.
        near: metres; ignored for metric depth.
        far: metres, may be inf for disparity.

    Returns:
        the depth, and which values of the estimate lie at `near` and `far`; None if metric.

    Raises:
        CleanplateError: if the estimate is nowhere a number, or the same everywhere.
    """
    known = np.isfinite(estimate)
    if convention == "metric":
        depth = np.where(estimate > 0, estimate, np.float32(np.nan)).astype(np.float32)
        if np.isnan(depth).all():
            raise CleanplateError("the teacher sees no depth in it")
        return depth, None
    if not known.any():
        raise CleanplateError("the teacher's answer is nowhere a number")
    low, high = (float(p) for p in np.percentile(estimate[known], _PERCENTILES))
    if high - low <= 1e-6 * max(abs(low), abs(high), 1e-6):
        raise CleanplateError("the teacher sees the same depth everywhere in it")
    place = (estimate.astype(np.float64) - low) / (high - low)
    if convention == "disparity":
        disparity = 1 / far + place * (1 / near - 1 / far)
        return disparity_to_depth(np.maximum(disparity, 0).astype(np.float32)), {
            "at_far": low,
            "at_near": high,
        }
    if math.isinf(far):
        raise CleanplateError(
            "relative depth has no place for infinity", cure="Give --far in metres."
        )
    # Nothing is nearer than half of `near`: the line would go through the camera.
    metres = np.maximum(near + place * (far - near), near / 2)
    return metres.astype(np.float32), {"at_near": low, "at_far": high}
