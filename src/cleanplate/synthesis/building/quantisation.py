"""Planes of a sample as 8 bits, quickly: a set's samples are coded a million times over.

`depth_codec` has depth in millimetres, `formats.encoding` makes the files.
"""

from __future__ import annotations

import cv2
import numpy as np

from cleanplate.arrays import Bytes, Plane


def alpha_levels(alpha: Plane) -> Bytes:
    """Round (H, W) in [0, 1] to 8 bits."""
    return np.asarray(cv2.convertScaleAbs(alpha, alpha=255), np.uint8)


def disparity_levels(disparity: Plane) -> tuple[Bytes, float, float]:
    """Spread disparity (H, W), without NaN, over 8 bits: near is bright.

    Returns:
        the codes, and the disparity of code 0 and of code 255 in 1/m: a code c means
        `low + c / 255 * (high - low)`. All codes are 0 where the disparity is even.
    """
    low, high, _, _ = cv2.minMaxLoc(disparity)
    span = high - low
    if span <= 0:
        return np.zeros(disparity.shape, np.uint8), low, high
    codes = cv2.convertScaleAbs(disparity, alpha=255 / span, beta=-255 * low / span)
    return np.asarray(codes, np.uint8), low, high
