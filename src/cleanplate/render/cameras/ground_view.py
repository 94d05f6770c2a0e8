"""What a camera sees of the ground, by its depth."""

from __future__ import annotations

import math

import numpy as np

from cleanplate.arrays import Plane
from cleanplate.render.scenes.scene_description import Shot

_BIN = 0.02
"""Metres."""
_NEAR_GROUND = 0.4


def heights(depth: Plane, shot: Shot) -> Plane:
    """Height over Z = 0 of what each pixel sees: (H, W) metres, NaN where nothing is."""
    height, width = depth.shape
    focal = shot.focal * width
    down = (np.arange(height, dtype=np.float32)[:, None] + 0.5 - height / 2) / focal
    rise = math.sin(shot.pitch) - math.cos(shot.pitch) * down
    found = shot.position[2] + np.where(np.isfinite(depth), depth, np.nan) * rise
    return np.asarray(found, np.float32)


def ground(depth: Plane, shot: Shot, expected: float) -> tuple[float, float]:
    """Find the level that most pixels see near an expected height.

    Returns:
        Its height in metres and its share of the picture; the expected height and 0 where
        no level stands out.
    """
    found = heights(depth, shot).ravel()
    found = found[np.abs(found - expected) < _NEAR_GROUND]
    if found.size < 0.01 * depth.size:
        return expected, 0.0
    bins = np.rint((found - expected) / _BIN).astype(int)
    values, counts = np.unique(bins, return_counts=True)
    best = values[counts.argmax()]
    level = found[np.abs(bins - best) <= 1]
    return float(np.median(level)), float(level.size / depth.size)
