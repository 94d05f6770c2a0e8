"""Metrics of the subject's depth in metres, and the groups of pairs for their means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from cleanplate.arrays import Plane

SOLID = 0.9
"""True alpha above which a pixel's true depth is the subject's."""
WITHIN = 0.1
"""Limit of the relative error for `within_10`."""
GROUPS = ("all", "uncut", "cut", "several")
"""All pairs; the subject not cut off, or cut off, by the lower border; several subjects."""
_SMALLEST = 4e-4
"""Least area of a subject, as a share of the picture."""


def groups_of(alpha: Plane, facts: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the `GROUPS` of a pair; none if no pixel has a true alpha above `SOLID`.

    A subject is cut off if its true alpha exceeds 0.5 in one of the two lowest rows. The number of
    subjects is that of the JSON's `subjects`; without it, that of connected components of at least
    0.04 % of the picture.

    Args:
        alpha: (H, W) true.
        facts: the pair's JSON.
    """
    if not (alpha > SOLID).any():
        return ()
    subjects = facts.get("subjects")
    if isinstance(subjects, list) and subjects:
        count = len(subjects)
    else:
        solid = (alpha >= 0.5).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(solid, connectivity=8)
        count = int((stats[1:, cv2.CC_STAT_AREA] >= _SMALLEST * alpha.size).sum())
    cut = "cut" if bool((alpha[-2:] > 0.5).any()) else "uncut"
    return ("all", cut, "several") if count > 1 else ("all", cut)


def subject_depth_scores(
    disparity: Plane, truth: Plane, alpha: Plane, *, cap: float
) -> dict[str, float]:
    """Compute the mean of |d - d*| / d* and the share of pixels within 10 %.

    Over the pixels whose true alpha exceeds 0.9 and whose true depth is known and finite;
    predictions that are unknown, or farther than `cap`, are set to `cap`.

    Args:
        disparity: (H, W) predicted, 1/m.
        truth: (H, W) true, 1/m.
        alpha: (H, W) true.
        cap: metres.

    Returns:
        `abs_rel` and `within_10`; empty if there is no such pixel.
    """
    counted = (alpha > SOLID) & np.isfinite(truth) & (truth > 0)
    if not counted.any():
        return {}
    found = disparity[counted].astype(np.float64)
    found = np.maximum(np.where(np.isfinite(found), found, 0), 1 / cap)
    errors = np.abs(truth[counted] / found - 1)
    return {"abs_rel": float(errors.mean()), "within_10": float((errors <= WITHIN).mean())}
