"""Whether the subject stands where it should: its depth in metres, by groups of pairs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from cleanplate.arrays import Plane

SOLID = 0.9
"""True alpha above which a pixel's depth is the subject's."""
WITHIN = 0.1
GROUPS = ("all", "uncut", "cut", "several")
"""All pairs; the subject not cut, or cut, by the picture's lower border; several subjects."""
_SMALLEST = 4e-4


def groups_of(alpha: Plane, facts: Mapping[str, Any]) -> tuple[str, ...]:
    """Say which of `GROUPS` a pair belongs to; none if nothing of its subject is solid.

    A subject is cut if its true alpha exceeds 0.5 in one of the two lowest rows. Their number is
    that of the JSON's `subjects`; without it, that of connected parts that cover 0.04 % of the
    picture each.

    Args:
        alpha: (H, W) true.
        facts: the pair's JSON.
    """
    if not (alpha > SOLID).any():
        return ()
    told = facts.get("subjects")
    if isinstance(told, list) and told:
        count = len(told)
    else:
        solid = (alpha >= 0.5).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(solid, connectivity=8)
        count = int((stats[1:, cv2.CC_STAT_AREA] >= _SMALLEST * alpha.size).sum())
    cut = "cut" if bool((alpha[-2:] > 0.5).any()) else "uncut"
    return ("all", cut, "several") if count > 1 else ("all", cut)


def subject_depth_figures(
    disparity: Plane, truth: Plane, alpha: Plane, *, cap: float
) -> dict[str, float]:
    """Measure the subject's depth: mean |d - d*| / d*, and the share of pixels within 10 %.

    Over the pixels whose true alpha exceeds 0.9 and whose true depth is known and finite; a
    prediction that is unknown there, or farther than `cap`, stands for `cap`.

    Args:
        disparity: (H, W) predicted, 1/m.
        truth: (H, W) true, 1/m.
        alpha: (H, W) true.
        cap: metres.

    Returns:
        `abs_rel` and `within_10`; empty if no pixel counts.
    """
    counted = (alpha > SOLID) & np.isfinite(truth) & (truth > 0)
    if not counted.any():
        return {}
    found = disparity[counted].astype(np.float64)
    found = np.maximum(np.where(np.isfinite(found), found, 0), 1 / cap)
    errors = np.abs(truth[counted] / found - 1)
    return {"abs_rel": float(errors.mean()), "within_10": float((errors <= WITHIN).mean())}
