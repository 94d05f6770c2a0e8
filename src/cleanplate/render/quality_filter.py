"""Quality filter: measured reasons to reject a camera's depth or a rendered picture."""

from __future__ import annotations

import cv2
import numpy as np

from cleanplate.arrays import Picture, Plane

_MIN_EDGE_SHARE = {"tabletop": 0.015, "world": 0.024, "room": 0.009, "outdoor": 0.003}
"""Least share of pixels at depth edges and creases, by kind of scene; less is a bare wall."""
_MIN_DISTANCE = {"tabletop": 0.12, "world": 0.45, "room": 0.35, "outdoor": 0.6}
"""Metres: nearer surfaces hide the scene."""


def depth_rejection_reason(depth: Plane, kind: str) -> str | None:
    """Give the reason to reject a camera by the depth it sees, or None.

    Args:
        depth: (H, W) planar, metres, +inf where there is no surface.
        kind: of the scene.
    """
    seen = np.isfinite(depth)
    if seen.mean() < 0.35:
        return "empty"
    near = depth < _MIN_DISTANCE[kind]
    if near.mean() > 0.05:
        return "too near"
    z = depth[seen]
    if kind != "tabletop":
        low, high = np.percentile(z, (10, 90))
        if high < 1.6:
            return "too near"
        if high / low < 1.5:
            return "flat"
    return "bare" if edge_share(depth) < _MIN_EDGE_SHARE[kind] else None


def edge_share(depth: Plane) -> float:
    """Give the share of pixels at which the depth is not locally planar.

    A plane's disparity is linear in the picture, so its second difference is 0.
    """
    z = depth[::2, ::2]
    disparity = np.where(np.isfinite(z), 1 / np.maximum(z, 1e-3), 0)
    middle = disparity[1:-1, 1:-1]
    across = np.abs(disparity[1:-1, 2:] + disparity[1:-1, :-2] - 2 * middle)
    along = np.abs(disparity[2:, 1:-1] + disparity[:-2, 1:-1] - 2 * middle)
    return float((across + along > 0.02 * (middle + 0.02)).mean())


def picture_rejection_reason(picture: Picture) -> str | None:
    """Give the reason to reject a picture, (H, W, 3) sRGB in [0, 1], or None."""
    grey = picture.mean(axis=-1)
    if grey.mean() < 0.1 or np.percentile(grey, 90) < 0.22:
        return "too dark"
    if grey.mean() > 0.92:
        return "too bright"
    small = cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    across, along = np.diff(small, axis=1)[:-1], np.diff(small, axis=0)[:, :-1]
    if (np.maximum(np.abs(across), np.abs(along)) > 0.04).mean() < 0.02:
        return "plain"
    return None
