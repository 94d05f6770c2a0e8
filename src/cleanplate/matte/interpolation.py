"""Push-pull: interpolation of scattered values over an image pyramid."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Plane
from cleanplate.formats.pictures import resize


def push_pull(weighted: npt.NDArray[np.float32], weight: Plane) -> npt.NDArray[np.float32]:
    """Interpolate weighted values by push-pull: pixels of low weight are filled from neighbours.

    Normalised convolution (Knutsson & Westin 1993) over an image pyramid (Gortler et al. 1996,
    "The lumigraph"). A pixel of weight 1 keeps its value; a pixel of weight 0 does not contribute.

    Args:
        weighted: (H, W) or (H, W, C) float32, each value times its weight.
        weight: (H, W) float32 in [0, 1].

    Returns:
        float32 of the shape of `weighted`; 0 if all weights are 0.

    Examples:
        >>> weighted, weight = (np.array([row], np.float32) for row in ([0.5, 0], [1, 0]))
        >>> push_pull(weighted, weight).tolist()  # the only known value is spread
        [[0.5, 0.5]]
    """
    height, width = weight.shape
    own = weight.reshape(height, width, *[1] * (weighted.ndim - 2))
    mean = np.asarray(weighted / np.maximum(own, np.float32(1e-12)), np.float32)
    if height == 1 and width == 1:
        return mean
    size = ((height + 1) // 2, (width + 1) // 2)
    # Weight sums over 2 x 2, clipped to 1: one pixel of weight 1 gives a coarse cell of weight 1.
    coarse: Plane = resize(weight, size)
    gain = np.minimum(coarse * np.float32(4), np.float32(1)) / np.maximum(coarse, np.float32(1e-12))
    small = resize(weighted, size) * gain.reshape(*size, *[1] * (weighted.ndim - 2))
    far: npt.NDArray[np.float32] = resize(push_pull(small, coarse * gain), (height, width))
    mean *= own
    far *= 1 - own
    mean += far
    return mean
