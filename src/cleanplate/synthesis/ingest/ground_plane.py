"""Ground plane in a depth map, by RANSAC, and the camera's height and pitch over it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Plane
from cleanplate.depth import Intrinsics

_RANSAC_ITERATIONS = 400
_INLIER_TOLERANCE = 0.02
"""A pixel lies on the plane if its disparity is within this relative distance of the plane's."""
_GRID_ROWS = 96
"""The map is sampled on a grid of about this many rows."""
_MIN_INLIER_SHARE = 0.08
"""Least share of pixels on the floor,"""
_MAX_SHARE_BELOW = 0.10
"""most pixels below the floor, relative to those on it,"""
_MAX_ROLL = math.radians(6)
"""and largest roll of the camera: the compositor assumes cameras without roll."""
_MAX_PITCH = math.radians(55)
_MIN_DEPTH_RATIO = 1.35
"""Least ratio of the floor's farthest to nearest depth: else it is a table's edge."""


@dataclass(frozen=True)
class GroundPlane:
    """A horizontal surface seen from above, with little below it.

    Args:
        height: of the camera over it, metres (or the depth's unit).
        pitch: of the camera, radians, up is positive.
        roll: of the camera, radians.
        share: of the map's known pixels that lie on it.
        error: median relative difference of disparity from the plane's.
    """

    height: float
    pitch: float
    roll: float
    share: float
    error: float


def fit_ground_plane(
    disparity: Plane, intrinsics: Intrinsics, *, seed: int = 0
) -> GroundPlane | None:
    """Fit the floor of a scene; None if there is no reliable one.

    In a pinhole picture the disparity of a plane is an affine function of column and row, so
    three pixels define it: RANSAC over triples of the lower half (Fischler & Bolles 1981), then
    least squares over the inliers.

    Args:
        disparity: (H, W), 1/m; 0 and NaN are left out.
        intrinsics: of that size.
        seed: of the drawing of triples.
    """
    step = max(1, round(disparity.shape[0] / _GRID_ROWS))
    part = disparity[step // 2 :: step, step // 2 :: step]
    rows, columns = np.mgrid[: part.shape[0], : part.shape[1]]
    known = np.isfinite(part) & (part > 0)
    place = np.stack(
        [
            columns[known] * step + step // 2 + 0.5,
            rows[known] * step + step // 2 + 0.5,
            np.ones(int(known.sum())),
        ],
        axis=1,
    )
    values = part[known].astype(np.float64)
    low = np.flatnonzero(place[:, 1] > 0.5 * disparity.shape[0])
    if low.size < 30:
        return None
    best: tuple[int, npt.NDArray[np.float64]] | None = None
    for plane in _candidates(np.random.default_rng(seed), place, values, low):
        tilt = _camera_pose(plane, intrinsics)
        if tilt is None or not _plausible(*tilt[1:]):
            continue
        count = _support_score(place, values, plane)
        if best is None or count > best[0]:
            best = (count, plane)
    if best is None:
        return None
    plane = best[1]
    for _ in range(3):
        on = _inliers(place, values, plane)
        if on.sum() < 30:
            return None
        # Weighted by 1 / disparity: an error counts as its share, as in `_inliers`.
        plane = np.linalg.lstsq(place[on] / values[on, None], np.ones(int(on.sum())), rcond=None)[0]
    return _checked_plane(place, values, plane, intrinsics)


def _candidates(
    rng: np.random.Generator,
    place: npt.NDArray[np.float64],
    values: npt.NDArray[np.float64],
    low: npt.NDArray[np.intp],
) -> npt.NDArray[np.float64]:
    """Planes (n, 3) through triples of low pixels: disparity = plane . (column, row, 1)."""
    triples = low[rng.integers(low.size, size=(_RANSAC_ITERATIONS, 3))]
    corners = place[triples]
    wide = np.abs(np.linalg.det(corners)) > 1e-3 * np.ptp(place[:, 0]) * np.ptp(place[:, 1])
    found = np.linalg.solve(corners[wide], values[triples[wide]][..., None])
    return np.asarray(found[..., 0], np.float64)


def _camera_pose(
    plane: npt.NDArray[np.float64], intrinsics: Intrinsics
) -> tuple[float, float, float] | None:
    """Height, pitch and roll of the camera over a plane of disparity; None if it is below it."""
    a, b, c = plane
    normal = np.array(
        [a * intrinsics.fx, b * intrinsics.fy, c + a * intrinsics.cx + b * intrinsics.cy]
    )
    length = float(np.linalg.norm(normal))
    if length < 1e-9 or normal[1] <= 0:
        return None
    x, y, z = normal / length
    return 1 / length, math.atan2(-z, y), math.asin(max(-1.0, min(1.0, x)))


def _plausible(pitch: float, roll: float) -> bool:
    return abs(pitch) < _MAX_PITCH and abs(roll) < _MAX_ROLL


def _inliers(
    place: npt.NDArray[np.float64],
    values: npt.NDArray[np.float64],
    plane: npt.NDArray[np.float64],
) -> npt.NDArray[np.bool_]:
    return np.asarray(np.abs(place @ plane - values) < _INLIER_TOLERANCE * values)


def _below_plane(
    place: npt.NDArray[np.float64],
    values: npt.NDArray[np.float64],
    plane: npt.NDArray[np.float64],
) -> npt.NDArray[np.bool_]:
    """Pixels clearly farther than the plane where it is visible: a hole, or no floor."""
    expected = place @ plane
    return np.asarray((expected > 0) & (values < expected * (1 - 4 * _INLIER_TOLERANCE)))


def _support_score(
    place: npt.NDArray[np.float64],
    values: npt.NDArray[np.float64],
    plane: npt.NDArray[np.float64],
) -> int:
    """Count inliers, less twice the number of pixels below the plane."""
    on = int(_inliers(place, values, plane).sum())
    return on - 2 * int(_below_plane(place, values, plane).sum())


def _checked_plane(
    place: npt.NDArray[np.float64],
    values: npt.NDArray[np.float64],
    plane: npt.NDArray[np.float64],
    intrinsics: Intrinsics,
) -> GroundPlane | None:
    camera = _camera_pose(plane, intrinsics)
    if camera is None or not _plausible(*camera[1:]):
        return None
    on = _inliers(place, values, plane)
    share = float(on.mean())
    under = int(_below_plane(place, values, plane).sum())
    if share < _MIN_INLIER_SHARE or under > _MAX_SHARE_BELOW * on.sum():
        return None
    nearest, farthest = np.percentile(1 / values[on], [2, 98])
    if farthest < _MIN_DEPTH_RATIO * nearest:
        return None
    error = float(np.median(np.abs(place[on] @ plane - values[on]) / values[on]))
    return GroundPlane(*camera, share, error)
