"""Which subject enters a view and where: redrawn until enough of it is visible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from cleanplate.synthesis.assets.cutout import Cutout
from cleanplate.synthesis.assets.plate import Plate
from cleanplate.synthesis.compositor import placement as place
from cleanplate.synthesis.compositor.layer import Layer, render_layer
from cleanplate.synthesis.compositor.occlusion import MergedSubjects, visible_alpha
from cleanplate.synthesis.compositor.placement import Placement
from cleanplate.synthesis.compositor.settings import CompositorSettings
from cleanplate.synthesis.compositor.view import SceneView
from cleanplate.synthesis.procedural.shapes import sample_shape

_ATTEMPTS = 5
"""Placements tried for one subject; the last is uniform."""
_MIN_VISIBLE = 0.3
"""Least share of a subject's pixels within the picture that nothing hides."""
_MIN_COVERAGE = 0.0012
"""Least share of the picture that a subject covers."""
_KINDS = ("person", "object", "animal", "vehicle")


class PlateCollection(Protocol):
    """A collection of plates; `plates[i]` gives the same plate each time."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> Plate: ...


class CutoutCollection(Protocol):
    """A collection of cutouts, with the indices of each kind."""

    @property
    def kinds(self) -> Mapping[str, Sequence[int]]:
        """Indices by kind; the suffix `-half` marks those that are cut."""
        ...

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> Cutout: ...


def sample_subject(
    rng: np.random.Generator,
    cutouts: CutoutCollection,
    view: SceneView,
    settings: CompositorSettings,
) -> Layer | None:
    """Draw one subject and its placement; None if no placement shows enough of it."""
    ways = np.array([settings.grounded, settings.portrait, settings.uniform])
    if view.points is None:
        ways[0] = 0 if ways[1:].sum() > 0 else 1
    way = weighted_choice(rng, ways)
    cutout = _sample_cutout(rng, cutouts, settings, portrait=way == 1)
    mirrored = bool(settings.mirror and rng.random() < 0.5)
    for attempt in range(_ATTEMPTS):
        put: Placement | None
        if way == 0 and attempt < _ATTEMPTS - 1:
            put = place.place_grounded(
                rng, cutout, view, mirrored=mirrored, true_size=settings.true_size
            )
        elif way == 1:
            put = place.place_portrait(rng, cutout, view, mirrored=mirrored)
        else:
            put = place.place_uniform(rng, cutout, view, mirrored=mirrored)
        layer = None if put is None else render_layer(put, view.size)
        if layer is None:
            continue
        whole = float(layer.alpha.sum())
        if whole > _MIN_COVERAGE * view.size[0] * view.size[1]:
            seen = visible_alpha(layer, view, MergedSubjects.empty((1, 1), depth=False))
            if float(seen.sum()) > _MIN_VISIBLE * whole:
                return layer
    return None


def _sample_cutout(
    rng: np.random.Generator,
    cutouts: CutoutCollection,
    settings: CompositorSettings,
    *,
    portrait: bool,
) -> Cutout:
    """Draw a kind, then a cutout of it; portraits prefer cutouts that are cut at the waist."""
    kinds = cutouts.kinds
    names, weights = sorted(kinds), []
    for name in names:
        base = name.removesuffix("-half")
        weight = float(getattr(settings, base)) if base in _KINDS else settings.other
        if name.endswith("-half"):
            weight *= 1.6 if portrait else 0.0
        elif portrait:
            weight *= 0.6
        weights.append(weight)
    if sum(weights) + settings.shape <= 0:
        weights = [1.0] * len(names)
    choice = weighted_choice(rng, np.array([*weights, settings.shape]))
    if choice == len(names):
        return sample_shape(rng)
    numbers = kinds[names[choice]]
    return cutouts[numbers[int(rng.integers(len(numbers)))]]


def weighted_choice(rng: np.random.Generator, weights: npt.NDArray[Any]) -> int:
    """Draw an index by weights that need not sum to one."""
    edges = np.cumsum(weights)
    return min(int(np.searchsorted(edges, rng.random() * edges[-1], "right")), len(edges) - 1)
