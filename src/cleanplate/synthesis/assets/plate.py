"""A plate as arrays: picture, disparity, camera, and the points where a subject can stand."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Bytes, Plane
from cleanplate.depth import Intrinsics


@dataclass(frozen=True)
class Camera:
    """The plate's camera: pinhole, without roll.

    Args:
        intrinsics: in pixels of the plate.
        height: metres over the floor.
        pitch: radians, up is positive.
    """

    intrinsics: Intrinsics
    height: float
    pitch: float


class StandingPoints(NamedTuple):
    """Points of horizontal surfaces, n of each, float32.

    `u`, `v` in pixels of the plate (centres at + 0.5), depth `z` and `height` over the floor in
    metres.
    """

    u: npt.NDArray[np.float32]
    v: npt.NDArray[np.float32]
    z: npt.NDArray[np.float32]
    height: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Plate:
    """An empty scene.

    Args:
        name: for reports and metadata.
        picture: (H, W, 3) uint8 sRGB.
        disparity: (H, W) float32 in 1/m, 0 = infinitely far, NaN = unknown; None = no depth.
        camera: None if unknown.
    """

    name: str
    picture: Bytes
    disparity: Plane | None = None
    camera: Camera | None = None

    @cached_property
    def points(self) -> StandingPoints | None:
        """Points on horizontal surfaces seen from above; None without depth and camera."""
        if self.disparity is None or self.camera is None:
            return None
        return _find_standing_points(self.disparity, self.camera)

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return self.picture.nbytes + (0 if self.disparity is None else self.disparity.nbytes)


def _find_standing_points(disparity: Plane, camera: Camera) -> StandingPoints:
    step = max(1, round(disparity.shape[0] / 96))
    d = disparity[step // 2 :: step, step // 2 :: step]
    rows = (np.arange(d.shape[0], dtype=np.float32) * step + step // 2 + 0.5)[:, None]
    columns = (np.arange(d.shape[1], dtype=np.float32) * step + step // 2 + 0.5)[None, :]
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(d > 0, np.float32(1) / d, np.float32(np.nan))
    fx, fy, cx, cy = camera.intrinsics
    x = (columns - np.float32(cx)) / np.float32(fx) * z
    y = (rows - np.float32(cy)) / np.float32(fy) * z
    cos, sin = np.float32(np.cos(camera.pitch)), np.float32(np.sin(camera.pitch))
    height = np.float32(camera.height) - y * cos + z * sin
    ahead = z * cos + y * sin
    # The normal from differences over two steps; upwards where its tilt is below 20 degrees.
    ax, ay, az = (plane[1:-1, 2:] - plane[1:-1, :-2] for plane in (x, height, ahead))
    dx, dy, dz = (plane[2:, 1:-1] - plane[:-2, 1:-1] for plane in (x, height, ahead))
    nx, ny, nz = ay * dz - az * dy, az * dx - ax * dz, ax * dy - ay * dx
    with np.errstate(invalid="ignore", divide="ignore"):
        up = np.abs(ny) / np.sqrt(nx * nx + ny * ny + nz * nz)
        smooth = np.abs(dy) < 0.02 + 0.1 * np.abs(dz)
        good = (up > 0.94) & smooth & (height[1:-1, 1:-1] < camera.height - 0.05)
    good &= np.isfinite(z[1:-1, 1:-1])
    u = np.broadcast_to(columns, z.shape)[1:-1, 1:-1][good]
    v = np.broadcast_to(rows, z.shape)[1:-1, 1:-1][good]
    return StandingPoints(
        u.astype(np.float32), v.astype(np.float32), z[1:-1, 1:-1][good], height[1:-1, 1:-1][good]
    )
