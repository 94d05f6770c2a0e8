"""Light of one picture, drawn from the seed: ceiling lamps, skies, sun, softboxes."""

from __future__ import annotations

import math

import numpy as np

from cleanplate.render.scenes.asset_library import Asset, AssetLibrary
from cleanplate.render.scenes.scene_description import (
    Colour,
    Lamp,
    Light,
    Point,
    SceneDescription,
    Sun,
)

_NIGHT_NAMES = ("night", "moonlit")
_REACH = 9.0
"""Metres: ceiling lamps farther from the camera are not set up."""


def sample_light(
    library: AssetLibrary,
    scene: SceneDescription,
    extent: tuple[float, float, float, float],
    eye: Point,
    rng: np.random.Generator,
) -> Light:
    """Draw the light of one picture.

    Args:
        library: for its panoramas.
        scene: the scene.
        extent: x0, y0, x1, y1 of the scene in metres.
        eye: position of the camera, or, on a table, what it looks at.
        rng: drawn from.
    """
    if scene.kind == "outdoor":
        return _sample_outdoor(library, rng)
    if scene.kind == "tabletop":
        return _sample_softboxes(library, eye, rng)
    if scene.kind == "room":
        return _sample_room(library, rng)
    return _sample_ceiling_lamps(library, scene, extent, eye, rng)


def _sample_outdoor(library: AssetLibrary, rng: np.random.Generator) -> Light:
    skies = _skies(library, "outdoor")
    sky = skies[rng.integers(len(skies))] if skies else None
    sun = None
    if rng.random() < 0.65:
        low = rng.random() < 0.3
        height = rng.uniform(0.2, 0.5) if low else rng.uniform(0.5, 1.25)
        sun = Sun(
            elevation=height,
            azimuth=rng.uniform(0, 2 * math.pi),
            width=rng.uniform(0.009, 0.06),
            strength=rng.uniform(2.0, 6.0),
            colour=_warm_white(rng, 0.75 if low else 0.95),
        )
    return Light(
        sky=sky,
        sky_strength=rng.uniform(0.6, 1.4),
        sky_turn=rng.uniform(0, 2 * math.pi),
        ambient=(0.7, 0.8, 1.0),
        sun=sun,
    )


def _sample_ceiling_lamps(
    library: AssetLibrary,
    scene: SceneDescription,
    extent: tuple[float, float, float, float],
    eye: Point,
    rng: np.random.Generator,
) -> Light:
    """Ceiling lamps on a jittered grid near the camera, and light from outside."""
    x0, y0, x1, y1 = extent
    step = scene.lamp_spacing
    tint = _warm_white(rng, rng.uniform(0.65, 1.0))
    lit = rng.uniform(0.55, 1.0)
    lamps = []
    for x in np.arange(x0 + step / 2, x1, step):
        for y in np.arange(y0 + step / 2, y1, step):
            place = (x + rng.normal(0, 0.3), y + rng.normal(0, 0.3), scene.lamp_height)
            watts, side = rng.uniform(*scene.lamp_watts), rng.uniform(0.4, 1.2)
            near = math.hypot(x - eye[0], y - eye[1]) < _REACH
            if rng.random() < lit and near:
                lamps.append(Lamp(place, side, watts, tint))
    if not lamps:
        place = (eye[0], eye[1], scene.lamp_height)
        lamps.append(Lamp(place, 1.0, scene.lamp_watts[1], tint))
    outside = _skies(library, "outdoor")
    glow = rng.uniform(0.12, 0.5)
    if outside and rng.random() < 0.5:
        sky = outside[rng.integers(len(outside))]
        return Light(sky, glow * 2, rng.uniform(0, 2 * math.pi), lamps=tuple(lamps))
    cold = rng.uniform(0.9, 1.1)
    return Light(ambient=(glow, glow, glow * cold), lamps=tuple(lamps))


def _sample_room(library: AssetLibrary, rng: np.random.Generator) -> Light:
    """Light of a photorealistic room: its own emitters, at times a sky through the windows."""
    outside = _skies(library, "outdoor")
    if outside and rng.random() < 0.4:
        sky = outside[rng.integers(len(outside))]
        return Light(sky, rng.uniform(0.3, 2.0), rng.uniform(0, 2 * math.pi))
    return Light(ambient=(0.03, 0.03, 0.03))


def _sample_softboxes(library: AssetLibrary, eye: Point, rng: np.random.Generator) -> Light:
    """One to three softboxes about a table, before an indoor panorama."""
    tint = rng.uniform(0.75, 1.0)
    lamps = []
    for _ in range(int(rng.integers(1, 4))):
        angle, far = rng.uniform(-math.pi, 0), rng.uniform(0.4, 1.4)
        place = (eye[0] + far * math.cos(angle), eye[1] + far * math.sin(angle))
        top = eye[2] + rng.uniform(0.6, 1.4)
        side, watts = rng.uniform(0.15, 0.9), math.exp(rng.uniform(1.6, 3.6))
        lamps.append(Lamp((*place, top), side, watts, _warm_white(rng, tint), aim=eye))
    inside = _skies(library, "indoor")
    sky = inside[rng.integers(len(inside))] if inside else None
    glow = math.exp(rng.uniform(-2.0, 0.2))
    return Light(sky, glow, rng.uniform(0, 2 * math.pi), (glow, glow, glow), lamps=tuple(lamps))


def _skies(library: AssetLibrary, where: str) -> list[str]:
    return [a.path for a in library.assets_of("hdri") if _is_usable_sky(a, where)]


def _is_usable_sky(asset: Asset, where: str) -> bool:
    # Night panoramas give black shadows and noise.
    return asset.notes.startswith(where) and not any(n in asset.name for n in _NIGHT_NAMES)


def _warm_white(rng: np.random.Generator, blue: float) -> Colour:
    """Give a white whose blue is `blue` of its red."""
    return 1.0, float((1 + blue) / 2 * rng.uniform(0.97, 1.03)), blue
