"""Segmentation metrics of a thresholded matte: IoU and boundary F measure."""

from __future__ import annotations

import cv2
import numpy as np

from cleanplate.arrays import Mask, Plane
from cleanplate.metrics.alpha_metrics import check_alphas


def iou(alpha: Plane, truth: Plane, *, threshold: float = 0.5) -> float:
    """Compute the intersection over union of {alpha >= threshold} and {truth >= threshold}.

    Args:
        alpha: (H, W) predicted, float in [0, 1].
        truth: (H, W) true, float in [0, 1].
        threshold: alpha from which a pixel belongs to the mask.

    Returns:
        0 to 1; 1 if both masks are empty.

    Raises:
        ValueError: as `sad`.

    Examples:
        >>> alpha, truth = np.array([[1.0, 1.0, 0.0]]), np.array([[1.0, 0.0, 0.0]])
        >>> float(iou(alpha, truth))  # one pixel in both, two in either
        0.5
    """
    check_alphas(alpha, truth)
    predicted, true = alpha >= threshold, truth >= threshold
    union = np.count_nonzero(predicted | true)
    return np.count_nonzero(predicted & true) / union if union else 1.0


def boundary_f(
    alpha: Plane, truth: Plane, *, tolerance: float = 2.0, threshold: float = 0.5
) -> float:
    """Compute the boundary F measure: outlines matched within `tolerance` pixels.

    An outline pixel differs from its right, lower or lower right neighbour, as in DAVIS (Perazzi
    et al., CVPR 2016), which uses a tolerance of ceil(0.008 x diagonal).

    Args:
        alpha: (H, W) predicted, float in [0, 1].
        truth: (H, W) true, float in [0, 1].
        tolerance: Euclidean distance in pixels, at least 0.
        threshold: alpha from which a pixel belongs to the mask.

    Returns:
        0 to 1; 1 if neither mask has an outline, 0 if only one has.

    Raises:
        ValueError: as `sad`, or if the tolerance is negative.

    Examples:
        >>> alpha, truth = np.array([[1.0, 0, 0, 0, 0]]), np.array([[1.0, 1, 1, 1, 0]])
        >>> boundary_f(alpha, truth)  # outlines at columns 0 and 3, farther apart than 2 pixels
        0.0
        >>> float(boundary_f(alpha, truth, tolerance=3))  # 2 * 1 * 1 / (1 + 1)
        1.0
    """
    check_alphas(alpha, truth)
    if tolerance < 0:
        raise ValueError(f"tolerance must be at least 0 pixels, not {tolerance}")
    predicted, true = (_outline(plane >= threshold) for plane in (alpha, truth))
    counts = int(np.count_nonzero(predicted)), int(np.count_nonzero(true))
    if not all(counts):
        return float(counts == (0, 0))
    precision = np.count_nonzero(predicted & _grown(true, tolerance)) / counts[0]
    recall = np.count_nonzero(true & _grown(predicted, tolerance)) / counts[1]
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _outline(mask: Mask) -> Mask:
    padded = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    return np.asarray(
        (mask != padded[:-1, 1:]) | (mask != padded[1:, :-1]) | (mask != padded[1:, 1:])
    )


def _grown(mask: Mask, radius: float) -> Mask:
    reach = int(radius)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disk = (x**2 + y**2 <= radius**2).astype(np.uint8)
    return np.asarray(cv2.dilate(mask.astype(np.uint8), disk) > 0)
