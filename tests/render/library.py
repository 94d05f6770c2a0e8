"""A small asset folder: catalogues alone, or with models made by Blender."""

from __future__ import annotations

import csv
from pathlib import Path

SCENES = ("path", "kind", "name", "size_m or scale", "source_repo", "source_path")
SUBJECTS = ("path", "kind", "name", "height_m", "rigged", "source_repo", "source_path")
RIGHTS = ("license", "attribution", "notes")


def write_catalogues(folder: Path, scenes: list[tuple], subjects: list[tuple]) -> Path:
    """Each row is (path, kind, size or height, notes)."""
    for half, columns, rows in (("scenes", SCENES, scenes), ("subjects", SUBJECTS, subjects)):
        (folder / half).mkdir(parents=True, exist_ok=True)
        with (folder / half / "CATALOG.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, [*columns, *RIGHTS], restval="")
            writer.writeheader()
            for path, kind, size, notes in rows:
                name = Path(path).stem
                line = {
                    "path": path,
                    "kind": kind,
                    "name": name,
                    columns[3]: size,
                    "source_repo": "tests",
                    "source_path": name,
                    "license": f"licence of {name}",
                    "attribution": "the test",
                    "notes": notes,
                }
                writer.writerow(line)
    return folder


OUTDOORS = [
    ("outdoor/building/shop.glb", "building", "8x6x4", ""),
    ("outdoor/building/hall.glb", "building", "12x9x6", ""),
    ("outdoor/street/bin.glb", "street", "0.5x0.5x1.0", ""),
    ("outdoor/street/suv.glb", "street", "5x2.6x2.1", ""),
    ("outdoor/nature/oak.glb", "nature", "5x5x6", ""),
    ("outdoor/kenney/building-a.glb", "building", "tile", ""),
    ("outdoor/kenney/grass.glb", "nature", "tile", ""),
    ("outdoor/kenney/road-straight.glb", "street", "tile", ""),
]
TABLES = [("furniture_gazebo/table.glb", "furniture", "1.5x0.8x1.0", "")]
LIGHTS = [
    ("hdri/noon.exr", "hdri", "", "outdoor; sun"),
    ("hdri/night_square.exr", "hdri", "", "outdoor; lamps"),
    ("hdri/studio.exr", "hdri", "", "indoor"),
    ("textures/asphalt.jpg", "texture", "", ""),
    ("textures/acg_wood_Color.jpg", "texture", "", ""),
    ("textures/acg_wood_Normal.jpg", "texture", "", ""),
]
THINGS = [
    ("objects/mug.glb", "object", "0.1", "bbox(m) 0.08x0.08x0.1"),
    ("objects/crate.glb", "object", "0.6", "bbox(m) 0.6x0.6x0.6"),
    ("hands/generic_hand.glb", "hand", "0.2", "bbox(m) 0.1x0.05x0.2"),
    ("animals/lion.glb", "animal", "1.2", "bbox(m) 0.04x0.12x0.06"),
    ("vehicles/van.glb", "vehicle", "2.0", "bbox(m) 4x2x2"),
]
