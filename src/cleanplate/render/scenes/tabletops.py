"""Table-top scenes: small objects on a table, a bench or a shelf, seen close."""

from __future__ import annotations

import math

import numpy as np

from cleanplate.render.scenes.asset_library import Asset, AssetLibrary
from cleanplate.render.scenes.scene_description import (
    Model,
    Point,
    SceneDescription,
    Slab,
    StandingPose,
)

_TABLES = ("furniture_gazebo/", "KitchenTable", "CoffeeTable", "ReadingDesk", "TVCabinet")
_SMALL = 0.35
"""Metres: higher objects are not placed on tables."""
_SURFACES = ("wood", "Wood", "marble", "Marble", "concrete_1", "Worktop", "cardboard", "Tiles036")
_WALLS = ("wall", "stucco", "brick", "cinder", "Wallpaper", "wallpaper", "concrete", "Fabric")
_WALL: Point = (12.0, 0.1, 3.0)
_FLOOR: tuple[Point, Point] = (0.0, 0.0, -0.05), (12.0, 12.0, 0.1)
_FLOORS = ("floor", "Floor", "concrete", "tiles", "Tiles", "planks")


def compose_tabletop(library: AssetLibrary, rng: np.random.Generator) -> SceneDescription:
    """Compose a table, a bench (half of the time) or a shelf with 3 to 12 small objects."""
    draw = rng.random()
    if draw < 0.25:
        return _shelf(library, rng)
    slabs = [_slab(library, rng, _FLOORS, _FLOOR, tile=1.6)]
    distance = rng.uniform(0.45, 1.6)
    behind = (0.0, distance + 0.05, 1.5)
    if rng.random() < 0.75:  # a wall behind, another at the side
        slabs.append(_slab(library, rng, _WALLS, (behind, _WALL), tile=1.4))
        if rng.random() < 0.5:
            x = rng.choice([-1, 1]) * rng.uniform(1.2, 2.5)
            slabs.append(Slab((x, 0, 1.5), (0.1, 12, 3.0), slabs[-1].texture, 1.4))
    models = []
    tables = _tables(library)
    if draw < 0.6 or not tables:  # a bench: a plain top, as in a robot cell or a studio
        top = rng.uniform(0.7, 1.0)
        half_x, half_y = rng.uniform(0.5, 1.0), rng.uniform(0.3, 0.45)
        board = (0.0, 0.0, top - 0.02), (2 * half_x, 2 * half_y, 0.04)
        slabs.append(_slab(library, rng, _SURFACES, board, tile=rng.uniform(0.5, 1.2)))
    else:
        table = tables[rng.integers(len(tables))]
        width, depth, top = table.box or (1.2, 0.7, 0.8)
        turn = rng.integers(2) * math.pi / 2 + rng.normal(0, 0.05)
        half_x, half_y = width * 0.36, depth * 0.36
        if round(turn / (math.pi / 2)) % 2:
            half_x, half_y = half_y, half_x
        models.append(Model(table.path, StandingPose(0, 0, 0.0, turn)))
    objects = _small_objects(library, rng, (-half_x, -half_y, half_x, half_y), top + 0.6)
    models += objects
    return SceneDescription(
        name="tabletop",
        kind="tabletop",
        slabs=tuple(slabs),
        models=tuple(models),
        area=(-half_x * 0.7, -half_y * 0.7, half_x * 0.7, half_y * 0.7),
        aims=_places(objects),
        ground=top,
        ceiling=2.9,
    )


def _shelf(library: AssetLibrary, rng: np.random.Generator) -> SceneDescription:
    """Shelves before a wall; the camera looks at one of them."""
    floor = _slab(library, rng, _FLOORS, _FLOOR, tile=1.6)
    wall = _slab(library, rng, _WALLS, ((0, 0.25, 1.5), _WALL), tile=1.4)
    depth, half = rng.uniform(0.3, 0.45), rng.uniform(0.5, 1.0)
    middle = 0.2 - depth / 2
    wood = _slab(library, rng, _SURFACES, ((0, 0, 0), (1, 1, 1)), tile=0.8)
    step, thick = rng.uniform(0.42, 0.6), rng.uniform(0.018, 0.04)
    tops = [rng.uniform(0.3, 0.6) + step * k for k in range(4)]
    tops = [tops[0] + step * k for k in range(4)]
    slabs = [floor, wall]
    for top in tops:
        board = (0, middle, top - thick / 2), (2 * half, depth, thick)
        slabs.append(Slab(*board, wood.texture, wood.tile, wood.colour))
    for side in (-1, 1):
        upright = (side * half, middle, tops[-1] / 2), (thick, depth, tops[-1] + thick)
        slabs.append(Slab(*upright, wood.texture, wood.tile, wood.colour))
    models: list[Model] = []
    aims: tuple[tuple[float, float], ...] = ()
    chosen = int(rng.integers(0, 3))
    for k, top in enumerate(tops):
        if k == chosen or rng.random() < 0.6:
            free = (-half * 0.85, middle - depth * 0.3, half * 0.85, middle + depth * 0.3)
            objects = _small_objects(library, rng, free, top + step * 0.8)
            models += objects
            aims = _places(objects) if k == chosen else aims
    return SceneDescription(
        name="shelf",
        kind="tabletop",
        slabs=tuple(slabs),
        models=tuple(models),
        area=(-half * 0.6, middle - 0.05, half * 0.6, middle + 0.05),
        aims=aims,
        ground=tops[chosen],
        ceiling=tops[chosen] + step * 0.9,
    )


def _small_objects(
    library: AssetLibrary,
    rng: np.random.Generator,
    area: tuple[float, float, float, float],
    drop_from: float,
) -> list[Model]:
    """Drop small objects at places that keep a distance from each other."""
    objects = [a for a in library.assets_of("object") if 0 < (a.height or 1) < _SMALL]
    models: list[Model] = []
    taken: list[tuple[float, float]] = []
    for _ in range(int(rng.integers(3, 13)) if objects else 0):
        asset = objects[rng.integers(len(objects))]
        for _ in range(12):
            x, y = rng.uniform(area[0], area[2]), rng.uniform(area[1], area[3])
            if all(math.hypot(x - a, y - b) > 0.17 for a, b in taken):
                taken.append((x, y))
                turn = rng.uniform(0, 2 * math.pi)
                models.append(
                    Model(asset.path, StandingPose(x, y, None, turn, drop_from=drop_from))
                )
                break
    return models


def _places(models: list[Model]) -> tuple[tuple[float, float], ...]:
    return tuple((m.where.x, m.where.y) for m in models if isinstance(m.where, StandingPose))


def _tables(library: AssetLibrary) -> list[Asset]:
    return [a for a in library.assets_of("furniture") if any(t in a.path for t in _TABLES)]


def _slab(
    library: AssetLibrary,
    rng: np.random.Generator,
    names: tuple[str, ...],
    box: tuple[Point, Point],
    *,
    tile: float,
) -> Slab:
    """Give a slab (centre, size) with a matching texture; one in four has a plain colour."""
    found = [
        t.path
        for t in library.assets_of("texture")
        if any(n in t.name for n in names) and not t.name.endswith(("_Normal", "_Roughness"))
    ]
    grey = rng.uniform(0.08, 0.85)
    red, green, blue = (float(np.clip(grey * rng.uniform(0.85, 1.15), 0, 0.9)) for _ in range(3))
    shine = rng.uniform(0.25, 0.9)
    texture = None if not found or rng.random() < 0.25 else found[rng.integers(len(found))]
    return Slab(*box, texture, tile, (red, green, blue), shine)
