"""Subjects made of solids: people, animals and things, seen alone, as cutouts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.depth import Intrinsics
from cleanplate.light import coded_from_linear, srgb_to_linear
from cleanplate.matte.fill import fill_outside
from cleanplate.synthesis.assets.cutout import Cutout
from cleanplate.synthesis.assets.plate import Camera
from cleanplate.synthesis.procedural import furniture
from cleanplate.synthesis.procedural.furniture import Solids, ball
from cleanplate.synthesis.procedural.procedural_scenes import Lamp, Material, Scene, SceneMaterials
from cleanplate.synthesis.procedural.shading import shade_surfaces
from cleanplate.synthesis.procedural.solids import cast_rays
from cleanplate.synthesis.procedural.textures import Texture, muted_colour

KINDS = ("person", "object", "person", "animal", "object", "person", "person", "object")
"""Kinds of cutouts 0, 1, 2, ...; then again from the start."""

_SUBSAMPLES = 2
"""Rays per pixel along each axis: alpha is the share that meets the subject."""
_THINGS = (
    furniture.chair, furniture.plant, furniture.carton, furniture.drum, furniture.lamp,
    furniture.table, furniture.toys, furniture.sofa, furniture.shelf, furniture.cabinet,
)  # fmt: skip

Vector = npt.NDArray[np.float64]


def render_cutout(seed: int, number: int) -> Cutout:
    """Cutout `number` of a seed: straight colour, soft alpha, depth relative to its foot."""
    return render_cutout_with_distance(seed, number)[0]


def render_cutout_with_distance(seed: int, number: int) -> tuple[Cutout, float]:
    """Cutout `number` of a seed, and the camera's distance in metres, along the floor."""
    rng = np.random.default_rng([0xC07, seed, number])
    kind = KINDS[number % len(KINDS)]
    scene = Scene(Camera(Intrinsics(1, 1, 0, 0), 1.0, 0.0), (1, 1))
    material_for = SceneMaterials(rng, scene, None)
    hair: tuple[Vector, float] | None = None
    if kind == "person":
        solids, hair = _person(rng, material_for)
    elif kind == "animal":
        solids, hair = _animal(rng, material_for)
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
    """Set up a camera and lights around the solids; take the cutout, and tell its distance."""
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
    """Thin lines of hair around a place in space; (H, W) coverage at the fine size."""
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


def _limb(a: Vector, b: Vector, ra: float, rb: float, material: int) -> Solids:
    """Make a tapering limb: overlapping balls from a to b, so near that it looks smooth."""
    length = float(np.linalg.norm(b - a))
    count = max(2, int(length / (0.3 * min(ra, rb))) + 1)
    out = []
    for t in np.linspace(0, 1, count):
        x, y, z = a + t * (b - a)
        out.append(ball(float(x), float(y), float(z), ra + t * (rb - ra), material))
    return out


def _plain(scene: Scene, colour: npt.NDArray[np.float32]) -> int:
    levels = tuple(np.broadcast_to(colour, (n, n, 3)).astype(np.float32) for n in (256, 4))
    scene.materials.append(Material(Texture(levels, 64.0)))
    return len(scene.materials) - 1


def _skin(rng: np.random.Generator) -> npt.NDArray[np.float32]:
    dark, light = np.array([0.20, 0.12, 0.08]), np.array([0.95, 0.78, 0.68])
    return srgb_to_linear(np.asarray(dark + rng.random() * (light - dark), np.float32))


def _limb_direction(v: tuple[float, float, float], swing: float, spread: float) -> Vector:
    """Make a direction swung forwards about x, then spread sideways about z."""
    x, y, z = v
    y, z = y * np.cos(swing) + z * np.sin(swing), z * np.cos(swing) - abs(y) * np.sin(swing)
    return np.array([x * np.cos(spread) - y * np.sin(spread), y * np.cos(spread), z])


class _Body(NamedTuple):
    """A figure's measures in metres, and its materials."""

    k: float
    build: float
    sits: bool
    hip: Vector
    neck: Vector
    skin: int
    hair: int
    shirt: int
    trousers: int


def _person(
    rng: np.random.Generator, material_for: SceneMaterials
) -> tuple[Solids, tuple[Vector, float]]:
    """Make a figure of limbs: any pose, build and clothes; faces -z."""
    k, sits = rng.uniform(0.85, 1.1), bool(rng.random() < 0.12)
    hip = np.array([0.0, (0.46 if sits else 0.92) * k, 0.0])
    body = _Body(
        k,
        rng.uniform(0.85, 1.35),
        sits,
        hip,
        hip + np.array([0.0, 0.5 * k, -np.sin(rng.normal(0, 0.1)) * 0.5 * k]),
        _plain(material_for.scene, _skin(rng)),
        _plain(material_for.scene, muted_colour(rng, bright=rng.uniform(0.08, 0.7))),
        material_for("cloth"),
        material_for("cloth"),
    )
    head, hair = _head(rng, body)
    out = [
        *_legs(rng, body, material_for("furniture")),
        *_trunk(rng, body),
        *_arms(rng, body),
        *head,
    ]
    if rng.random() < 0.25:  # a bag, a ball, whatever is held in front
        x, y = rng.normal(0, 0.2), hip[1] + rng.uniform(-0.2, 0.35)
        out.append(
            ball(float(x), float(y), -0.25, rng.uniform(0.06, 0.18), material_for("furniture"))
        )
    return out, (hair, 0.105 * k)


def _legs(rng: np.random.Generator, body: _Body, shoe: int) -> Solids:
    k, out = body.k, []
    bare = rng.random() < 0.25
    for s in (-1.0, 1.0):
        top = body.hip + np.array([s * 0.09 * k * body.build, 0, 0])
        swing = (1.45 if body.sits else rng.normal(0, 0.3)) + rng.normal(0, 0.05)
        spread = s * abs(rng.normal(0.04, 0.08))
        knee = top + 0.45 * k * _limb_direction((0, -1, 0), swing, spread)
        shin = 0.0 if body.sits else swing - abs(rng.normal(0.1, 0.3))
        ankle = knee + 0.42 * k * _limb_direction((0, -1, 0), shin, spread * 0.5)
        lower = body.skin if bare else body.trousers
        out += _limb(top, knee, 0.085 * k * body.build, 0.058 * k * body.build, body.trousers)
        out += _limb(knee, ankle, 0.055 * k * body.build, 0.042 * k, lower)
        toe = ankle + np.array([s * 0.03, -0.04 * k, -0.15 * k])
        out += _limb(ankle + np.array([0, -0.03, 0]), toe, 0.045 * k, 0.035 * k, shoe)
    return out


def _trunk(rng: np.random.Generator, body: _Body) -> Solids:
    """Stack rows of balls from hip to shoulder; a skirt or a coat at times."""
    wide, out = body.k * body.build, []
    for t in np.linspace(0, 1, 18):
        x, y, z = body.hip + t * (body.neck - body.hip)
        half = (0.10 + 0.07 * t**1.5 - 0.02 * np.sin(np.pi * t)) * wide
        for side in np.linspace(-half, half, 5):
            out.append(ball(float(x + side), float(y), float(z), 0.10 * wide, body.shirt))
    if rng.random() < 0.18:
        low = body.hip + np.array([0, -rng.uniform(0.25, 0.7) * body.hip[1], 0])
        cloth = body.shirt if rng.random() < 0.5 else body.trousers
        out += _limb(body.hip, low, 0.14 * wide, rng.uniform(0.15, 0.24) * wide, cloth)
    return out


def _arms(rng: np.random.Generator, body: _Body) -> Solids:
    k, out = body.k, []
    sleeve = body.shirt if rng.random() < 0.6 else body.skin
    for s in (-1.0, 1.0):
        top = body.neck + np.array([s * (0.17 * k * body.build + 0.02), -0.03 * k, 0])
        swing, spread = rng.normal(0.1, 0.45), s * abs(rng.normal(0.2, 0.25))
        if rng.random() < 0.3:  # raised
            swing, spread = rng.uniform(0, 2.2), s * rng.uniform(0.3, 1.8)
        elbow = top + 0.29 * k * _limb_direction((0, -1, 0), swing, spread)
        bend = swing + abs(rng.normal(0.35, 0.6))
        hand = elbow + 0.27 * k * _limb_direction((0, -1, 0), bend, spread * rng.uniform(0.2, 1.2))
        out += _limb(top, elbow, 0.055 * k * body.build, 0.042 * k * body.build, body.shirt)
        out += _limb(elbow, hand, 0.04 * k, 0.028 * k, sleeve)
        out += _limb(hand, hand + (hand - elbow) * 0.35, 0.036 * k, 0.025 * k, body.skin)
    return out


def _head(rng: np.random.Generator, body: _Body) -> tuple[Solids, Vector]:
    """Make neck, head and hair; also tells where the hair's middle is."""
    k = body.k
    nod = np.array([rng.normal(0, 0.03), 0.0, rng.normal(-0.02, 0.03)])
    head = body.neck + np.array([0, 0.2 * k, 0]) + nod
    up = np.array([0, 0.04 * k, 0])
    back = head + np.array([0, 0.055, 0.03]) * k
    out = _limb(body.neck, head, 0.05 * k, 0.055 * k, body.skin)
    out += _limb(head - up, head + up, 0.085 * k, 0.095 * k, body.skin)
    out.append(ball(float(back[0]), float(back[1]), float(back[2]), 0.105 * k, body.hair))
    if rng.random() < 0.45:
        tail = back + np.array([0, -rng.uniform(0.1, 0.4), 0.05]) * k
        out += _limb(back, tail, 0.1 * k, 0.06 * k, body.hair)
    return out, back


def _animal(
    rng: np.random.Generator, material_for: SceneMaterials
) -> tuple[Solids, tuple[Vector, float]]:
    """Four legs, a trunk, a neck, a head, perhaps a tail."""
    k, fat = float(np.exp(rng.uniform(np.log(0.25), np.log(1.2)))), rng.uniform(0.12, 0.24)
    fur, other = material_for("cloth"), material_for("furniture")
    length, high = rng.uniform(0.5, 0.9), rng.uniform(0.3, 0.75)
    front, rear = (
        np.array([0, high, -length / 2]),
        np.array([0, high * rng.uniform(0.85, 1.05), length / 2]),
    )
    out = _limb(front * k, rear * k, fat * k, fat * rng.uniform(0.8, 1.1) * k, fur)
    for end in (front, rear):
        for s in (-1, 1):
            top = end + np.array([s * fat * 0.6, -fat * 0.3, 0])
            foot = top + np.array([0, -top[1] + 0.03, rng.normal(0, 0.12)])
            out += _limb(
                top * k, foot * k, 0.07 * k, 0.035 * k, fur if rng.random() < 0.7 else other
            )
    head = front + np.array([rng.normal(0, 0.08), rng.uniform(0.05, 0.45), -rng.uniform(0.1, 0.3)])
    out += _limb(front * k, head * k, fat * 0.7 * k, fat * 0.5 * k, fur)
    nose = head + np.array([0, -0.06, -0.18])
    out += _limb(head * k, nose * k, fat * 0.6 * k, fat * 0.3 * k, fur)
    for s in (-1, 1):
        ear = head + np.array([s * fat * 0.5, fat * 0.7, 0.0])
        out += _limb(head * k, ear * k, 0.03 * k, 0.02 * k, other)
    if rng.random() < 0.8:
        tip = rear + np.array([rng.normal(0, 0.1), rng.uniform(-0.3, 0.3), 0.35])
        out += _limb(rear * k, tip * k, 0.04 * k, 0.02 * k, fur)
    return out, (front * k, fat * k)
