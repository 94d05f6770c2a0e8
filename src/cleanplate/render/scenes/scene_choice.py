"""Scene of each item: consecutive items share one, seen by several cameras."""

from __future__ import annotations

import numpy as np

from cleanplate.errors import CleanplateError
from cleanplate.render.scenes import interiors, outdoor, tabletops
from cleanplate.render.scenes.asset_library import Asset, AssetLibrary
from cleanplate.render.scenes.scene_description import SceneDescription

ITEMS_PER_SCENE = 6
"""Loading a scene takes as long as rendering some pictures of it."""
_KIND_CYCLE = ("outdoor", "world", "room", "outdoor", "world", "tabletop")
"""A third outdoors, a sixth table tops, the rest furnished worlds and photorealistic rooms."""


def scene_for_item(library: AssetLibrary, seed: int, index: int) -> SceneDescription:
    """Give the scene of item `index`.

    Args:
        library: assets to compose from; kinds without assets are left out.
        seed: of all items.
        index: of the item.

    Raises:
        CleanplateError: if the library has no scenes of those kinds.
    """
    group = index // ITEMS_PER_SCENE
    asked = library.scenes or _KIND_CYCLE
    kinds = tuple(k for k in asked if _has(library, k))
    if not kinds:
        raise CleanplateError(
            f"has no scenes of any kind asked for ({', '.join(sorted(set(asked)))})",
            file=library.folder,
            cure="Scenes stand in scenes/CATALOG.csv.",
        )
    rng = np.random.default_rng([seed, 1, group])
    kind = kinds[group % len(kinds)]
    # In turn, not drawn, so that few items cover all.
    turn = group // len(kinds) + group % len(kinds)
    if kind == "outdoor":
        return outdoor.compose_outdoor(library, rng)
    if kind == "tabletop":
        return tabletops.compose_tabletop(library, rng)
    if kind == "world":
        worlds = library.assets_of("world")
        return interiors.load_world(library, worlds[turn % len(worlds)], rng)
    rooms = _rooms(library)
    return interiors.load_room(library, rooms[turn % len(rooms)])


def _has(library: AssetLibrary, kind: str) -> bool:
    if kind == "outdoor":
        return bool(library.assets_of("building", "scenes/outdoor"))
    if kind == "tabletop":
        return any(0 < (a.height or 0) < 0.35 for a in library.assets_of("object"))
    return bool(library.assets_of("world") if kind == "world" else _rooms(library))


def _rooms(library: AssetLibrary) -> list[Asset]:
    return library.assets_of("room", "scenes/rooms/")
