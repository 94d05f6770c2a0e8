"""Which pictures are useless, by measurement."""

from __future__ import annotations

import numpy as np

from cleanplate.arrays import Picture, Plane

_NEAR = {"tabletop": 0.12, "world": 0.45, "room": 0.35, "outdoor": 0.6}
"""Metres: what is nearer hides the scene."""


def of_depth(depth: Plane, kind: str) -> str | None:
    """Say why a view is useless by what it sees, or None.

    Args:
        depth: (H, W) planar, metres, +inf where nothing is.
        kind: of the setting.
    """
    seen = np.isfinite(depth)
    if seen.mean() < 0.35:
        return "empty"
    near = depth < _NEAR[kind]
    if near.mean() > 0.05:
        return "too near"
    z = depth[seen]
    if kind != "tabletop":
        low, high = np.percentile(z, (10, 90))
        if high < 1.6:
            return "too near"
        if high / low < 1.5:
            return "flat"
    return None


def of_picture(picture: Picture) -> str | None:
    """Say why a developed picture is useless, or None: (H, W, 3) sRGB in [0, 1]."""
    grey = picture.mean(axis=-1)
    if grey.mean() < 0.07 or np.percentile(grey, 90) < 0.15:
        return "too dark"
    if grey.mean() > 0.92:
        return "too bright"
    if grey.std() < 0.035:
        return "plain"
    return None
