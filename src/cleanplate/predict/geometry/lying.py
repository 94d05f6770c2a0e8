"""Small things that lie on a surface facing the camera: their depth is the surface's.

The regressor of `subject_depth` learned from subjects that stand, of which the nearest part of what
they hide is the bound. Of what lies on a table or in a box below the camera, every part is just
above the part of the surface that it hides.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Mask, Plane
from cleanplate.predict.geometry.subject_regions import Subject

Numbers = npt.NDArray[np.float64]

LARGEST = 0.5
"""Longest side in metres of what can lie; at the floor's distance, people seen from
above are larger."""
FACING = 50.0
"""Degrees between the surface's normal and the line of sight, at most: floors seen from a person's
height make 60 and more."""
FLAT = 0.03
"""Median deviation of the surface from a plane, as a share of its disparity, at most."""
HIGHEST = 0.03
"""Metres that a thing's seen side is assumed to lie above the surface, at most."""

_AROUND = 4
_FEWEST = 24


def lying_disparity(subject: Subject, disparity: Plane, focal: float) -> Plane | None:
    """Give the disparity of a subject that lies on a surface facing the camera.

    The surface is a plane in a neighbourhood of the subject: its disparity is linear in the
    picture, a x + b y + c, and its normal is (a f, b f, c) for pixels from the optical axis.

    Args:
        subject: of `subject_regions.connected`.
        disparity: (h, w) of the plate in 1/m; nan where unknown.
        focal: focal length in pixels of this size.

    Returns:
        The plane's disparity in the subject's box, raised by half of the subject's narrow width
        and `HIGHEST` at most; None if it does not lie.
    """
    height, width = disparity.shape
    rows, columns = subject.mask.shape
    top, left, bottom, right = subject.box
    around = (
        slice(max(0, top - _AROUND), min(height, bottom + _AROUND)),
        slice(max(0, left - _AROUND), min(width, right + _AROUND)),
    )
    near = _grown(subject, around)
    seen = disparity[around]
    use = near & np.isfinite(seen)
    if use.sum() < max(_FEWEST, 0.3 * near.sum()):
        return None
    middle = float(np.median(seen[use]))
    if middle <= 0 or max(rows, columns) / (focal * middle) > LARGEST:
        return None
    y, x = np.mgrid[around].astype(np.float64)
    place = np.stack([x - width / 2, y - height / 2, np.ones_like(x)], -1)
    plane = _fitted(place[use], seen[use].astype(np.float64))
    found = place @ plane
    if np.median(np.abs(seen[use] - found[use])) > FLAT * middle:
        return None
    normal = plane * (focal, focal, 1)
    sight = np.array([*place[near].mean(0)[:2] / focal, 1])
    cosine = normal @ sight / np.linalg.norm(normal) / np.linalg.norm(sight)
    if cosine < math.cos(math.radians(FACING)):
        return None
    padded = np.pad(subject.mask.astype(np.uint8), 1)
    radius = float(cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_5).max())
    raised = min(radius / (focal * middle), HIGHEST)
    inner = found[top - around[0].start :, left - around[1].start :][:rows, :columns]
    metres = np.maximum(1 / np.maximum(inner, 1e-6) - raised, HIGHEST)
    return np.asarray(1 / metres, np.float32)


def _grown(subject: Subject, around: tuple[slice, slice]) -> Mask:
    top, left, bottom, right = subject.box
    mask = np.zeros([one.stop - one.start for one in around], np.uint8)
    y, x = top - around[0].start, left - around[1].start
    mask[y : y + bottom - top, x : x + right - left] = subject.mask
    window = np.ones((2 * _AROUND + 1,) * 2, np.uint8)
    return np.asarray(cv2.dilate(mask, window) > 0)


def _fitted(place: Numbers, values: Numbers) -> Numbers:
    """Fit values = place @ plane, least squares, twice: the second time without outliers."""
    plane = np.linalg.lstsq(place, values, rcond=None)[0]
    error = np.abs(values - place @ plane)
    good = error <= 3 * np.median(error) + 1e-9
    return np.asarray(np.linalg.lstsq(place[good], values[good], rcond=None)[0])
