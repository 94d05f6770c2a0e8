"""Composites with exact truth: a plate, a subject placed in it, and two passes of a camera.

The data's way: catalogue -> view -> placement -> layer -> merge -> shadow -> camera -> sample.
Names are loaded when they are first used, because they bring OpenCV.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cleanplate.synthesis.assets import Cutout as Cutout
    from cleanplate.synthesis.assets import Plate as Plate
    from cleanplate.synthesis.composer import Composer as Composer
    from cleanplate.synthesis.composer import ProceduralComposer as ProceduralComposer
    from cleanplate.synthesis.composer import Sample as Sample
    from cleanplate.synthesis.settings import CompositorSettings as CompositorSettings

_HOMES = {
    "Composer": "composer",
    "CompositorSettings": "settings",
    "Cutout": "assets",
    "Plate": "assets",
    "ProceduralComposer": "composer",
    "Sample": "composer",
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
