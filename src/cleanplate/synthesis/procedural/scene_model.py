"""Model of a procedural scene: camera, solids, materials, lamps and sky."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from cleanplate.synthesis.assets.plate import Camera
from cleanplate.synthesis.procedural import decor
from cleanplate.synthesis.procedural.furniture import Solids
from cleanplate.synthesis.procedural.solids import Floats
from cleanplate.synthesis.procedural.textures import Texture, sample_texture


@dataclass(frozen=True)
class Material:
    """A surface material: its texture, and emitted light, linear (3,), or None."""

    texture: Texture
    glow: Floats | None = None


@dataclass(frozen=True)
class Lamp:
    """A light at `place` (3,); `power` (3,) is its light at one metre.

    If `far`, `place` is a direction and the light does not fall off.
    """

    place: Floats
    power: Floats
    far: bool = False


@dataclass
class Scene:
    """A scene before rendering. `sky` is linear (2, 3): horizon, zenith."""

    camera: Camera
    size: tuple[int, int]
    solids: Solids = field(default_factory=list)
    materials: list[Material] = field(default_factory=list)
    lamps: list[Lamp] = field(default_factory=list)
    ambient: Floats = field(default_factory=lambda: np.full(3, 0.3, np.float32))
    sky: Floats = field(default_factory=lambda: np.full((2, 3), 0.8, np.float32))


class SceneMaterials:
    """Draws materials into a scene.

    Args:
        rng: drawn from.
        scene: to which materials are added.
        folder: of texture pictures, or None.
    """

    def __init__(self, rng: np.random.Generator, scene: Scene, folder: Path | None):
        self.rng, self.scene, self.folder = rng, scene, folder

    def __call__(self, use: str) -> int:
        """Draw a material for a use; returns its index."""
        rng, glow = self.rng, None
        if use == "lamp":
            texture = sample_texture(rng, "cloth")
            glow = np.asarray([1.0, 0.85, 0.6], np.float32) * np.float32(rng.uniform(0.5, 1.5))
        elif use == "window":
            texture = decor.window_view(rng)
            glow = np.asarray([0.9, 0.95, 1.0], np.float32) * np.float32(rng.uniform(0.3, 1.6))
        elif use == "screen":
            texture = decor.wall_picture(rng, dark=True)
            glow = np.full(3, rng.choice([0.0, 0.25]), np.float32)
        elif use == "picture":
            texture = decor.wall_picture(rng)
        elif use == "leaf":
            texture = replace(sample_texture(rng, "furniture"))
            green = np.asarray([0.08, 0.2, 0.05], np.float32) * np.exp(
                rng.normal(0, 0.3, 3)
            ).astype(np.float32)
            levels = tuple(level * 0.4 + green for level in texture.levels)
            texture = Texture(levels, texture.metres)
        else:
            texture = sample_texture(rng, use, self.folder)
        self.scene.materials.append(Material(texture, glow))
        return len(self.scene.materials) - 1
