"""Rendering of procedural scenes to plates: textures, lamps with shadows, occlusion, exposure."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Picture
from cleanplate.depth import depth_to_disparity
from cleanplate.light import coded_from_linear
from cleanplate.synthesis.assets.plate import Plate
from cleanplate.synthesis.procedural.procedural_scenes import sample_scene
from cleanplate.synthesis.procedural.scene_model import Lamp, Scene
from cleanplate.synthesis.procedural.solids import Floats, Hits, Solid, cast_rays, occluded
from cleanplate.synthesis.procedural.textures import look_up_texture

_STEP = 4
"""Light and shadow are smooth, and computed at every fourth pixel of rows and columns."""


def render_plate(
    seed: int, number: int, size: tuple[int, int] = (288, 384), textures: Path | None = None
) -> Plate:
    """Give plate `number` of a seed: its picture (H, W), exact disparity and camera."""
    rng = np.random.default_rng([0x900, seed, number])
    scene = sample_scene(rng, size, textures)
    hits = cast_rays(scene.solids, scene.camera, size)
    light = _add_sky(scene, hits, _antialiased(shade_surfaces(rng, scene, hits), hits))
    picture = coded_from_linear(_auto_expose(rng, light))
    return Plate(f"procedural {number}", picture, depth_to_disparity(hits.depth), scene.camera)


def shade_surfaces(
    rng: np.random.Generator, scene: Scene, hits: Hits, *, alone: bool = False
) -> Picture:
    """Give the light from each pixel's surface (H, W, 3), linear, before exposure.

    A subject `alone` casts no shadows on itself, because its solids overlap.
    """
    return _albedo(scene, hits) * (
        _unshadowed_light(scene, hits) if alone else _lighting(rng, scene, hits)
    )


def _unshadowed_light(scene: Scene, hits: Hits) -> Picture:
    """Light on a subject without shadows; surfaces facing down get less ambient light."""
    total = scene.ambient * (0.7 + 0.3 * hits.normal[..., 1:2])
    for lamp in scene.lamps:
        total = total + np.maximum(hits.normal @ lamp.place, 0)[..., None] * lamp.power
    return np.asarray(total, np.float32)


def _material_of(solid: Solid, normal: Floats) -> tuple[int, int]:
    """Materials of the sides and of the face that looks up."""
    return solid.material, solid.material if solid.top is None else solid.top


def _albedo(scene: Scene, hits: Hits) -> Picture:
    """Colour of each pixel's surface (H, W, 3), linear; emitters are brighter than white."""
    table = np.array([_material_of(s, hits.normal) for s in scene.solids] + [(0, 0)], np.int16)
    up = hits.normal[..., 1] > 0.7
    index = np.where(up, table[hits.solid, 1], table[hits.solid, 0])
    index[hits.solid < 0] = -1
    slope = np.abs((hits.normal * hits.directions).sum(-1)) / np.linalg.norm(
        hits.directions, axis=-1
    )
    with np.errstate(invalid="ignore"):
        print_ = (
            hits.depth / np.float32(scene.camera.intrinsics.fx) / np.sqrt(np.maximum(slope, 0.04))
        )
    out = np.zeros((*hits.depth.shape, 3), np.float32)
    flat, u, v, feet = index.ravel(), hits.u.ravel(), hits.v.ravel(), print_.ravel()
    order = np.argsort(flat, kind="stable")
    edges = np.searchsorted(flat[order], np.arange(len(scene.materials) + 1))
    colours = out.reshape(-1, 3)
    for k, material in enumerate(scene.materials):
        at = order[edges[k] : edges[k + 1]]
        if at.size:
            colours[at] = look_up_texture(material.texture, u[at], v[at], feet[at])
            if material.glow is not None:
                colours[at] *= 1 + 2 * material.glow
    return out


def _lighting(rng: np.random.Generator, scene: Scene, hits: Hits) -> Picture:
    """Light on each pixel's surface (H, W, 3): ambient with occlusion, lamps with shadows."""
    height, width = hits.depth.shape
    small = (slice(_STEP // 2, None, _STEP), slice(_STEP // 2, None, _STEP))
    depth, normal = hits.depth[small], hits.normal[small]
    known = np.isfinite(depth)
    place = hits.directions[small] * np.where(known, depth, 0)[..., None]
    place[..., 1] += np.float32(scene.camera.height)
    shape = depth.shape
    points, normals = place.reshape(-1, 3), normal.reshape(-1, 3)
    open_ = _openness(scene, points, normals)
    total = scene.ambient * open_[:, None] * (0.75 + 0.25 * normals[:, 1:2])
    solid = hits.solid[small].ravel()
    for lamp in scene.lamps:
        part = _lamp_light(rng, scene, lamp, points=points, normals=normals, shape=shape)
        total = total + part
    glow = np.array([_is_emissive(scene, s) for s in scene.solids] + [False])
    total[glow[solid]] = np.maximum(total[glow[solid]], 0.6)
    full = cv2.resize(
        total.reshape(*shape, 3).astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR
    )
    return _restore_edges(
        np.asarray(full, np.float32),
        hits,
        total.reshape(*shape, 3).astype(np.float32),
        normal,
        solid.reshape(shape),
    )


def _restore_edges(
    full: Picture,
    hits: Hits,
    small: Floats,
    normal: Floats,
    solid: npt.NDArray[np.int16],
) -> Picture:
    """At edges of surfaces, interpolate light from coarse neighbours on the same surface."""
    height, width = hits.depth.shape
    rows = np.minimum(np.arange(height) // _STEP, small.shape[0] - 1)
    columns = np.minimum(np.arange(width) // _STEP, small.shape[1] - 1)
    at = np.ix_(rows, columns)
    same = (solid[at] == hits.solid) & ((normal[at] * hits.normal).sum(-1) > 0.9)
    odd = np.asarray(cv2.dilate((~same).astype(np.uint8), np.ones((5, 5), np.uint8))) > 0
    y, x = np.nonzero(odd)
    total, weights = np.zeros((y.size, 3), np.float32), np.zeros(y.size, np.float32)
    own_solid, own_normal = hits.solid[y, x], hits.normal[y, x]
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            r = np.clip(rows[y] + dy, 0, small.shape[0] - 1)
            c = np.clip(columns[x] + dx, 0, small.shape[1] - 1)
            fits = (solid[r, c] == own_solid) & ((normal[r, c] * own_normal).sum(-1) > 0.9)
            weight = fits * np.float32(4 >> (abs(dy) + abs(dx)))
            total += small[r, c] * weight[:, None]
            weights += weight
    found = weights > 0
    full[y[found], x[found]] = total[found] / weights[found, None]
    return full


def _is_emissive(scene: Scene, solid: Solid) -> bool:
    glow = scene.materials[solid.material].glow
    return glow is not None and bool(glow.max() > 0)


def _openness(scene: Scene, points: Floats, normals: Floats) -> Floats:
    """Ambient visibility of points, 0 to 1: less in corners and beside solids."""
    open_ = np.ones(points.shape[0], np.float32)
    scale = np.float32(0.3 * scene.camera.height)
    for solid in scene.solids:
        if solid.inside:
            cos, sin = np.float32(np.cos(solid.yaw)), np.float32(np.sin(solid.yaw))
            turn = np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]], np.float32)
            local = np.abs((points - np.asarray(solid.centre, np.float32)) @ turn.T)
            gap = np.asarray(solid.half, np.float32) - local
            facing = np.abs(normals @ turn.T)
            for axis in range(3):
                near = np.exp(-np.maximum(gap[:, axis], 0) / scale)
                open_ *= 1 - np.float32(0.4) * near * (facing[:, axis] < 0.5)
            continue
        size = min(solid.half[0], solid.half[2]) * 2
        if max(solid.half) > 50 or size < 0.01 * scene.camera.height:
            continue
        open_ *= 1 - _proximity_shade(solid, points, normals, min(size, float(scale) * 2))
    return open_


def _proximity_shade(solid: Solid, points: Floats, normals: Floats, reach: float) -> Floats:
    """Ambient shadow of a solid on points around and below it."""
    near = (
        np.abs(points - np.asarray(solid.centre, np.float32)).max(-1)
        < max(solid.half) * 1.5 + 2 * reach
    )
    out = np.zeros(points.shape[0], np.float32)
    at = np.flatnonzero(near)
    if not at.size:
        return out
    cos, sin = np.float32(np.cos(solid.yaw)), np.float32(np.sin(solid.yaw))
    turn = np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]], np.float32)
    local = (points[at] - np.asarray(solid.centre, np.float32)) @ turn.T
    gap = np.abs(local) - np.asarray(solid.half, np.float32)
    away = np.sqrt((np.maximum(gap, 0) ** 2).sum(-1))
    # Only what faces the body: its nearest point lies before the surface.
    toward = (
        np.clip(local, -np.asarray(solid.half, np.float32), np.asarray(solid.half, np.float32))
        - local
    )
    facing = (toward * (normals[at] @ turn.T)).sum(-1) / np.maximum(away, 1e-4)
    facing = np.maximum(facing, 0) + np.float32(0.35) * (away > 1e-3)
    out[at] = np.float32(0.55) * np.exp(-away / np.float32(0.5 * reach)) * np.minimum(facing, 1)
    return out


def _lamp_light(
    rng: np.random.Generator,
    scene: Scene,
    lamp: Lamp,
    *,
    points: Floats,
    normals: Floats,
    shape: tuple[int, ...],
) -> Floats:
    """Light of one lamp on points (n, 3): Lambert's law, inverse square, blurred shadow."""
    if lamp.far:
        toward = np.broadcast_to(lamp.place, points.shape)
        distance = np.full(points.shape[0], np.inf, np.float32)
        fall = np.ones(points.shape[0], np.float32)
        way = toward
    else:
        way = lamp.place - points
        distance = np.linalg.norm(way, axis=-1)
        toward = way / np.maximum(distance, 1e-4)[:, None]
        near = np.float32(0.25 * scene.camera.height / 1.4)
        fall = np.asarray(1 / np.maximum(distance, near) ** 2, np.float32)
    cosine = np.maximum((normals * toward).sum(-1), 0)
    start = points + normals * np.float32(0.004 * scene.camera.height)
    reach = np.full(points.shape[0], 1e4 if lamp.far else 0.97, np.float32)
    big = [s for s in scene.solids if max(s.half) > 0.03 * scene.camera.height and not s.inside]
    if not lamp.far:  # the lamp's own fixture and the ceiling block nothing
        big = [s for s in big if s.centre[1] - s.half[1] < float(lamp.place[1]) - 0.02]
    shade = occluded(big, start, way, reach).reshape(shape)
    sigma = 0.7 if lamp.far else float(rng.uniform(0.7, 2.5))
    soft = np.asarray(cv2.GaussianBlur(shade, (0, 0), sigma), np.float32).ravel()
    seen = cosine * fall * (1 - np.float32(0.95) * soft)
    return np.asarray(seen[:, None] * lamp.power, np.float32)


def _antialiased(light: Picture, hits: Hits) -> Picture:
    """Blur edges of surfaces over a pixel, as a lens and a sensor would."""
    edge = np.zeros(hits.solid.shape, np.uint8)
    key = hits.solid.astype(np.int32) * 8 + np.rint(
        hits.normal @ np.asarray([1, 2, 4], np.float32)
    ).astype(int)
    edge[:, 1:] |= key[:, 1:] != key[:, :-1]
    edge[1:] |= key[1:] != key[:-1]
    edge = np.asarray(cv2.dilate(edge, np.ones((2, 2), np.uint8)), np.uint8)
    soft = cv2.GaussianBlur(np.minimum(light, 2), (3, 3), 0.65)
    return np.where(edge[..., None] > 0, soft, light)


def _add_sky(scene: Scene, hits: Hits, light: Picture) -> Picture:
    away = ~np.isfinite(hits.depth)
    if not away.any():
        return light
    up = hits.directions[..., 1] / np.linalg.norm(hits.directions, axis=-1)
    share = np.sqrt(np.clip(up, 0, 1))[..., None]
    sky = scene.sky[0] + share * (scene.sky[1] - scene.sky[0])
    return np.where(away[..., None], sky, light)


def _auto_expose(rng: np.random.Generator, light: Picture) -> Picture:
    """Expose automatically, at times with a soft highlight shoulder."""
    mean = float(np.percentile(light, 60)) + 1e-3
    target = np.exp(rng.normal(np.log(0.2), 0.5))
    out = light * np.float32(target / mean)
    if rng.random() < 0.6:  # film-like shoulder
        out = out * (1 + out / 9) / (1 + 0.6 * out)
    return np.asarray(np.clip(out, 0, 1), np.float32)
