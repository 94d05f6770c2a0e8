"""Near duplicates among cutouts, such as neighbouring frames of a clip."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Bytes
from cleanplate.formats.pictures import resize, to_float

CutoutThumbnail = npt.NDArray[np.float32]
"""(32, 32, 4): a cutout scaled to a square, colour times alpha and alpha, in [0, 1]."""

DUPLICATE_DISTANCE = 0.05
"""Thumbnails with a smaller distance are duplicates. Renderings of one person in two poses differ
by at least 0.10; one frame and the same with noise of 3 levels, both predicted, by 0.024.
"""

_SIDE = 32


def cutout_thumbnail(rgba: Bytes) -> CutoutThumbnail:
    """Scale a cutout, (h, w, 4) uint8 straight, to a thumbnail."""
    values = to_float(rgba)
    alpha = values[..., 3:]
    small: CutoutThumbnail = resize(
        np.concatenate([values[..., :3] * alpha, alpha], -1), (_SIDE, _SIDE)
    )
    return small


def thumbnail_distance(one: CutoutThumbnail, other: CutoutThumbnail) -> float:
    """Mean absolute difference where either has alpha: 0 = equal, 1 = largest."""
    there = np.maximum(one[..., 3], other[..., 3]) > 0.05
    if not there.any():
        return 0.0
    return float(np.abs(one - other)[there].mean())
