"""Plane homographies: how pixels of the plate move to pixels of the frame, and pictures with them.

All matrices count pixel centres at integers + 0.5 (Hartley and Zisserman 2004, section 2.3).
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Mask
from cleanplate.predict.size import Size

Matrix = npt.NDArray[np.float64]
"""(3, 3), from plate pixels to frame pixels, pixel centres at integers + 0.5."""


def warp(picture: npt.NDArray[Any], matrix: Matrix, *, nearest: bool = False) -> npt.NDArray[Any]:
    """`picture` (H, W[, C]) in the frame's view; beyond its edge the edge is repeated."""
    moved = cv2.warpPerspective(
        picture,
        _for_opencv(matrix),
        picture.shape[1::-1],
        flags=cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(moved)


def covered(size: Size, matrix: Matrix) -> Mask:
    """(H, W), True where the registered plate has a pixel."""
    ones = np.full(size, 255, np.uint8)
    inside = cv2.warpPerspective(
        ones, _for_opencv(matrix), size[::-1], flags=cv2.INTER_LINEAR, borderValue=(0,)
    )
    return inside >= 254


def scaled(matrix: Matrix, scale: float) -> Matrix:
    """Give `matrix` for pictures `scale` times as wide and high."""
    zoom = np.diag([scale, scale, 1.0])
    return np.asarray(zoom @ matrix @ np.linalg.inv(zoom), np.float64)


def corner_movement(matrix: Matrix, size: Size) -> float:
    """Measure the largest distance in pixels that a corner of (height, width) moves."""
    ends = corners(size)
    return float(np.linalg.norm(transform(matrix, ends) - ends, axis=1).max())


def corners(size: Size) -> npt.NDArray[np.float64]:
    """Give the corners of a picture of (height, width): (4, 2), x and y, clockwise."""
    height, width = size
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)


def transform(matrix: Matrix, points: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Move points (n, 2), x and y, by a homography."""
    homogeneous = np.column_stack([points, np.ones(len(points))]) @ matrix.T
    return homogeneous[:, :2] / homogeneous[:, 2:]


def inverse(matrix: Matrix) -> Matrix:
    """Invert a homography; its last element is 1."""
    inverted = np.asarray(np.linalg.inv(matrix), np.float64)
    return np.asarray(inverted / inverted[2, 2])


def _for_opencv(matrix: Matrix) -> Matrix:
    """Give the same movement with pixel centres at integers, as OpenCV counts them."""
    shift = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])
    return np.asarray(np.linalg.inv(shift) @ matrix @ shift, np.float64)
