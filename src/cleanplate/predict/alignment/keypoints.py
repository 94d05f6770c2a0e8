"""Keypoints of a picture, and those that two pictures of one scene have in common."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.predict.size import Size

Points = npt.NDArray[np.float32]
"""(n, 2), x and y in pixels, pixel centres at integers + 0.5."""

_RATIO = 0.8
_CONTRAST = 0.02


@dataclass(frozen=True)
class Keypoints:
    """Keypoints of a picture.

    grey: (h, w) uint8 brightness.
    points: (n, 2) float32, x and y.
    descriptors: (n, 128) float32, SIFT.
    """

    grey: npt.NDArray[np.uint8]
    points: Points
    descriptors: npt.NDArray[np.float32]

    @classmethod
    def of(cls, picture: npt.NDArray[np.uint8], most: int = 4000) -> Keypoints:
        """Find at most `most` keypoints of an (h, w, 3) uint8 picture: SIFT (Lowe 2004)."""
        grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
        finder = cv2.SIFT.create(nfeatures=most, contrastThreshold=_CONTRAST)
        points, descriptors = finder.detectAndCompute(grey, None)  # type: ignore[call-overload, unused-ignore]
        if descriptors is None:
            return cls(grey, np.empty((0, 2), np.float32), np.empty((0, 128), np.float32))
        # OpenCV's pixel centres lie at integers.
        places = np.array([point.pt for point in points], np.float32) + 0.5
        return cls(grey, places, np.asarray(descriptors, np.float32))


def matches(plate: Keypoints, frame: Keypoints) -> tuple[Points, Points]:
    """Match keypoints of plate and frame: (n, 2) points in each.

    By Lowe's ratio test, and no keypoint of the frame twice: the closest match is kept.
    """
    if min(len(plate.points), len(frame.points)) < 2:
        return plate.points[:0], frame.points[:0]
    pairs = cv2.BFMatcher(cv2.NORM_L2).knnMatch(plate.descriptors, frame.descriptors, k=2)
    best: dict[int, cv2.DMatch] = {}
    for one, two in pairs:
        rival = best.get(one.trainIdx)
        if one.distance < _RATIO * two.distance and (
            rival is None or one.distance < rival.distance
        ):
            best[one.trainIdx] = one
    good = list(best.values())
    return plate.points[[m.queryIdx for m in good]], frame.points[[m.trainIdx for m in good]]


def spread(points: Points, size: Size, cells: int = 6) -> float:
    """Share of the picture's cells that hold a point."""
    rows = np.clip((points[:, 1] / size[0] * cells).astype(int), 0, cells - 1)
    columns = np.clip((points[:, 0] / size[1] * cells).astype(int), 0, cells - 1)
    return len(set(zip(rows.tolist(), columns.tolist(), strict=True))) / cells**2
