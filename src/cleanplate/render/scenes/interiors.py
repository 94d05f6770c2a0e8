"""Interiors of the asset folder: furnished worlds and photorealistic rooms."""

from __future__ import annotations

import math
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from cleanplate.render.scenes.asset_library import Asset, AssetLibrary
from cleanplate.render.scenes.scene_description import CameraSpot, Model, SceneDescription, Slab

_CAMERA_SPOTS: dict[str, tuple[float, float, float, float, float]] = {
    "country_kitchen": (1.11, -3.54, 1.68, 116, 60),
    "contemporary_bathroom": (0.01, 0.23, 0.91, 130, 70),
    "wooden_staircase": (0.02, -2.93, 0.90, 90, 40),
    "modern_hall": (3.46, -1.28, 0.83, 154, 70),
    "salle_de_bain": (0.40, -4.49, 1.51, 97, 60),
}
"""x, y, z, heading and horizontal field of view in degrees, for rooms whose JSON has no better."""


def load_world(library: AssetLibrary, asset: Asset, rng: np.random.Generator) -> SceneDescription:
    """Describe a furnished world; each seed leaves out a few of its smaller pieces."""
    record = library.read_json(asset.path)
    folder = PurePosixPath(asset.path).parent / record.get("models_dir", "models")
    models = []
    for placement in record["placements"]:
        path = f"{folder}/{placement['model']}.glb"
        if library.is_excluded(placement["model"]) or path not in library.assets:
            continue
        if library.assets[path].kind == "furniture" and rng.random() < 0.08:
            continue
        rows = tuple(tuple(float(v) for v in row) for row in placement["matrix"])
        models.append(Model(path, rows))
    box = asset.box
    tall = box is not None and box[2] > 5
    shade = rng.uniform(0.6, 0.9)
    # These worlds lack most of their ceilings.
    roof = Slab((0, 0, 3.06), (120, 120, 0.1), colour=(shade, shade, shade * 0.96))
    return SceneDescription(
        name=asset.name,
        kind="world",
        models=tuple(models),
        slabs=() if tall else (roof,),
        ceiling=5.0 if tall else 2.85,
        lamp_spacing=5.0 if tall else 3.6,
        lamp_height=5.5 if tall else 2.4,
        lamp_watts=(250.0, 700.0) if tall else (50.0, 130.0),
        files=(asset.path,),
    )


def load_room(library: AssetLibrary, asset: Asset) -> SceneDescription:
    """Describe a photorealistic room: one file that contains its emitters."""
    record = library.read_json(str(PurePosixPath(asset.path).with_suffix(".json")))
    top = float(record["bounds"][1][2])
    return SceneDescription(
        name=asset.name,
        kind="room",
        models=(Model(asset.path, _identity()),),
        ceiling=min(top - 0.2, 3.2),
        spots=(_camera_spot(asset.name, record),),
    )


def _camera_spot(name: str, record: dict[str, Any]) -> CameraSpot:
    if name in _CAMERA_SPOTS:
        x, y, z, heading, angle = _CAMERA_SPOTS[name]
    else:
        camera = record["camera"]
        (x, y, z), heading, angle = camera["pos"], camera["yaw_deg"], camera["fov_deg"]
    focal = 0.5 / math.tan(math.radians(angle) / 2)
    return CameraSpot((x, y, z), math.radians(heading), focal)


def _identity() -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(i == j) for j in range(4)) for i in range(4))
