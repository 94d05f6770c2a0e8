"""Bodies of people and animals, built of overlapping spheres."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cleanplate.light import srgb_to_linear
from cleanplate.synthesis.procedural.furniture import Solids, ball
from cleanplate.synthesis.procedural.scene_model import Material, Scene, SceneMaterials
from cleanplate.synthesis.procedural.textures import Texture, muted_colour

Vector = npt.NDArray[np.float64]


def _limb(a: Vector, b: Vector, ra: float, rb: float, material: int) -> Solids:
    """Make a tapering limb: overlapping spheres from a to b."""
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
    """Rotate a direction forwards about x, then sideways about z."""
    x, y, z = v
    y, z = y * np.cos(swing) + z * np.sin(swing), z * np.cos(swing) - abs(y) * np.sin(swing)
    return np.array([x * np.cos(spread) - y * np.sin(spread), y * np.cos(spread), z])


class _Body(NamedTuple):
    """A figure's dimensions in metres, and its materials."""

    k: float
    build: float
    sits: bool
    hip: Vector
    neck: Vector
    skin: int
    hair: int
    shirt: int
    trousers: int


def sample_person(
    rng: np.random.Generator, material_for: SceneMaterials
) -> tuple[Solids, tuple[Vector, float]]:
    """Draw a person in any pose, build and clothes, facing -z.

    Returns:
        The solids, and centre and radius of the hair in metres.
    """
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
    if rng.random() < 0.25:  # an object held in front
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
    """Rows of spheres from hip to shoulder; at times a skirt or a coat."""
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
    """Make neck, head and hair; also gives the centre of the hair."""
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


def sample_animal(
    rng: np.random.Generator, material_for: SceneMaterials
) -> tuple[Solids, tuple[Vector, float]]:
    """Draw an animal: four legs, trunk, neck, head, mostly a tail.

    Returns:
        The solids, and centre and radius of the fur in metres.
    """
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
