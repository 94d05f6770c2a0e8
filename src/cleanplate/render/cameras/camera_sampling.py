"""Camera poses drawn from the seed, before the scene is rendered."""

from __future__ import annotations

import math

import numpy as np

from cleanplate.render.scenes.scene_description import CameraPose, SceneDescription

_MODES = {
    "world": (("eye", 0.4), ("desk", 0.25), ("cctv", 0.25), ("low", 0.1)),
    "room": (("eye", 0.45), ("desk", 0.35), ("cctv", 0.1), ("low", 0.1)),
    "outdoor": (("eye", 0.55), ("cctv", 0.3), ("low", 0.15)),
    "tabletop": (("close", 1.0),),
}
_F_NUMBERS = (1.8, 2.8, 4.0, 5.6, 8.0)


def sample_camera(
    scene: SceneDescription, extent: tuple[float, float, float, float], rng: np.random.Generator
) -> CameraPose:
    """Draw a camera pose; whether it sees anything is tested later.

    Args:
        scene: the scene.
        extent: x0, y0, x1, y1 in metres, where the camera (close: its aim) may be.
        rng: drawn from.
    """
    names, shares = zip(*_MODES[scene.kind], strict=True)
    mode = str(rng.choice(names, p=shares))
    if mode == "close":
        return _sample_close_camera(scene, extent, rng)
    height, pitch = _sample_height_and_pitch(mode, scene, rng)
    focal = _sample_focal(mode, rng)
    if scene.spots and rng.random() < 0.8:
        spot = scene.spots[rng.integers(len(scene.spots))]
        x, y = (c + rng.normal(0, 0.35) for c in spot.position[:2])
        heading = spot.heading + rng.normal(0, 0.45)
        focal = 0.5 * (focal + spot.focal)
    else:
        x, y = rng.uniform(extent[0], extent[2]), rng.uniform(extent[1], extent[3])
        heading = rng.uniform(0, 2 * math.pi)
    return CameraPose(mode, (x, y, height), heading, pitch, focal, _sample_f_number(rng, 0.25))


def _sample_height_and_pitch(
    mode: str, scene: SceneDescription, rng: np.random.Generator
) -> tuple[float, float]:
    """Draw height over the ground in metres and pitch in radians."""
    outdoors = scene.kind == "outdoor"
    if mode == "cctv":
        low, high = (3.0, 5.8) if outdoors else (2.1, 2.8)
        if scene.ceiling > 4 and not outdoors:
            high = 4.5
        height = min(rng.uniform(low, high), scene.ceiling - 0.15)
        return height, -rng.uniform(0.3, 0.65)
    if mode == "desk":
        return rng.uniform(0.75, 1.25), rng.uniform(-0.15, 0.15)
    if mode == "low":
        return rng.uniform(0.3, 0.65), rng.uniform(-0.1, 0.12)
    return rng.uniform(1.4, 1.8), rng.uniform(-0.28, 0.03)


def _sample_focal(mode: str, rng: np.random.Generator) -> float:
    """Draw focal length over picture width: 0.6 sees 80 degrees, 1.3 sees 42."""
    low, high = {"cctv": (0.55, 0.9), "desk": (0.65, 1.0)}.get(mode, (0.6, 1.3))
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def _sample_close_camera(
    scene: SceneDescription, extent: tuple[float, float, float, float], rng: np.random.Generator
) -> CameraPose:
    """Draw a camera at 0.35 to 1.2 m, looking down on a table, or nearly level into a shelf."""
    x, y = rng.uniform(extent[0], extent[2]), rng.uniform(extent[1], extent[3])
    if scene.aims and rng.random() < 0.75:
        aim_x, aim_y = scene.aims[rng.integers(len(scene.aims))]
        x, y = aim_x + rng.normal(0, 0.08), aim_y + rng.normal(0, 0.06)
    shelf = scene.name == "shelf"
    far = math.exp(rng.uniform(math.log(0.35), math.log(1.2)))
    down = rng.uniform(0.06, 0.38) if shelf else rng.uniform(0.35, 1.05)
    if shelf:
        down = min(down, math.asin(min(0.9, (scene.ceiling - scene.ground) * 0.8 / far)))
    heading = math.pi / 2 + rng.normal(0, 0.25 if shelf else 0.55)
    aim = scene.ground + rng.uniform(0.0, 0.1)
    level = far * math.cos(down)
    position = (
        x - level * math.cos(heading),
        y - level * math.sin(heading),
        aim + far * math.sin(down),
    )
    focal = math.exp(rng.uniform(math.log(0.75), math.log(1.6)))
    return CameraPose("close", position, heading, -down, focal, _sample_f_number(rng, 0.4))


def _sample_f_number(rng: np.random.Generator, share: float) -> float | None:
    draw, f_number = rng.random(), float(rng.choice(_F_NUMBERS))
    return f_number if draw < share else None
