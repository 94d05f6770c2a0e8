"""Thumbnails of plate and frame, on which plate health is measured."""

from __future__ import annotations

from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Coded, Picture
from cleanplate.formats.pictures import as_uint8, shrink
from cleanplate.predict.alignment.keypoints import Keypoints, Points
from cleanplate.predict.size import working_size

THUMBNAIL_SIZE = 512
"""Long side, in pixels, of the thumbnails."""

MOST_KEYPOINTS = 800
"""Most keypoints that are used of a thumbnail."""

MOST_CORNERS = 160
"""Most corners that are tracked of the plate's thumbnail."""

Uint8Image = npt.NDArray[np.uint8]


def thumbnail(picture: Coded | Picture, long_side: int = THUMBNAIL_SIZE) -> Uint8Image:
    """Shrink a picture to (h, w, 3) uint8 with at most `long_side` pixels a side."""
    small = shrink(picture, working_size((picture.shape[0], picture.shape[1]), long_side))
    return as_uint8(small)


class PlateThumbnail:
    """The plate's thumbnail, (h, w, 3) uint8, and what is measured on it once, when first needed.

    Every property is a function of the pixels, so threads that compute one twice get the same.
    """

    def __init__(self, pixels: Uint8Image, blockiness: float = 1.0):
        self.pixels = pixels
        self.blockiness = blockiness

    @classmethod
    def of(cls, plate: Coded | Picture) -> PlateThumbnail:
        """Shrink a plate."""
        return cls(thumbnail(plate), blockiness(plate))

    @cached_property
    def span(self) -> float:
        """Between which levels the picture lies; see `span_of`."""
        return span_of(self.pixels)

    @cached_property
    def corners(self) -> Points:
        """(n, 2) corners by Shi and Tomasi 1994, spread over the picture."""
        grey = cv2.GaussianBlur(grey_of(self.pixels), (0, 0), 1.0)
        apart = max(3.0, max(grey.shape) / 40)
        found = cv2.goodFeaturesToTrack(grey, MOST_CORNERS, 0.01, apart, blockSize=5)
        if found is None:
            return np.empty((0, 2), np.float32)
        return np.asarray(found, np.float32).reshape(-1, 2) + np.float32(0.5)

    @cached_property
    def keypoints(self) -> Keypoints:
        """Keypoints, which are found again after any movement: slow, so only where needed."""
        return Keypoints.of(self.pixels, MOST_KEYPOINTS)


def blockiness(picture: Coded | Picture) -> float:
    """By how many times levels step more at every eighth column than between: JPEG's blocks.

    About 1 for a picture as a camera gives it; 1.0 for pictures that are not 8-bit or too small.
    """
    if picture.dtype != np.uint8 or picture.shape[1] < 64 or picture.shape[0] < 16:
        return 1.0
    rows = np.asarray(picture[:: max(1, picture.shape[0] // 180), :, 1], np.uint8, order="C")
    steps = cv2.absdiff(rows[:, 1:], rows[:, :-1])
    means = cv2.reduce(steps, 0, cv2.REDUCE_AVG, dtype=cv2.CV_32F).ravel()
    # A tenth of a level keeps the ratio of flat pictures near 1.
    return float((means[7::8].mean() + 0.1) / (means[3::8].mean() + 0.1))


def grey_of(picture: Uint8Image) -> Uint8Image:
    """(h, w) uint8 brightness of (h, w, 3) RGB."""
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)


def span_of(picture: Uint8Image) -> float:
    """Between which levels (1st to 99th percentile, widest channel) the smoothed picture lies."""
    soft = cv2.blur(picture, (9, 9))[::2, ::2].reshape(-1, 3)
    low, high = np.percentile(soft, [1, 99], axis=0)
    return float((high - low).max())
