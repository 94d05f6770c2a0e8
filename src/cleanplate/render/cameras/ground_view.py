"""Ground in a camera's depth map: heights, and the dominant level."""

from __future__ import annotations

import math

import numpy as np

from cleanplate.arrays import Plane
from cleanplate.render.scenes.scene_description import CameraPose

_BIN = 0.02
"""Metres."""
_SEARCH_RANGE = 0.4


def height_map(depth: Plane, camera: CameraPose) -> Plane:
    """Give the height over Z = 0 at each pixel: (H, W) metres, NaN where there is no surface."""
    height, width = depth.shape
    focal = camera.focal * width
    down = (np.arange(height, dtype=np.float32)[:, None] + 0.5 - height / 2) / focal
    rise = math.sin(camera.pitch) - math.cos(camera.pitch) * down
    found = camera.position[2] + np.where(np.isfinite(depth), depth, np.nan) * rise
    return np.asarray(found, np.float32)


def find_ground_level(depth: Plane, camera: CameraPose, expected: float) -> tuple[float, float]:
    """Find the level that most pixels see near an expected height.

    Returns:
        Its height in metres and its share of the picture; the expected height and 0 if no
        level stands out.
    """
    found = height_map(depth, camera).ravel()
    found = found[np.abs(found - expected) < _SEARCH_RANGE]
    if found.size < 0.01 * depth.size:
        return expected, 0.0
    bins = np.rint((found - expected) / _BIN).astype(int)
    values, counts = np.unique(bins, return_counts=True)
    best = values[counts.argmax()]
    level = found[np.abs(bins - best) <= 1]
    return float(np.median(level)), float(level.size / depth.size)
