"""Standing points: places where a subject may stand, from the depth of the empty scene."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Mask, Plane
from cleanplate.render.cameras import ground_view
from cleanplate.render.scenes.scene_description import CameraPose, Point

_LEVEL_TOLERANCE = 0.03
"""Metres: heights this close are one level."""


def camera_axes(camera: CameraPose) -> tuple[npt.NDArray[np.float64], ...]:
    """Give the camera's right, down and forward axes in the world, each (3,)."""
    ch, sh = math.cos(camera.heading), math.sin(camera.heading)
    cp, sp = math.cos(camera.pitch), math.sin(camera.pitch)
    right = np.array([sh, -ch, 0.0])
    forward = np.array([ch * cp, sh * cp, sp])
    return right, np.cross(forward, right), forward


def unproject(
    camera: CameraPose, size: tuple[int, int], row: float, column: float, z: float
) -> Point:
    """Give the world point of a pixel at planar depth `z`; pixel centres are at + 0.5."""
    height, width = size
    right, down, forward = camera_axes(camera)
    focal = camera.focal * width
    place = (column - width / 2) / focal * right + (row - height / 2) / focal * down + forward
    x, y, up = np.asarray(camera.position) + z * place
    return float(x), float(y), float(up)


def project(
    camera: CameraPose, size: tuple[int, int], points: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Project points (n, 3) to column, row (centres at + 0.5) and planar depth."""
    height, width = size
    right, down, forward = camera_axes(camera)
    ways = points - np.asarray(camera.position)
    z = ways @ forward
    far = np.where(np.abs(z) < 1e-6, 1e-6, z)
    focal = camera.focal * width
    return width / 2 + focal * (ways @ right) / far, height / 2 + focal * (ways @ down) / far, z


def ground_mask(depth: Plane, camera: CameraPose, level: float) -> Mask:
    """Tell which pixels see the ground: (H, W)."""
    return np.asarray(np.abs(ground_view.height_map(depth, camera) - level) < _LEVEL_TOLERANCE)


def raised_surface_mask(depth: Plane, camera: CameraPose, level: float) -> Mask:
    """Tell which pixels see a level surface above the ground: (H, W)."""
    heights = ground_view.height_map(depth, camera)
    flat = np.zeros(depth.shape, bool)
    middle = heights[2:-2, 2:-2]
    with np.errstate(invalid="ignore"):
        spread = np.maximum(
            np.abs(heights[4:, 2:-2] - heights[:-4, 2:-2]),
            np.abs(heights[2:-2, 4:] - heights[2:-2, :-4]),
        )
        flat[2:-2, 2:-2] = (spread < 0.006) & (middle > level + 0.15) & (middle < level + 1.3)
    return flat


def sample_visible_point(
    rng: np.random.Generator,
    depth: Plane,
    camera: CameraPose,
    mask: Mask,
    reach: tuple[float, float],
) -> Point | None:
    """Draw a visible point within a mask and a range of depth in metres; None if too few.

    Uniform in the logarithm of depth, not by area.
    """
    rows, columns = np.nonzero(mask & (depth > reach[0]) & (depth < reach[1]))
    if rows.size < 20:
        return None
    z = depth[rows, columns]
    wanted = math.exp(rng.uniform(*np.log(reach)))
    order = np.argsort(np.abs(np.log(z / wanted)))[: max(20, rows.size // 8)]
    k = order[rng.integers(order.size)]
    return unproject(camera, depth.shape[:2], rows[k] + 0.5, columns[k] + 0.5, float(z[k]))


def sample_any_point(
    rng: np.random.Generator,
    camera: CameraPose,
    size: tuple[int, int],
    level: float,
    reach: tuple[float, float],
) -> Point:
    """Draw a point of the ground before the camera, visible or hidden."""
    right, _, _ = camera_axes(camera)
    z = math.exp(rng.uniform(*np.log(reach)))
    ahead = np.array([math.cos(camera.heading), math.sin(camera.heading), 0.0])
    across = rng.uniform(-0.45, 0.45) * z / camera.focal
    x, y, _ = np.asarray(camera.position) + z * ahead + across * right
    return float(x), float(y), level


def visible_shares(
    depth: Plane, camera: CameraPose, points: npt.NDArray[np.float64]
) -> tuple[float, float, tuple[float, float, float, float]]:
    """Measure how much of a subject is visible.

    Args:
        depth: (H, W) of the empty scene.
        camera: the camera.
        points: (n, 3) of the subject in the world.

    Returns:
        The share of its points within the picture, the share of all its points that nothing
        hides, and the left, top, right, bottom of the part in the picture, in pixels.
    """
    height, width = depth.shape
    column, row, z = project(camera, (height, width), points)
    inside = (z > 0.05) & (column >= 0) & (column < width) & (row >= 0) & (row < height)
    if not inside.any():
        return 0.0, 0.0, (0.0, 0.0, 0.0, 0.0)
    u, v = column[inside], row[inside]
    free = z[inside] < depth[v.astype(int), u.astype(int)] + 0.03
    box = (float(u.min()), float(v.min()), float(u.max()), float(v.max()))
    return float(inside.mean()), float(free.sum() / len(points)), box
