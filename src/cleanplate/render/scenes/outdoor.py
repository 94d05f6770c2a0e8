"""Outdoor scenes: streets and yards of buildings, trees and street furniture on textured ground."""

from __future__ import annotations

import math

import numpy as np

from cleanplate.render.scenes.asset_library import Asset, AssetLibrary
from cleanplate.render.scenes.scene_description import Model, SceneDescription, Slab, StandingPose

_ROAD = 3.6
"""Metres from a street's centre line to its kerb."""
_KERB = 0.12
_VEHICLES = ("pickup", "suv", "hatchback", "bus", "ambulance", "fire_truck")
_LARGE = 26.0
"""Metres: wider buildings are rarely placed in a row."""
_TILE = 9.0
"""Metres of one tile of the city kit."""


def compose_outdoor(library: AssetLibrary, rng: np.random.Generator) -> SceneDescription:
    """Compose a street (half of the time), a yard or a few blocks of the city kit."""
    draw = rng.random()
    if draw < 0.5:
        return _street(library, rng)
    if draw < 0.85 or not _kit(library):
        return _yard(library, rng)
    return _blocks(library, rng)


def _street(library: AssetLibrary, rng: np.random.Generator) -> SceneDescription:
    """Lay a road along x, pavements, a row of buildings on one side or both."""
    pavement = rng.uniform(2.2, 5.0)
    slabs = [
        _ground(library, rng, ("grass", "Grass", "concrete", "Rock"), z=-0.02),
        Slab((0, 0, -0.04), (160, 2 * _ROAD, 0.1), _texture(library, rng, ("asphalt",)), 3.0),
    ]
    models: list[Model] = []
    tiles = _texture(library, rng, ("concrete", "Tiles036", "dining_room_Tiles", "rock_1"))
    for side in (-1, 1):
        middle = side * (_ROAD + pavement / 2)
        slabs.append(Slab((0, middle, _KERB / 2), (160, pavement, _KERB), tiles, 2.0))
        if side > 0 or rng.random() < 0.75:
            models += _row(library, rng, side, _ROAD + pavement)
        models += _furniture(library, rng, side, pavement)
    models += _traffic(library, rng)
    reach = rng.uniform(10, 18)
    edge = _ROAD + pavement - 0.4
    return SceneDescription(
        name="street",
        kind="outdoor",
        slabs=tuple(slabs),
        models=tuple(models),
        area=(-reach, -edge, reach, edge),
        ceiling=6.0,
    )


def _row(library: AssetLibrary, rng: np.random.Generator, side: int, start: float) -> list[Model]:
    models = []
    x = -38.0 + rng.uniform(-6, 0)
    buildings = [b for b in library.assets_of("building", "scenes/outdoor/building") if b.box]
    while x < 34:
        asset = buildings[rng.integers(len(buildings))]
        width, depth, _ = asset.box or (10, 10, 5)
        if max(width, depth) > _LARGE and rng.random() < 0.8:
            continue
        quarter = int(rng.integers(4))
        if quarter % 2:
            width, depth = depth, width
        y = side * (start + rng.uniform(0.2, 3.0) + depth / 2)
        place = StandingPose(x + width / 2, y, 0.0, turn=quarter * math.pi / 2)
        models.append(Model(asset.path, place))
        x += width + rng.uniform(0.5, 6.0)
        if rng.random() < 0.4:
            models += _trees(library, rng, 1, (x - 2, side * (start + 1.5)), 1.5)
    return models


def _furniture(
    library: AssetLibrary, rng: np.random.Generator, side: int, pavement: float
) -> list[Model]:
    """Place lamp posts, bins and signs on the pavement."""
    pieces = [a for a in library.assets_of("street", "scenes/outdoor/street") if not _is_vehicle(a)]
    small = [a for a in pieces if a.box and max(a.box[:2]) < 4]
    models = []
    for _ in range(int(rng.integers(2, 8))):
        asset = small[rng.integers(len(small))]
        y = side * (_ROAD + pavement * rng.uniform(0.1, 0.95))
        turn = rng.integers(4) * math.pi / 2 + rng.normal(0, 0.1)
        models.append(Model(asset.path, StandingPose(rng.uniform(-22, 22), y, _KERB, turn)))
    return models


def _traffic(library: AssetLibrary, rng: np.random.Generator) -> list[Model]:
    """Park a few cars along the kerbs, at times none."""
    cars = [a for a in library.assets_of("street", "scenes/outdoor/street") if _is_vehicle(a)]
    models = []
    for k in range(int(rng.integers(0, 4))):
        asset = cars[rng.integers(len(cars))]
        box = asset.box or (4, 2, 2)
        along = 0.0 if box[0] > box[1] else math.pi / 2
        side = 1 if rng.random() < 0.5 else -1
        turn = along + (math.pi if side > 0 else 0) + rng.normal(0, 0.02)
        x = -21 + 14 * k + rng.uniform(-3, 3)
        models.append(Model(asset.path, StandingPose(x, side * (_ROAD - 1.3), 0.01, turn)))
    return models


def _yard(library: AssetLibrary, rng: np.random.Generator) -> SceneDescription:
    """Place two to four buildings, trees and objects on a lawn or a paved court."""
    slabs = [_ground(library, rng, ("grass", "Grass", "concrete", "Rock", "Tiles036", "asphalt"))]
    models = []
    buildings = [b for b in library.assets_of("building", "scenes/outdoor/building") if b.box]
    start = rng.uniform(0, 2 * math.pi)
    court = rng.uniform(5, 11)
    for k in range(int(rng.integers(2, 5))):
        asset = buildings[rng.integers(len(buildings))]
        width, depth, _ = asset.box or (10, 10, 5)
        angle = start + k * math.pi / 2
        far = court + (depth if rng.random() < 0.5 else max(width, depth)) / 2 + 1
        far = max(far, court + max(width, depth) / 2)
        quarter = (k + int(rng.integers(2)) * 2) * math.pi / 2
        place = StandingPose(far * math.cos(angle), far * math.sin(angle), 0.0, start + quarter)
        models.append(Model(asset.path, place))
    models += _trees(library, rng, int(rng.integers(2, 9)), (0, 0), court * 1.5)
    pieces = [a for a in library.assets_of("street", "scenes/outdoor/street") if a.box]
    pieces = [a for a in pieces if max(a.box or (9,)) < 5.5]
    for _ in range(int(rng.integers(3, 10))):
        asset = pieces[rng.integers(len(pieces))]
        angle, far = rng.uniform(0, 2 * math.pi), court * math.sqrt(rng.uniform(0.1, 1.1))
        place = StandingPose(far * math.cos(angle), far * math.sin(angle), 0.0, rng.uniform(0, 6.3))
        models.append(Model(asset.path, place))
    reach = court * 0.9
    return SceneDescription(
        name="yard",
        kind="outdoor",
        slabs=tuple(slabs),
        models=tuple(models),
        area=(-reach, -reach, reach, reach),
        ceiling=6.0,
    )


def _blocks(library: AssetLibrary, rng: np.random.Generator) -> SceneDescription:
    """Lay a road of the stylised city kit with its houses and lawns at both sides."""
    kit = _kit(library)
    houses = [p for n, p in kit.items() if n.startswith("building")]
    lawns = [p for n, p in kit.items() if n.startswith(("grass", "pavement"))]
    roads = [p for n, p in kit.items() if n.startswith("road-straight")]
    models = []
    turned = (
        rng.integers(2) * math.pi / 2
    )  # the direction of the kit's road is not stated: use both
    for i in range(-3, 4):
        road = roads[rng.integers(len(roads))]
        models.append(Model(road, StandingPose(i * _TILE, 0, 0.0, turned, _TILE)))
        for j in (-2, -1, 1, 2):
            pick = houses if rng.random() < (0.45 if abs(j) == 1 else 0.8) else lawns
            path = pick[rng.integers(len(pick))]
            turn = rng.integers(4) * math.pi / 2
            models.append(Model(path, StandingPose(i * _TILE, j * _TILE, 0.0, turn, _TILE)))
    slabs = (_ground(library, rng, ("grass", "Grass", "concrete"), z=-0.02),)
    return SceneDescription(
        name="city",
        kind="outdoor",
        slabs=slabs,
        models=tuple(models),
        area=(-14, -12, 14, 12),
        ceiling=7.0,
    )


def _trees(
    library: AssetLibrary,
    rng: np.random.Generator,
    count: int,
    middle: tuple[float, float],
    spread: float,
) -> list[Model]:
    trees = library.assets_of("nature", "scenes/outdoor/nature")
    models = []
    for _ in range(count if trees else 0):
        x, y = (m + rng.uniform(-spread, spread) for m in middle)
        scale = rng.uniform(0.7, 1.3)
        path = trees[rng.integers(len(trees))].path
        models.append(Model(path, StandingPose(x, y, -0.05, rng.uniform(0, 6.3), scale)))
    return models


def _ground(
    library: AssetLibrary, rng: np.random.Generator, names: tuple[str, ...], z: float = 0.0
) -> Slab:
    """Give a ground plane that reaches the horizon."""
    texture = _texture(library, rng, names)
    return Slab((0, 0, z - 0.5), (600, 600, 1.0), texture, rng.uniform(2.0, 3.5), roughness=0.9)


def _texture(library: AssetLibrary, rng: np.random.Generator, names: tuple[str, ...]) -> str | None:
    """Draw a colour texture whose name contains one of some words; None if there is none."""
    found = [
        t.path
        for t in library.assets_of("texture")
        if any(n in t.name for n in names) and not t.name.endswith(("_Normal", "_Roughness"))
    ]
    return found[rng.integers(len(found))] if found else None


def _kit(library: AssetLibrary) -> dict[str, str]:
    return {
        a.name: a.path
        for a in library.assets.values()
        if a.path.startswith("scenes/outdoor/kenney/")
    }


def _is_vehicle(asset: Asset) -> bool:
    return asset.name.startswith(_VEHICLES)
