"""Placement of a subject in a view: position, size and depth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cleanplate.synthesis.assets.cutout import Cutout
from cleanplate.synthesis.assets.plate import Camera, StandingPoints
from cleanplate.synthesis.compositor.view import SceneView

_FLOOR_HEIGHT = 0.08
"""Metres: lower standing points belong to the floor, higher ones to furniture."""
_ANGLE_SPREAD = 0.14
"""Standard deviation in radians between the plate's view of a foot point and the cutout's."""


@dataclass(frozen=True)
class Placement:
    """One subject in a view.

    Args:
        cutout: the subject.
        mirrored: left to right.
        scale: output pixels per cutout pixel.
        x: column of the foot point in the view, centres at + 0.5; may lie outside.
        y: its row.
        z: the foot point's depth in metres; None if the view has no depth.
        support: metres over the floor of the surface that it stands on; None if unknown.
        metres: factor from its true size; its relative depth scales with it.
        how: grounded, portrait or uniform.
    """

    cutout: Cutout
    mirrored: bool
    scale: float
    x: float
    y: float
    z: float | None
    support: float | None
    metres: float
    how: str

    @property
    def rectangle(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of the cutout's picture in the view, in pixels."""
        h, w = self.cutout.alpha.shape
        foot_x = w - self.cutout.foot[0] if self.mirrored else self.cutout.foot[0]
        left, top = self.x - self.scale * foot_x, self.y - self.scale * self.cutout.foot[1]
        return left, top, left + self.scale * w, top + self.scale * h


def scale_at(cutout: Cutout, camera: Camera, z: float, metres: float = 1.0) -> float:
    """Output pixels per cutout pixel of a subject at depth `z` metres, true to size."""
    return camera.intrinsics.fy / z / cutout.pixels_per_metre * metres


def project_row(camera: Camera, z: float, height: float = 0.0) -> float:
    """Project a point `height` metres over the floor at depth `z` to its row."""
    cos, sin = np.cos(camera.pitch), np.sin(camera.pitch)
    down = (sin + (camera.height - height) / z) / cos
    return float(camera.intrinsics.cy + camera.intrinsics.fy * down)


def place_grounded(
    rng: np.random.Generator,
    cutout: Cutout,
    view: SceneView,
    *,
    mirrored: bool,
    true_size: bool = False,
) -> Placement | None:
    """Place the subject on a surface of the plate; None if none fits.

    People keep their size (a share are children); the other kinds may be larger or smaller than
    in reality, because the class of a subject does not matter here. `true_size` keeps all sizes.
    """
    camera, points = view.camera, view.points
    if camera is None or points is None:
        return None
    height, _ = view.size
    # A camera lower than 0.6 m is over a table top, where people would be dolls.
    person = cutout.kind == "person" and (true_size or camera.height > 0.6)
    on_floor = person or cutout.kind == "vehicle" or rng.random() < 0.5
    point = _sample_standing_point(rng, cutout, camera, points, floor=on_floor, height=height)
    if point is None and not on_floor:
        point = _sample_standing_point(rng, cutout, camera, points, floor=True, height=height)
    if point is None or (person and not true_size and rng.random() < 0.12):
        point = _sample_point_below(rng, view, camera)
    x, y, z, support = point
    if true_size:
        metres = 1.0
    elif person:
        metres = rng.uniform(0.5, 0.8) if rng.random() < 0.12 else rng.uniform(0.88, 1.08)
    else:
        wanted = height * np.exp(rng.uniform(np.log(0.08), np.log(0.6)))
        natural = cutout.alpha.shape[0] * scale_at(cutout, camera, z)
        metres = float(np.clip(wanted / natural, 0.15, 10))
        # No higher than a room.
        metres = min(metres, 2.4 / max(cutout.size[2], 1e-3))
    scale = scale_at(cutout, camera, z, metres)
    if scale * max(cutout.alpha.shape) < 10 or scale > 6:
        return None
    return Placement(cutout, mirrored, scale, x, y, z, support, metres, "grounded")


def _sample_standing_point(
    rng: np.random.Generator,
    cutout: Cutout,
    camera: Camera,
    points: StandingPoints,
    *,
    floor: bool,
    height: int,
) -> tuple[float, float, float, float] | None:
    """Draw a point (column, row, depth, height over the floor) seen at about the cutout's angle."""
    low = points.height < _FLOOR_HEIGHT
    fits = low & (points.height > -_FLOOR_HEIGHT) if floor else ~low
    chosen = np.flatnonzero(fits & (points.z > 0.3))
    if chosen.size < 12:
        return None
    z, up = points.z[chosen], points.height[chosen]
    if cutout.view_angle is None:
        weight = np.ones(z.size)
    else:
        angle = np.arctan2(camera.height - up, z)
        weight = np.exp(-0.5 * ((angle - cutout.view_angle) / _ANGLE_SPREAD) ** 2) + 1e-4
    if cutout.kind == "person":
        pixels = camera.intrinsics.fy / z * cutout.size[2]
        weight = weight * ((pixels > 0.12 * height) & (pixels < 1.7 * height))
    total = weight.sum()
    if total < 1e-9:
        return None
    # Not Generator.choice, which checks and copies the weights first.
    index = int(np.searchsorted(np.cumsum(weight), rng.random() * total))
    i = chosen[min(index, chosen.size - 1)]
    support = 0.0 if floor else float(points.height[i])
    return float(points.u[i]), float(points.v[i]), float(points.z[i]), support


def _sample_point_below(
    rng: np.random.Generator, view: SceneView, camera: Camera
) -> tuple[float, float, float, float]:
    """Draw a point of the floor that lies below the picture or behind furniture."""
    height, width = view.size
    z = rng.uniform(0.8, 3.5)
    for _ in range(4):
        if project_row(camera, z) > 0.9 * height:
            break
        z *= 0.7
    return rng.uniform(0.05, 0.95) * width, project_row(camera, z), z, 0.0


def place_portrait(
    rng: np.random.Generator, cutout: Cutout, view: SceneView, *, mirrored: bool
) -> Placement:
    """Place a large subject, cut by the picture's lower border, nearer than the plate behind it."""
    height, width = view.size
    h, w = cutout.alpha.shape
    sides = _mirrored_sides(cutout, mirrored)
    if cutout.half or "bottom" in cutout.cut:
        scale = height * rng.uniform(0.5, 1.1) / h
        bottom = height + 1.5 + rng.exponential(0.06) * height
    else:  # a full figure: its lower part is outside the picture
        scale = height * rng.uniform(1.0, 2.3) / h
        bottom = height * rng.uniform(0.1, 0.5) + scale * h
        bottom = max(bottom, height * 1.02)
    if {"left", "right"} <= sides:
        scale = max(scale, (width + 4) / w)
    span = scale * w
    x = (width - span) * 0.5 + rng.normal(0, 0.18) * width
    if "left" in sides:
        x = min(x, -1.5)
    if "right" in sides:
        x = max(x, width + 1.5 - span)
    corner = (x, bottom - scale * h)
    return _place_in_front(
        rng, cutout, view, mirrored=mirrored, scale=scale, corner=corner, how="portrait"
    )


def place_uniform(
    rng: np.random.Generator, cutout: Cutout, view: SceneView, *, mirrored: bool
) -> Placement:
    """Place a subject anywhere at any size, as in the assignment; cut borders stay outside."""
    height, width = view.size
    h, w = cutout.alpha.shape
    if cutout.cut:
        return place_portrait(rng, cutout, view, mirrored=mirrored)
    scale = height * np.exp(rng.uniform(np.log(0.12), np.log(1.0))) / h
    scale = min(scale, 1.3 * width / w)
    x = rng.uniform(-0.3 * scale * w, width - 0.7 * scale * w)
    y = rng.uniform(-0.25 * scale * h, height - 0.75 * scale * h)
    return _place_in_front(
        rng, cutout, view, mirrored=mirrored, scale=float(scale), corner=(x, y), how="uniform"
    )


def _mirrored_sides(cutout: Cutout, mirrored: bool) -> frozenset[str]:
    swap = {"left": "right", "right": "left"}
    return frozenset(swap.get(s, s) for s in cutout.cut) if mirrored else cutout.cut


def _place_in_front(
    rng: np.random.Generator,
    cutout: Cutout,
    view: SceneView,
    *,
    mirrored: bool,
    scale: float,
    corner: tuple[float, float],
    how: str,
) -> Placement:
    """Place by the cutout's upper left corner, nearer than the plate behind it."""
    h, w = cutout.alpha.shape
    left, top = corner
    foot_x = w - cutout.foot[0] if mirrored else cutout.foot[0]
    x, y = left + scale * foot_x, top + scale * cutout.foot[1]
    z, support, metres = None, None, 1.0
    if view.disparity is not None:
        behind = _near_disparity(view.disparity, (left, top, left + scale * w, top + scale * h))
        if view.camera is not None and how == "portrait":
            z = 1 / (scale * cutout.pixels_per_metre / view.camera.intrinsics.fy)
            z *= rng.uniform(0.85, 1.1)
        else:
            z = rng.uniform(0.35, 0.95) / behind
        z = float(np.clip(z, 0.12, 0.92 / behind)) if behind > 0 else float(max(z, 0.12))
        # A flat subject must not reach behind its plate by its own depth.
        if view.camera is not None:
            metres = scale / scale_at(cutout, view.camera, z)
            camera = view.camera
            cos, sin = np.cos(camera.pitch), np.sin(camera.pitch)
            down = (y - camera.intrinsics.cy) / camera.intrinsics.fy
            support = float(camera.height + z * (sin - cos * down))
        else:
            metres = float(z)
    return Placement(cutout, mirrored, float(scale), float(x), float(y), z, support, metres, how)


def _near_disparity(
    disparity: npt.NDArray[np.float32], box: tuple[float, float, float, float]
) -> float:
    """Give the 97th percentile of known disparity within a box; 0.5 if none is known."""
    height, width = disparity.shape
    left, top, right, bottom = (round(b) for b in box)
    part = disparity[max(top, 0) : min(bottom, height) : 4, max(left, 0) : min(right, width) : 4]
    known = part[np.isfinite(part)]
    if not known.size:
        return 0.5
    k = int(0.97 * (known.size - 1))
    return float(max(np.partition(known, k)[k], 1e-3))
