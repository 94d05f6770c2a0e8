"""Synthetic training data: composites of plates and cutouts with exact alpha, shadow and depth.

Sub-packages, each built on those before it: `assets` (plates, cutouts, licences), `ingest`
(assets from photographs and mattes) and `procedural` (assets from a seed), `compositor` (one
sample), `building` (a data set on disk), `inspection` (reading, measuring and checking a set).
Names are loaded on first use, because they import OpenCV.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cleanplate.synthesis.assets.cutout import Cutout as Cutout
    from cleanplate.synthesis.assets.plate import Plate as Plate
    from cleanplate.synthesis.compositor.composer import Composer as Composer
    from cleanplate.synthesis.compositor.composer import ProceduralComposer as ProceduralComposer
    from cleanplate.synthesis.compositor.sample import Sample as Sample
    from cleanplate.synthesis.compositor.settings import CompositorSettings as CompositorSettings

_MODULES = {
    "Composer": "compositor.composer",
    "CompositorSettings": "compositor.settings",
    "Cutout": "assets.cutout",
    "Plate": "assets.plate",
    "ProceduralComposer": "compositor.composer",
    "Sample": "compositor.sample",
}

__all__ = [
    "Composer",
    "CompositorSettings",
    "Cutout",
    "Plate",
    "ProceduralComposer",
    "Sample",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"cleanplate.synthesis.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
