"""Procedural cutouts: people, animals and objects rendered alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.depth import Intrinsics
from cleanplate.light import coded_from_linear
from cleanplate.matte.fill import fill_outside
from cleanplate.synthesis.assets.cutout import Cutout
from cleanplate.synthesis.assets.plate import Camera
from cleanplate.synthesis.procedural import furniture
from cleanplate.synthesis.procedural.figure_bodies import Vector, sample_animal, sample_person
from cleanplate.synthesis.procedural.furniture import Solids
from cleanplate.synthesis.procedural.scene_model import Lamp, Scene, SceneMaterials
from cleanplate.synthesis.procedural.shading import shade_surfaces
from cleanplate.synthesis.procedural.solids import cast_rays

KINDS = ("person", "object", "person", "animal", "object", "person", "person", "object")
"""Kinds of cutouts 0, 1, 2, ..., repeated."""

_SUBSAMPLES = 2
"""Rays per pixel along each axis; alpha is the share that hits the subject."""
_THINGS = (
    furniture.chair, furniture.plant, furniture.carton, furniture.drum, furniture.lamp,
    furniture.table, furniture.toys, furniture.sofa, furniture.shelf, furniture.cabinet,
)  # fmt: skip


def render_cutout(seed: int, number: int) -> Cutout:
    """Give cutout `number` of a seed: straight colour, soft alpha, depth relative to its foot."""
    return render_cutout_with_distance(seed, number)[0]


def render_cutout_with_distance(seed: int, number: int) -> tuple[Cutout, float]:
    """Give cutout `number` of a seed, and the camera's distance in metres, along the floor."""
    rng = np.random.default_rng([0xC07, seed, number])
    kind = KINDS[number % len(KINDS)]
    scene = Scene(Camera(Intrinsics(1, 1, 0, 0), 1.0, 0.0), (1, 1))
    material_for = SceneMaterials(rng, scene, None)
    hair: tuple[Vector, float] | None = None
    if kind == "person":
        solids, hair = sample_person(rng, material_for)
    elif kind == "animal":
        solids, hair = sample_animal(rng, material_for)
    else:
        solids = _THINGS[int(rng.integers(len(_THINGS)))](rng, material_for)
        while not solids:
            solids = furniture.carton(rng, material_for)
    yaw = rng.uniform(0, 2 * np.pi)
    solids = furniture.transformed(solids, 0, 0, yaw)
    if hair is not None:
        (x, y, z), radius = hair
        cos, sin = np.cos(yaw), np.sin(yaw)
        hair = np.array([x * cos + z * sin, y, z * cos - x * sin]), radius
    return _render_solids(rng, scene, solids, kind=kind, number=number, hair=hair)


def _render_solids(
    rng: np.random.Generator,
    scene: Scene,
    solids: Solids,
    *,
    kind: str,
    number: int,
    hair: tuple[Vector, float] | None,
) -> tuple[Cutout, float]:
    """Place a camera and lights around the solids and render; give the cutout and its distance."""
    reach = np.array([np.abs(s.centre) + np.max(s.half) for s in solids]).max(0)
    tall, wide = float(max(s.centre[1] + s.half[1] for s in solids)), float(max(reach[0], reach[2]))
    size = max(tall, 2.0 * wide)
    distance = wide + size * rng.uniform(1.6, 4.0)
    look_down = float(np.clip(rng.normal(0.25 if tall > 1 else 0.45, 0.2), -0.05, 1.0))
    eye = max(0.05, distance * np.tan(look_down))
    pitch = -float(np.arctan2(eye - tall / 2, distance))
    side = 250 * _SUBSAMPLES
    focal = 0.92 * side * distance / max(size, 0.05)
    frame = int(1.2 * side)
    camera = Camera(Intrinsics(focal, focal, frame / 2, frame / 2), eye, pitch)
    scene.camera, scene.size = camera, (frame, frame)
    scene.solids = [
        replace(s, centre=(s.centre[0], s.centre[1], s.centre[2] + distance)) for s in solids
    ]
    scene.ambient = np.asarray(rng.uniform(0.3, 0.8) * np.exp(rng.normal(0, 0.06, 3)), np.float32)
    for _ in range(int(rng.integers(1, 3))):
        turn, up = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 1.3)
        toward = [np.sin(turn) * np.cos(up), np.sin(up), -abs(np.cos(turn)) * np.cos(up)]
        power = rng.uniform(0.2, 0.9) * np.exp(rng.normal(0, 0.08, 3))
        scene.lamps.append(
            Lamp(np.asarray(toward, np.float32), np.asarray(power, np.float32), far=True)
        )
    hits = cast_rays(scene.solids, camera, scene.size)
    solid = np.isfinite(hits.depth)
    light = shade_surfaces(rng, scene, hits, alone=True)
    light *= np.float32(rng.uniform(0.12, 0.4) / max(float(light[solid].mean()), 1e-3))
    depth = fill_outside(np.where(solid, hits.depth, 0), solid)
    light = fill_outside(light, solid)
    alpha = solid.astype(np.float32)
    if hair is not None and rng.random() < 0.8:
        alpha = np.maximum(alpha, _strands(rng, scene, hair, distance))
    rows, columns = np.flatnonzero(alpha.any(1)), np.flatnonzero(alpha.any(0))
    y0, y1 = rows[0] // _SUBSAMPLES * _SUBSAMPLES, (rows[-1] // _SUBSAMPLES + 1) * _SUBSAMPLES
    x0, x1 = columns[0] // _SUBSAMPLES * _SUBSAMPLES, (columns[-1] // _SUBSAMPLES + 1) * _SUBSAMPLES
    box = np.s_[y0:y1, x0:x1]
    shape = ((x1 - x0) // _SUBSAMPLES, (y1 - y0) // _SUBSAMPLES)

    def small(values: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
        return np.asarray(cv2.resize(values[box], shape, interpolation=cv2.INTER_AREA))

    foot_depth = distance * np.cos(pitch) - eye * np.sin(pitch)
    down = (distance * np.sin(pitch) + eye * np.cos(pitch)) / foot_depth
    foot = (frame / 2 - x0, frame / 2 + focal * down - y0)
    cutout = Cutout(
        f"procedural {number}",
        kind,
        coded_from_linear(np.minimum(small(light), 1).astype(np.float32)),
        np.rint(np.clip(small(alpha), 0, 1) * 255).astype(np.uint8),
        (small(depth.astype(np.float32)) - np.float32(foot_depth)).astype(np.float32),
        (float(foot[0] / _SUBSAMPLES), float(foot[1] / _SUBSAMPLES)),
        float(focal / foot_depth / _SUBSAMPLES),
        (2 * float(reach[0]), 2 * float(reach[2]), tall),
        float(np.arctan2(eye, distance)),
    )
    return cutout, float(distance)


def _strands(
    rng: np.random.Generator, scene: Scene, hair: tuple[Vector, float], distance: float
) -> npt.NDArray[np.float32]:
    """Hair strands around a point in space; (H, W) coverage at the subsampled size."""
    place, radius = hair
    camera = scene.camera
    cos, sin = np.cos(camera.pitch), np.sin(camera.pitch)
    y, z = place[1] - camera.height, distance + place[2]
    depth = y * sin + z * cos
    focal, _, cx, cy = camera.intrinsics
    centre = np.array([cx + focal * place[0] / depth, cy + focal * (z * sin - y * cos) / depth])
    r = focal * radius / depth
    count = int(rng.integers(30, 160))
    turn = rng.uniform(-np.pi, 0, count) + rng.normal(0, 0.3, count)
    out = np.stack([np.cos(turn), np.sin(turn)], -1)
    side = np.stack([-out[:, 1], out[:, 0]], -1) * rng.normal(0, 0.5, (count, 1))
    length = r * rng.uniform(0.1, 0.7) * rng.random((count, 1))
    t = np.linspace(0, 1, 6)[None, :, None]
    start = centre + out * r * 0.7
    paths = start[:, None] + (r * 0.35 + length)[:, None] * (
        t * out[:, None] + t * t * side[:, None]
    )
    paths[..., 1] += (t[..., 0] ** 2 * length) * 0.4
    ink = np.zeros(scene.size, np.uint8)
    lines = [np.rint(p * 16).astype(np.int32) for p in paths]
    cv2.polylines(ink, lines, False, (int(rng.integers(110, 256)),), 1, cv2.LINE_AA, 4)
    return np.asarray(ink * np.float32(1 / 255))
