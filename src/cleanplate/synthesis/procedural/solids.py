"""Ray casting of boxes, upright cylinders and spheres with a pinhole camera: exact planar depth.

World axes: x to the right, y up from the floor, z ahead; the camera is at (0, height, 0), looks
ahead and is pitched by `Camera.pitch`. A ray's parameter is planar depth, because its direction
has length one along the optical axis.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Plane
from cleanplate.synthesis.assets.plate import Camera

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Solid:
    """A solid, rotated by `yaw` about its upright axis.

    Args:
        shape: box, cylinder (upright) or sphere.
        centre: (x, y, z) in metres.
        half: half extents (x, y, z); of cylinders x and z are the radius, of spheres all.
        yaw: radians.
        material: index of its material.
        top: index of the material of its top, if different.
        inside: True for a room: its far sides are seen.
    """

    shape: str
    centre: tuple[float, float, float]
    half: tuple[float, float, float]
    yaw: float = 0.0
    material: int = 0
    top: int | None = None
    inside: bool = False


@dataclass
class Hits:
    """What each pixel's ray hits, (H, W): depth (inf = nothing), solid, face, normal, u, v."""

    depth: Plane
    solid: npt.NDArray[np.int16]
    normal: Floats
    u: Plane
    v: Plane
    directions: Floats = field(repr=False)


def ray_directions(camera: Camera, size: tuple[int, int]) -> Floats:
    """Give ray directions (H, W, 3) of unit planar depth."""
    height, width = size
    fx, fy, cx, cy = camera.intrinsics
    a = ((np.arange(width) + 0.5 - cx) / fx)[None, :]
    b = ((np.arange(height) + 0.5 - cy) / fy)[:, None]
    cos, sin = np.cos(camera.pitch), np.sin(camera.pitch)
    shape = (height, width)
    parts = np.broadcast_to(a, shape), np.broadcast_to(sin - b * cos, shape), cos + b * sin
    return np.stack([parts[0], parts[1], np.broadcast_to(parts[2], shape)], -1).astype(np.float32)


def cast_rays(solids: list[Solid], camera: Camera, size: tuple[int, int]) -> Hits:
    """Find the nearest solid on each pixel's ray."""
    height, width = size
    directions = ray_directions(camera, size)
    hits = Hits(
        np.full(size, np.inf, np.float32),
        np.full(size, -1, np.int16),
        np.zeros((*size, 3), np.float32),
        np.zeros(size, np.float32),
        np.zeros(size, np.float32),
        directions,
    )
    origin = np.array([0.0, camera.height, 0.0], np.float32)
    square = (directions * directions).sum(-1)
    for index, solid in enumerate(solids):
        box = _window(solid, camera, (height, width))
        if box is None:
            continue
        d = directions[box]
        if solid.shape == "sphere":
            t, normal, u, v = _hit_sphere(solid, origin, d, square[box])
        else:
            t, normal, u, v = _hit(solid, origin, d)
        nearer = t < hits.depth[box]
        if not nearer.any():
            continue
        np.copyto(hits.depth[box], t, where=nearer)
        hits.solid[box][nearer] = index
        hits.normal[box][nearer] = normal[nearer]
        np.copyto(hits.u[box], u, where=nearer)
        np.copyto(hits.v[box], v, where=nearer)
    return hits


def _window(solid: Solid, camera: Camera, size: tuple[int, int]) -> tuple[slice, slice] | None:
    """Give the rectangle of pixels in which the solid can appear."""
    height, width = size
    if solid.inside:
        return slice(0, height), slice(0, width)
    signs = np.array([[i, j, k] for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)])
    corner = _turned(signs * np.array(solid.half), solid.yaw) + np.array(solid.centre)
    corner[:, 1] -= camera.height
    cos, sin = np.cos(camera.pitch), np.sin(camera.pitch)
    z = corner[:, 1] * sin + corner[:, 2] * cos
    down = -corner[:, 1] * cos + corner[:, 2] * sin
    if (z < 0.02).all():
        return None
    if (z < 0.05).any():
        return slice(0, height), slice(0, width)
    fx, fy, cx, cy = camera.intrinsics
    u, v = cx + fx * corner[:, 0] / z, cy + fy * down / z
    x0, x1 = max(0, int(u.min()) - 1), min(width, int(u.max()) + 2)
    y0, y1 = max(0, int(v.min()) - 1), min(height, int(v.max()) + 2)
    return (slice(y0, y1), slice(x0, x1)) if x1 > x0 and y1 > y0 else None


def _turned(points: npt.NDArray[np.float64], yaw: float) -> npt.NDArray[np.float64]:
    """Points (n, 3) turned about the upright axis."""
    cos, sin = np.cos(yaw), np.sin(yaw)
    x = points[:, 0] * cos + points[:, 2] * sin
    z = -points[:, 0] * sin + points[:, 2] * cos
    return np.stack([x, points[:, 1], z], -1)


def _local(solid: Solid, origin: Floats, d: Floats) -> tuple[Floats, Floats]:
    """Origins and directions in the solid's own frame."""
    cos, sin = np.float32(np.cos(solid.yaw)), np.float32(np.sin(solid.yaw))
    o = origin - np.asarray(solid.centre, np.float32)
    turn = np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]], np.float32)
    return o @ turn.T, d @ turn.T


def _world_normal(solid: Solid, normal: Floats) -> Floats:
    cos, sin = np.float32(np.cos(solid.yaw)), np.float32(np.sin(solid.yaw))
    turn = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]], np.float32)
    return normal @ turn.T


def _hit(solid: Solid, origin: Floats, d: Floats) -> tuple[Plane, Floats, Plane, Plane]:
    """Depth (inf = missed), world normal, and texture coordinates in metres."""
    o, d = _local(solid, origin, d)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if solid.shape == "box":
            t, normal = _hit_box(o, d, solid.half, solid.inside)
        else:
            t, normal = _hit_cylinder(o, d, solid.half[0], solid.half[1])
        t = np.where(t > 0.02, t, np.float32(np.inf))
        place = o + np.where(np.isfinite(t), t, 0)[..., None] * d
    flat, upright = np.abs(normal[..., 1]) > 0.7, np.abs(normal[..., 0]) > 0.7
    if solid.shape == "box":
        u = np.where(upright, place[..., 2], place[..., 0])
        v = np.where(flat, place[..., 2], -place[..., 1])
    else:
        around = np.arctan2(place[..., 0], place[..., 2]) * np.asarray(solid.half[0], np.float32)
        u = np.where(flat, place[..., 0], around)
        v = np.where(flat, place[..., 2], -place[..., 1])
    # Of a room the texture must not start at its centre on opposite walls alike; any offset does.
    return t, _world_normal(solid, normal), u.astype(np.float32), v.astype(np.float32)


def _slabs(
    o: list[Plane], d: list[Plane], half: tuple[float, ...]
) -> tuple[list[Plane], list[Plane]]:
    """Where rays enter and leave the three slabs of a box: lists of x, y, z."""
    enter, leave = [], []
    for place, way, extent in zip(o, d, half, strict=True):
        slope = np.where(np.abs(way) < 1e-9, np.float32(1e-9), way)
        inverse = np.asarray(np.float32(1) / slope, np.float32)
        middle, reach = -place * inverse, np.abs(inverse) * np.float32(extent)
        enter.append(middle - reach)
        leave.append(middle + reach)
    return enter, leave


def _hit_box(
    o: Floats, d: Floats, half: tuple[float, float, float], inside: bool
) -> tuple[Plane, Floats]:
    # Axis by axis: numpy reduces over three neighbours a hundred times slower.
    ways = [np.ascontiguousarray(d[..., i]) for i in range(3)]
    enter, leave = _slabs([o[i] for i in range(3)], ways, half)
    first = np.maximum(np.maximum(enter[0], enter[1]), enter[2])
    last = np.minimum(np.minimum(leave[0], leave[1]), leave[2])
    missed = last <= 0 if inside else (last < first) | (last <= 0)
    t, ends = (last, leave) if inside else (first, enter)
    normal = np.empty(d.shape, np.float32)
    free = np.ones(t.shape, bool)
    for i in range(3):
        here = (ends[i] == t) & free
        normal[..., i] = here * -np.sign(ways[i])
        free &= ~here
    return np.where(missed, np.float32(np.inf), t), normal


def _hit_cylinder(o: Floats, d: Floats, radius: float, half: float) -> tuple[Plane, Floats]:
    a = d[..., 0] ** 2 + d[..., 2] ** 2
    b = o[..., 0] * d[..., 0] + o[..., 2] * d[..., 2]
    c = o[..., 0] ** 2 + o[..., 2] ** 2 - np.float32(radius**2)
    root = b * b - a * c
    t = (-b - np.sqrt(np.maximum(root, 0))) / np.maximum(a, 1e-12)
    y = o[..., 1] + t * d[..., 1]
    side = (root > 0) & (np.abs(y) <= half) & (t > 0)
    # The lid that faces the ray.
    lid = (-np.copysign(np.float32(half), d[..., 1]) - o[..., 1]) / np.where(
        d[..., 1] == 0, np.float32(1e-9), d[..., 1]
    )
    px, pz = o[..., 0] + lid * d[..., 0], o[..., 2] + lid * d[..., 2]
    on_lid = (px * px + pz * pz <= radius**2) & (lid > 0) & ~side
    place = o + t[..., None] * d
    normal = np.where(side[..., None], place / np.float32(radius), 0).astype(np.float32)
    normal[..., 1] = np.where(on_lid, -np.sign(d[..., 1]), 0)
    normal[on_lid, 0] = 0
    normal[on_lid, 2] = 0
    t = np.where(side, t, np.where(on_lid, lid, np.float32(np.inf)))
    return t.astype(np.float32), normal


def _hit_sphere(
    solid: Solid, origin: Floats, d: Floats, square: Plane
) -> tuple[Plane, Floats, Plane, Plane]:
    """As `_hit`, for spheres; `square` (h, w) holds the directions' squared lengths.

    Texture coordinates are the world's, so that the balls of one limb share one covering.
    """
    radius = solid.half[0]
    o = origin - np.asarray(solid.centre, np.float32)
    b = d @ o
    root = b * b - square * np.float32(o @ o - radius**2)
    t = (-b - np.sqrt(np.maximum(root, 0))) / square
    t[(root <= 0) | (t < 0.02)] = np.inf
    place = np.where(np.isfinite(t), t, np.float32(0))[..., None] * d
    normal = (place + o) * np.float32(1 / radius)
    return t, normal, place[..., 0] + np.float32(0.5) * place[..., 2], -place[..., 1]


def occluded(solids: list[Solid], origins: Floats, directions: Floats, reach: Floats) -> Floats:
    """1 if a solid lies between `origins` (n, 3) and the light along `directions`, else 0.

    `reach` (n,) is the distance of the light, in lengths of the direction. Rooms block nothing.
    """
    out = np.zeros(origins.shape[0], bool)
    px, py, pz = (np.ascontiguousarray(origins[:, i]) for i in range(3))
    wx, wy, wz = (np.ascontiguousarray(directions[:, i]) for i in range(3))
    for solid in solids:
        if solid.inside:
            continue
        cos, sin = np.float32(np.cos(solid.yaw)), np.float32(np.sin(solid.yaw))
        x, y, z = (p - np.float32(c) for p, c in zip((px, py, pz), solid.centre, strict=True))
        enter, leave = _slabs(
            [cos * x - sin * z, y, sin * x + cos * z],
            [cos * wx - sin * wz, wy, sin * wx + cos * wz],
            solid.half,
        )
        first = np.maximum(np.maximum(enter[0], enter[1]), enter[2])
        last = np.minimum(np.minimum(leave[0], leave[1]), leave[2])
        out |= (last > np.maximum(first, np.float32(1e-3))) & (first < reach)
    return out.astype(np.float32)
