"""Collections of procedural plates and cutouts, generated when first used."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from cleanplate.synthesis.assets.cutout import Cutout
from cleanplate.synthesis.assets.plate import Plate
from cleanplate.synthesis.procedural.procedural_figures import KINDS, render_cutout
from cleanplate.synthesis.procedural.shading import render_plate

Asset = TypeVar("Asset", Plate, Cutout)


class _AssetPool(Generic[Asset]):
    """`count` assets; each depends on its number alone. The last `keep` ones are kept in memory."""

    def __init__(self, make: Callable[[int], Asset], count: int, keep: int):
        self.make: Callable[[int], Asset] = make
        self.count, self.keep = count, keep
        self._kept: OrderedDict[int, Asset] = OrderedDict()

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> Asset:
        if number not in self._kept:
            self._kept[number] = self.make(number)
            if len(self._kept) > self.keep:
                self._kept.popitem(last=False)
        self._kept.move_to_end(number)
        return self._kept[number]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": OrderedDict()}


class ProceduralPlates(_AssetPool[Plate]):
    """Procedural plates: rooms, yards and table tops."""

    def __init__(self, seed: int, count: int, textures: Path | None = None, keep: int = 1024):
        make: Callable[[int], Plate] = partial(render_plate, seed, textures=textures)
        super().__init__(make, count, keep)


class ProceduralCutouts(_AssetPool[Cutout]):
    """Procedural cutouts: people, animals and objects."""

    def __init__(self, seed: int, count: int, keep: int = 1024):
        super().__init__(partial(render_cutout, seed), count, keep)

    @property
    def kinds(self) -> Mapping[str, Sequence[int]]:
        """Indices by kind."""
        kinds: dict[str, list[int]] = {}
        for number in range(self.count):
            kinds.setdefault(KINDS[number % len(KINDS)], []).append(number)
        return kinds
