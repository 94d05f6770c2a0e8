"""Movement of the camera between plate and frame, from corners tracked in thumbnails.

Corners of the plate's thumbnail are tracked into the frame by the pyramidal Lucas-Kanade method
(Bouguet 2001); one similarity is fitted to them by random consensus (RANSAC), so that the subject's
do not count. It detects movements from about a tenth of a pixel of the thumbnail up to some 20.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from cleanplate.predict.alignment.homography import corner_movement
from cleanplate.predict.alignment.keypoints import Points, spread
from cleanplate.predict.alignment.thumbnail import Uint8Image
from cleanplate.predict.size import Size

FEWEST = 8
SMALLEST_SHARE = 0.25
"""Below either, the corners do not prove that one view is the other."""

SMALLEST_SPREAD = 0.12
"""The corners that follow one movement must lie in so many of the picture's 6 x 6 cells."""

WIDE_SPREAD = 0.3
"""In fewer cells than this, only a shift is estimated: a turn would be a guess far from them."""

_TOLERANCE = 0.75
_STILL = 0.4
_LARGEST_ERROR = 20.0
_WINDOW = (17, 17)
_LEVELS = 3
_CRITERIA = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 20, 0.02)


@dataclass(frozen=True)
class Movement:
    """Movement of the camera, as displacement of the picture.

    pixels: largest displacement of a corner of the picture, at full size; nan if not measured.
    followed, share: number of points that agree with it, and their share of all.
    method: "corners" or "features"; "" if not measured.
    why_not: why it could not be measured, or "".
    """

    pixels: float = float("nan")
    followed: int = 0
    share: float = 0.0
    method: str = ""
    why_not: str = ""

    @property
    def measured(self) -> bool:
        """Whether the movement is known; if not, that does not mean that the camera stood still."""
        return not self.why_not

    def as_report(self) -> dict[str, Any]:
        """Plain numbers for the report; what was not measured is None."""
        return {
            "measured": self.measured,
            **({} if self.measured else {"why_not": self.why_not}),
            "moved_px": round(self.pixels, 2) if self.measured else None,
            "method": self.method or None,
            "followed": self.followed,
            "followed_share": round(self.share, 3),
        }


def track_movement(plate: Uint8Image, frame: Uint8Image, corners: Points, size: Size) -> Movement:
    """Track the plate's corners into the frame, and fit one similarity to them.

    Args:
        plate: (h, w) brightness of the plate's thumbnail, in the frame's exposure.
        frame: (h, w) brightness of the frame's.
        corners: (n, 2) in the plate.
        size: (height, width) of the full pictures, in whose pixels the answer is given.
    """
    total = len(corners)
    if total < FEWEST:
        return Movement(why_not="the plate has too few corners")
    start = (corners - np.float32(0.5)).reshape(-1, 1, 2)
    ends, found, error = cv2.calcOpticalFlowPyrLK(
        plate,
        frame,
        start,
        None,
        winSize=_WINDOW,
        maxLevel=_LEVELS,
        criteria=_CRITERIA,  # type: ignore[call-overload, unused-ignore]
    )
    kept = (found.ravel() > 0) & (error.ravel() < _LARGEST_ERROR)
    there = np.asarray(ends, np.float32).reshape(-1, 2) + np.float32(0.5)
    here, there = corners[kept], there[kept]
    too_few = Movement(why_not="too few corners of the plate are found again in the frame")
    if len(here) < FEWEST:
        return too_few
    height, width = plate.shape
    still = np.linalg.norm(there - here, axis=1) < _STILL
    matrix, inliers = cv2.estimateAffinePartial2D(
        here, there, method=cv2.RANSAC, ransacReprojThreshold=_TOLERANCE, maxIters=500
    )
    moving = np.zeros(len(here), bool) if matrix is None else inliers.ravel() > 0
    # The simplest movement that explains as much: none.
    standing = still.sum() >= 0.8 * moving.sum()
    inside = still if standing else moving
    share = float(inside.sum() / total)
    covers = spread(there[inside], (height, width))
    if inside.sum() < FEWEST or share < SMALLEST_SHARE or covers < SMALLEST_SPREAD:
        return too_few
    full = np.eye(3)
    if standing or covers < WIDE_SPREAD:
        # Not zero: half a pixel of the thumbnail is more in a large picture.
        full[:2, 2] = np.median(there[inside] - here[inside], axis=0) * (
            size[1] / width,
            size[0] / height,
        )
    else:
        to_full = np.diag([size[1] / width, size[0] / height, 1.0])
        full[:2] = matrix
        full = to_full @ full @ np.linalg.inv(to_full)
    return Movement(corner_movement(full, size), int(inside.sum()), share, "corners")
