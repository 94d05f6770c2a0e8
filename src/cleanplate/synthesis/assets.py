"""Plates and cutouts as arrays, with what placement and shadow need to know of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Plane
from cleanplate.depth import Intrinsics

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Camera:
    """Where the plate's camera stands: pinhole, level left to right.

    `height` in metres over the floor; `pitch` in radians, up is positive.
    """

    intrinsics: Intrinsics
    height: float
    pitch: float


class Points(NamedTuple):
    """Places on which something can stand, n of each, float32.

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
        name: for reports.
        picture: (H, W, 3) uint8 sRGB.
        disparity: (H, W) float32 in 1/m, 0 = infinitely far, NaN = unknown; None = no depth.
        camera: None where it is unknown.
    """

    name: str
    picture: Bytes
    disparity: Plane | None = None
    camera: Camera | None = None

    @cached_property
    def points(self) -> Points | None:
        """Points on horizontal surfaces seen from above; None without depth and camera."""
        if self.disparity is None or self.camera is None:
            return None
        return _standing_points(self.disparity, self.camera)

    @property
    def nbytes(self) -> int:
        """Memory it takes."""
        return self.picture.nbytes + (0 if self.disparity is None else self.disparity.nbytes)


def _standing_points(disparity: Plane, camera: Camera) -> Points:
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
    return Points(
        u.astype(np.float32), v.astype(np.float32), z[1:-1, 1:-1][good], height[1:-1, 1:-1][good]
    )


class Level(NamedTuple):
    """A cutout at one resolution: (h, w, 4) uint8 straight sRGB + alpha, (h, w) float32 metres."""

    rgba: Bytes
    depth: Plane


class Footprint(NamedTuple):
    """What touches the ground, seen from the cutout's camera, in metres from the foot point.

    `across` (n,) rising positions, `cover` (n,) in [0, 1]; `near` and `far` are the ends along
    the view.
    """

    across: npt.NDArray[np.float32]
    cover: npt.NDArray[np.float32]
    near: float
    far: float


_BORDER = 2
"""Clear pixels around every cutout, so that filters at its border meet alpha 0."""


@dataclass(frozen=True)
class Cutout:
    """A subject by itself.

    Args:
        name: for reports.
        kind: person, animal, vehicle, object or any other word.
        colour: (h, w, 3) uint8 straight sRGB, meant also where alpha is 0.
        alpha: (h, w) uint8.
        depth: (h, w) float32 metres relative to the foot point, meant everywhere; zero = flat.
        foot: pixel (x, y) of the foot point, centres at + 0.5; may lie outside.
        pixels_per_metre: at the foot point's depth.
        size: width, depth, height in metres.
        view_angle: by how much the camera looks down on the foot point, radians; None = unknown.
        cut: borders (left, right, bottom, top) that cut the subject.
        half: True where the lower body is missing.
    """

    name: str
    kind: str
    colour: Bytes
    alpha: Bytes
    depth: Plane
    foot: tuple[float, float]
    pixels_per_metre: float
    size: tuple[float, float, float]
    view_angle: float | None = None
    cut: frozenset[str] = frozenset()
    half: bool = False
    credit: Mapping[str, str] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """Memory it takes with its levels: eight bytes a pixel, and a third more for the others."""
        return 11 * self.alpha.size

    @cached_property
    def levels(self) -> tuple[Level, ...]:
        """Halved again and again down to 8 pixels; level k has a border of two clear pixels."""
        rgba = np.asarray(cv2.cvtColor(self.colour, cv2.COLOR_RGB2RGBA), np.uint8)
        cv2.insertChannel(self.alpha, rgba, 3)
        depth = self.depth
        found = [_bordered(rgba, depth)]
        while min(depth.shape) >= 16:
            half = (depth.shape[1] // 2, depth.shape[0] // 2)
            area = cv2.INTER_AREA
            rgba = np.asarray(cv2.resize(rgba, half, interpolation=area), np.uint8)
            depth = np.asarray(cv2.resize(depth, half, interpolation=area), np.float32)
            found.append(_bordered(rgba, depth))
        # From now on the cutout's own pictures are parts of the finest level: kept once, not twice.
        inside = slice(_BORDER, -_BORDER)
        object.__setattr__(self, "colour", found[0].rgba[inside, inside, :3])
        object.__setattr__(self, "alpha", found[0].rgba[inside, inside, 3])
        object.__setattr__(self, "depth", found[0].depth[inside, inside])
        return tuple(found)

    def level(self, scale: float) -> tuple[Level, float, float]:
        """Give the level to draw at `scale` (output pixels per cutout pixel), and its own scales.

        Returns the level and by how much it is smaller than the cutout in x and y.
        """
        k = 0
        while k + 1 < len(self.levels) and scale * 2 ** (k + 1) <= 1.2:
            k += 1
        level = self.levels[k]
        height, width = level.depth.shape
        return (
            level,
            (width - 2 * _BORDER) / self.alpha.shape[1],
            (height - 2 * _BORDER) / self.alpha.shape[0],
        )

    @cached_property
    def footprint(self) -> Footprint:
        """Where the lowest part of the subject meets the ground."""
        solid = self.alpha > 127
        rows = np.flatnonzero(solid.any(1))
        if not rows.size:
            nothing = np.zeros(2, np.float32)
            return Footprint(np.asarray([-1e-3, 1e-3], np.float32), nothing, 0.0, 0.0)
        top, bottom = int(rows[0]), int(rows[-1]) + 1
        # Looking down, the ground that the subject covers is foreshortened into more rows.
        share = 0.08 + 0.25 * abs(np.sin(self.view_angle or 0.0))
        band = slice(max(top, bottom - max(2, round(share * (bottom - top)))), bottom)
        cover = solid[band].mean(0).astype(np.float32)
        cover = np.minimum(cover * np.float32(3), np.float32(1))
        across = np.arange(cover.size, dtype=np.float32) + np.float32(0.5 - self.foot[0])
        across /= np.float32(self.pixels_per_metre)
        depth = self.depth[band][solid[band]]
        near, far = np.percentile(depth, [10, 90]) if depth.size else (0.0, 0.0)
        return Footprint(across, cover, float(near), float(far))


def _bordered(rgba: Bytes, depth: Plane) -> Level:
    edge = (_BORDER,) * 4
    wide = np.asarray(cv2.copyMakeBorder(rgba, *edge, cv2.BORDER_REPLICATE), np.uint8)
    for rim in (wide[:_BORDER], wide[-_BORDER:], wide[:, :_BORDER], wide[:, -_BORDER:]):
        rim[..., 3] = 0
    deep = cv2.copyMakeBorder(depth, *edge, cv2.BORDER_REPLICATE)
    return Level(wide, np.asarray(deep, np.float32))


BORDER = _BORDER
"""Clear pixels around a level of a cutout."""


def fill_outside(values: npt.NDArray, known: npt.NDArray[np.bool_]) -> npt.NDArray:  # type: ignore[type-arg]
    """Carry values into unknown pixels from the nearest known one, (h, w) or (h, w, C)."""
    if known.all() or not known.any():
        return values
    _, labels = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    # Each known pixel is its own label: turn labels into flat positions.
    flat = np.flatnonzero(known)
    position = np.zeros(flat.size + 1, np.intp)
    position[labels.ravel().take(flat)] = flat
    source = position.take(np.asarray(labels, np.int32))
    if values.dtype == np.uint8 and values.shape[2:] == (3,):
        # As one number for each pixel, colours are gathered five times faster.
        four = cv2.cvtColor(values, cv2.COLOR_RGB2RGBA).view(np.uint32)
        carried = four.ravel().take(source).view(np.uint8).reshape(*known.shape, 4)
        return np.asarray(cv2.cvtColor(carried, cv2.COLOR_RGBA2RGB))
    return values.reshape(-1, *values.shape[2:]).take(source, axis=0)
