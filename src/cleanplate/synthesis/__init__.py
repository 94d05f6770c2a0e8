"""Composites with exact truth: a plate, a subject placed in it, and two passes of a camera.

The data's way: catalogue -> view -> placement -> layer -> merge -> shadow -> camera -> sample.
Names are loaded when they are first used, because they bring OpenCV.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cleanplate.synthesis.assets.cutout import Cutout as Cutout
    from cleanplate.synthesis.assets.plate import Plate as Plate
    from cleanplate.synthesis.compositor.composer import Composer as Composer
    from cleanplate.synthesis.compositor.composer import ProceduralComposer as ProceduralComposer
    from cleanplate.synthesis.compositor.composer import Sample as Sample
    from cleanplate.synthesis.compositor.settings import CompositorSettings as CompositorSettings

_HOMES = {
    "Composer": "compositor.composer",
    "CompositorSettings": "compositor.settings",
    "Cutout": "assets.cutout",
    "Plate": "assets.plate",
    "ProceduralComposer": "compositor.composer",
    "Sample": "compositor.composer",
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
    if name in _HOMES:
        return getattr(import_module(f"cleanplate.synthesis.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
