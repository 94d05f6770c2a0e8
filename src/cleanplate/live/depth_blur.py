"""A scene blurred by depth: sharp at the subject's distance, softer with the difference from it.

A thin lens blurs a point by a disc whose diameter is proportional to the difference in disparity
from the plane of focus. Here the disc is a Gaussian, and a few levels of it are blended.
"""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np

from cleanplate.arrays import Bytes, Plane
from cleanplate.formats.pictures import resize

LEVELS = (0.0, 0.25, 0.5, 1.0)
"""Standard deviations of the blurred pictures, as shares of the largest."""

_COARSE = 3.0
"""From this standard deviation on, a picture is blurred at half its size, and so on."""


def blur_map(disparity: Plane, focus: float, span: float) -> Plane:
    """Give the share of the largest blur at each pixel: `|disparity - focus| / span`, at most 1.

    Args:
        disparity: (h, w), larger is nearer; nan counts as the farthest.
        focus: disparity that is sharp.
        span: difference at which the blur is the largest, above 0.
    """
    known = np.isfinite(disparity)
    far = disparity[known].min() if known.any() else np.float32(focus)
    apart = np.abs(np.where(known, disparity, far) - np.float32(focus)) / np.float32(span)
    return np.asarray(np.minimum(apart, 1), np.float32)


def span_of(disparity: Plane, focus: float) -> float:
    """Give the difference from the farthest point of the scene to its nearest, or to the focus.

    The farthest one then has the largest blur where the subject is before everything else.
    """
    known = disparity[np.isfinite(disparity)]
    if not known.size:
        return 1.0
    far, near = (float(value) for value in np.percentile(known, (1, 99)))
    return max(max(near, focus) - far, 1e-6)


def blurred(picture: Bytes, share: Plane, largest: float) -> Bytes:
    """Blur a picture by a different amount at each pixel.

    Args:
        picture: (H, W, 3) uint8.
        share: (h, w) in [0, 1] of the largest blur; interpolated if it is smaller.
        largest: standard deviation in pixels of `picture`.

    Returns:
        (H, W, 3) uint8; between two levels the two are mixed, in display values.
    """
    height, width = picture.shape[:2]
    if share.shape != (height, width):
        share = np.asarray(cv2.resize(share, (width, height), interpolation=cv2.INTER_LINEAR))
    found = picture
    for lower, upper in pairwise(LEVELS):
        weight = (share - np.float32(lower)) * np.float32(1 / (upper - lower))
        above = np.clip(weight, 0, 1)
        if not above.any():
            break
        softer = _gaussian(picture, upper * largest)
        # Where the share lies above this level the softer one replaces what was there.
        found = np.asarray(cv2.blendLinear(softer, found, above, 1 - above), np.uint8)
    return found


def _gaussian(picture: Bytes, deviation: float) -> Bytes:
    height, width = picture.shape[:2]
    factor = 1
    while deviation / factor >= _COARSE and min(height, width) // (2 * factor) >= 8:
        factor *= 2
    if factor > 1:
        size = (-(-width // factor), -(-height // factor))
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    soft = cv2.GaussianBlur(picture, (0, 0), deviation / factor)
    if factor > 1:
        soft = cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(soft, np.uint8)


class Focus:
    """The disparity that is sharp: the largest subject's, followed so that it does not jump.

    Args:
        following: share by which it goes to each frame's own.
    """

    def __init__(self, following: float = 0.2):
        self._following = following
        self._value: float | None = None

    def at(self, subject: Plane, alpha: Plane) -> float | None:
        """Give it for the next frame; without a subject it stays; None if there never was one.

        Args:
            subject: (h, w) disparity of the nearest subject at each pixel.
            alpha: of any size and the same shape.
        """
        inside = subject[resize(alpha, (subject.shape[0], subject.shape[1])) > 0.5]
        if inside.size:
            own = float(np.median(inside))
            last = own if self._value is None else self._value
            self._value = last + self._following * (own - last)
        return self._value
