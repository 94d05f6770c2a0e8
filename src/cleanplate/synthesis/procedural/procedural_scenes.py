"""Procedural scenes from a seed: furnished rooms, yards, and both at the scale of a table top."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from cleanplate.depth import Intrinsics
from cleanplate.synthesis.assets.plate import Camera
from cleanplate.synthesis.procedural import furniture
from cleanplate.synthesis.procedural.furniture import Solids, block, transformed
from cleanplate.synthesis.procedural.scene_model import Lamp, Material, Scene, SceneMaterials
from cleanplate.synthesis.procedural.solids import Floats, Solid
from cleanplate.synthesis.procedural.textures import Texture


def sample_scene(
    rng: np.random.Generator, size: tuple[int, int] = (288, 384), folder: Path | None = None
) -> Scene:
    """Draw a scene: a furnished room or a yard, at times reduced to the scale of a table top.

    Args:
        rng: drawn from.
        size: (H, W) in pixels.
        folder: of texture pictures, or None.
    """
    kind = rng.random()
    close = rng.random() < 0.22
    height = rng.uniform(1.0, 1.75) if rng.random() < 0.75 else rng.uniform(0.5, 2.3)
    pitch = float(np.clip(rng.normal(-0.16, 0.13), -0.6, 0.2))
    if close:
        height, pitch = rng.uniform(1.4, 3.2), -rng.uniform(0.3, 0.95)
    field_of_view = rng.uniform(0.75, 1.25)
    focal = size[1] / 2 / np.tan(field_of_view / 2)
    centre = Intrinsics(focal, focal, size[1] / 2, size[0] / 2)
    scene = Scene(Camera(centre, float(height), pitch), size)
    material_for = SceneMaterials(rng, scene, folder)
    (_yard if kind < 0.2 else _room)(rng, scene, material_for)
    return _scaled_scene(scene, rng.uniform(0.12, 0.45)) if close else scene


def _room(rng: np.random.Generator, scene: Scene, material_for: SceneMaterials) -> None:
    w, length, h = rng.uniform(1.5, 4.5), rng.uniform(1.8, 6), rng.uniform(2.3, 3.6)
    h = max(h, scene.camera.height + 0.4)
    yaw = rng.normal(0, 0.35) if rng.random() < 0.8 else rng.uniform(-np.pi / 4, np.pi / 4)
    # The camera stands in the rear part of the room; the room's centre follows.
    cx, cz = rng.uniform(-0.7, 0.7) * w, rng.uniform(0.45, 0.9) * length
    x, z = -cx * np.cos(yaw) + cz * np.sin(yaw), cx * np.sin(yaw) + cz * np.cos(yaw)
    wall, floor = material_for("wall"), material_for("floor")
    ceiling = material_for("ceiling")
    shell = Solid("box", (x, h / 2, z), (w, h / 2, length), yaw, wall, floor, inside=True)
    inside: Solids = [block((-w, w), (h - 0.01, h + 0.05), (-length, length), ceiling)]
    if rng.random() < 0.7:  # skirting boards
        m, t = material_for("furniture"), rng.uniform(0.05, 0.15)
        for s in (-1, 1):
            ends = sorted((s * w, s * (w - 0.015)))
            inside.append(block((ends[0], ends[1]), (0, t), (-length, length), m))
        inside.append(block((-w, w), (0, t), (length - 0.015, length), m))
    if rng.random() < 0.3:  # the lower part of the walls in another covering
        m, t = material_for("wall"), rng.uniform(0.8, 1.4)
        for s in (-1, 1):
            ends = sorted((s * w, s * (w - 0.006)))
            inside.append(block((ends[0], ends[1]), (0, t), (-length, length), m))
        inside.append(block((-w, w), (0, t), (length - 0.006, length), m))
    if rng.random() < 0.4:  # a carpet
        a, b = rng.uniform(0.4, 0.8) * w, rng.uniform(0.2, 0.5) * length
        carpet = block((-a, a), (0, 0.012), (-b, b), material_for("cloth"))
        inside += transformed([carpet], rng.normal(0, 0.2) * w, rng.uniform(-0.2, 0.6) * length, 0)
    windows = _on_walls(rng, material_for, inside, (w, length, h))
    _along_walls(rng, material_for, inside, (w, length), int(rng.integers(2, 9)))
    for _ in range(int(rng.integers(0, 6))):
        thing = furniture.FREE_STANDING[int(rng.integers(len(furniture.FREE_STANDING)))](
            rng, material_for
        )
        at = rng.uniform(-0.75, 0.75) * w, rng.uniform(-0.5, 0.9) * length
        inside += transformed(thing, *at, rng.uniform(0, 2 * np.pi) if rng.random() < 0.4 else 0.0)
    scene.solids = [shell, *_away_from_camera(transformed(inside, x, z, yaw), scene.camera)]
    _room_light(rng, scene, shell=shell, windows=windows, yaw=yaw, height=h)


def _along_walls(
    rng: np.random.Generator,
    material_for: SceneMaterials,
    inside: Solids,
    half: tuple[float, float],
    count: int,
) -> None:
    w, length = half
    for _ in range(count):
        thing = furniture.BY_WALL[int(rng.integers(len(furniture.BY_WALL)))](rng, material_for)
        deep = furniture.bounds(thing)[2]
        side = rng.random()
        if side < 0.5:
            inside += transformed(thing, rng.uniform(-0.85, 0.85) * w, length - deep - 0.02, 0)
        else:
            s = 1 if side < 0.75 else -1
            at = rng.uniform(-0.5, 0.9) * length
            inside += transformed(thing, s * (w - deep - 0.02), at, s * np.pi / 2)


def _on_walls(
    rng: np.random.Generator,
    material_for: SceneMaterials,
    inside: Solids,
    half: tuple[float, float, float],
) -> list[tuple[float, float, float]]:
    """Add windows, doors and pictures; returns the windows' centres in the room's frame."""
    w, length, h = half
    windows = []
    for _ in range(int(rng.integers(1, 8))):
        kind = rng.random()
        if kind < 0.25:
            use, a, low, high = "window", rng.uniform(0.3, 0.9), rng.uniform(0.05, 1), h - 0.3
        elif kind < 0.45:
            use, a, low, high = "furniture", rng.uniform(0.38, 0.5), 0.0, 2.05
        else:
            use = "picture" if kind < 0.85 else "screen"
            a, low = rng.uniform(0.12, 0.7), rng.uniform(0.9, 1.5)
            high = low + a * rng.uniform(0.8, 2.4)
        high = min(high, h - 0.1)
        if high - low < 0.15:
            continue
        face, frame, edge = material_for(use), material_for("furniture"), rng.uniform(0.015, 0.08)
        thing = [
            block((-a, a), (low, high), (-0.02, 0.02), face),
            block((-a - edge, a + edge), (high, high + edge), (-0.045, 0.02), frame),
            block((-a - edge, -a), (low, high), (-0.045, 0.02), frame),
            block((a, a + edge), (low, high), (-0.045, 0.02), frame),
        ]
        if low > 0:
            thing.append(block((-a - edge, a + edge), (low - edge, low), (-0.045, 0.02), frame))
        if use == "furniture":
            knob = material_for("furniture")
            thing.append(furniture.ball(a * 0.85, 1.0, -0.05, 0.03, knob))
        side = rng.random()
        if side < 0.5:
            at = (rng.uniform(-0.8, 0.8) * w, length - 0.02)
            inside += transformed(thing, *at, 0)
        else:
            s = 1 if side < 0.75 else -1
            at = (s * (w - 0.02), rng.uniform(-0.4, 0.85) * length)
            inside += transformed(thing, *at, s * np.pi / 2)
        if use == "window":
            windows.append((at[0], (low + high) / 2, at[1]))
    return windows


def _away_from_camera(solids: Solids, camera: Camera) -> Solids:
    """Leave out solids in the camera's way."""
    near = 0.45
    return [
        s
        for s in solids
        if np.hypot(max(abs(s.centre[0]) - s.half[0], 0), max(abs(s.centre[2]) - s.half[2], 0))
        > near
        or max(s.half) > 1.5
        or s.centre[1] + s.half[1] < camera.height - 0.7
    ]


def _room_light(
    rng: np.random.Generator,
    scene: Scene,
    *,
    shell: Solid,
    windows: list[tuple[float, float, float]],
    yaw: float,
    height: float,
) -> None:
    warm = np.exp(rng.normal(0, 0.1, 3) + rng.uniform(0, 0.3) * np.array([0.5, 0, -0.7]))
    scene.ambient = (warm * rng.uniform(0.12, 0.5)).astype(np.float32)
    cos, sin = np.cos(yaw), np.sin(yaw)

    def world(x: float, y: float, z: float) -> Floats:
        return np.asarray(
            [shell.centre[0] + x * cos + z * sin, y, shell.centre[2] - x * sin + z * cos],
            np.float32,
        )

    for _ in range(int(rng.integers(1, 4))):
        x, z = rng.uniform(-0.7, 0.7, 2) * (shell.half[0], shell.half[2])
        power = warm * np.exp(rng.normal(0, 0.08, 3)) * rng.uniform(0.5, 3.0)
        scene.lamps.append(Lamp(world(x, height - 0.15, z), power.astype(np.float32)))
    for x, y, z in windows[:2]:
        cool = np.array([0.85, 0.95, 1.1]) * rng.uniform(0.8, 4.0)
        scene.lamps.append(Lamp(world(x * 0.93, y, z * 0.95), cool.astype(np.float32)))


def _yard(rng: np.random.Generator, scene: Scene, material_for: SceneMaterials) -> None:
    """Open ground with walls, sheds, trees and objects, under a sky."""
    ground = material_for("ground")
    scene.solids = [Solid("box", (0, -0.5, 100), (400, 0.5, 400), 0, ground)]
    if rng.random() < 0.6:  # a path
        s = block(
            (-rng.uniform(0.6, 3), rng.uniform(0.6, 3)),
            (0, 0.006),
            (-50, 80),
            material_for("floor"),
        )
        scene.solids += transformed([s], rng.normal(0, 2), 0, rng.normal(0, 0.5))
    far: Solids = []
    for _ in range(int(rng.integers(1, 9))):
        a, b, h = rng.uniform(1.5, 7), rng.uniform(1.5, 5), rng.uniform(1.8, 9)
        house = [block((-a, a), (0, h), (-b, b), material_for("wall"), material_for("ceiling"))]
        for _ in range(int(rng.integers(0, 7))):
            x, y, m = rng.uniform(-0.8, 0.8) * a, rng.uniform(0.3, 0.8) * h, material_for("window")
            house.append(block((x - 0.5, x + 0.5), (y - 0.5, y + 0.5), (-b - 0.03, -b), m))
        at = rng.uniform(-16, 16), rng.uniform(7, 40)
        far += transformed(house, *at, rng.normal(0, 0.4))
    for _ in range(int(rng.integers(0, 10))):
        leaf, stem = material_for("leaf"), material_for("furniture")
        tree = [furniture.rod(0, 0, (0, 2), rng.uniform(0.08, 0.25), stem)]
        for _ in range(int(rng.integers(3, 9))):
            x, y, z = rng.normal(0, 0.6), rng.uniform(1.6, 4.2), rng.normal(0, 0.6)
            tree.append(furniture.ball(x, y, z, rng.uniform(0.4, 1.2), leaf))
        far += transformed(tree, rng.uniform(-12, 12), rng.uniform(4, 30), 0)
    if rng.random() < 0.5:  # a fence
        m, count, z = material_for("furniture"), int(rng.integers(10, 34)), rng.uniform(3, 9)
        turn, gap, high = rng.normal(0, 0.4), rng.uniform(0.25, 0.9), rng.uniform(0.7, 1.8)
        fence = [
            block((x * gap, x * gap + 0.06), (0, high), (-0.02, 0.02), m)
            for x in range(-count // 2, count // 2)
        ]
        reach = count * gap / 2
        fence += [
            block((-reach, reach), (high * k, high * k + 0.06), (-0.04, -0.02), m)
            for k in (0.3, 0.8)
        ]
        far += transformed(fence, rng.normal(0, 1), z, turn)
    for _ in range(int(rng.integers(1, 8))):
        thing = furniture.OUTDOORS[int(rng.integers(len(furniture.OUTDOORS)))](rng, material_for)
        far += transformed(thing, rng.uniform(-3, 3), rng.uniform(1.5, 9), rng.uniform(0, 6))
    scene.solids += _away_from_camera(far, scene.camera)
    day = rng.uniform(0.5, 1.2)
    blue = rng.uniform(0, 1)
    horizon = np.asarray([0.8, 0.85, 0.9], np.float32) * day
    zenith = (1 - blue) * horizon * 0.9 + blue * np.asarray([0.15, 0.35, 0.8], np.float32) * day
    scene.sky = np.stack([horizon, zenith]).astype(np.float32)
    scene.ambient = (
        np.asarray([0.5, 0.55, 0.65], np.float32) * day * rng.uniform(0.5, 0.9)
    ).astype(np.float32)
    up, turn = rng.uniform(0.25, 1.3), rng.uniform(0, 2 * np.pi)
    sun = np.array([np.sin(turn) * np.cos(up), np.sin(up), np.cos(turn) * np.cos(up)], np.float32)
    power = np.asarray([1.0, 0.93, 0.8], np.float32) * np.float32(rng.uniform(0, 1.8))
    scene.lamps = [Lamp(sun, power, far=True)]


def _scaled_scene(scene: Scene, factor: float) -> Scene:
    """Scale the scene with its camera: the picture stays the same."""
    f = float(factor)

    def scaled(v: tuple[float, float, float]) -> tuple[float, float, float]:
        return v[0] * f, v[1] * f, v[2] * f

    camera = replace(scene.camera, height=scene.camera.height * f)
    solids = [replace(s, centre=scaled(s.centre), half=scaled(s.half)) for s in scene.solids]
    materials = [
        Material(Texture(m.texture.levels, m.texture.metres * f), m.glow) for m in scene.materials
    ]
    lamps = [
        lamp if lamp.far else Lamp(lamp.place * np.float32(f), lamp.power * np.float32(f * f))
        for lamp in scene.lamps
    ]
    return Scene(camera, scene.size, solids, materials, lamps, scene.ambient, scene.sky)
