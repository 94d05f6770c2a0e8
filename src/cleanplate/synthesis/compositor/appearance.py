"""How a subject looks where it stands: edges, colours under the scene's light, cloth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cleanplate.arrays import Bytes, Picture
from cleanplate.synthesis.compositor.clothing import dress_anew, print_plate
from cleanplate.synthesis.compositor.edge_effects import change_edges
from cleanplate.synthesis.compositor.hair import add_hair
from cleanplate.synthesis.compositor.harmonisation import light_of
from cleanplate.synthesis.compositor.layer import Layer
from cleanplate.synthesis.compositor.low_light import darkened_like
from cleanplate.synthesis.compositor.settings import CompositorSettings

_FURRY = ("person", "animal")


@dataclass(frozen=True)
class Surroundings:
    """What a subject stands in.

    Args:
        seen: the plate (H, W, 3) uint8 sRGB.
        plate: the plate in linear light (H, W, 3).
        behind: what the frame shows where no subject is, likewise.
        lamp: factors of light (H, W, 3) that are new in the frame, or None.
        dark: whether the scene lies in low light.
    """

    seen: Bytes
    plate: Picture
    behind: Picture
    lamp: Picture | None
    dark: bool


def appear(
    rng: np.random.Generator, layer: Layer, around: Surroundings, settings: CompositorSettings
) -> Picture:
    """Give the subject's colour in linear light (h, w, 3); its edges change in place."""
    change_edges(rng, layer, settings)
    loose = bool(settings.hair_share and rng.random() < settings.hair_share)
    if loose and layer.placement.cutout.kind in _FURRY:
        add_hair(rng, layer, (around.seen.shape[0], around.seen.shape[1]))
    colour = light_of(rng, layer, around.seen, settings)
    if settings.cloth_share and rng.random() < settings.cloth_share:
        colour = dress_anew(rng, layer, colour)
    if around.dark:
        colour = darkened_like(rng, layer, colour, around.plate[layer.box])
    if around.lamp is not None:
        colour = np.minimum(colour * around.lamp[layer.box], 1)
    if settings.print_share and rng.random() < settings.print_share:
        colour = print_plate(rng, layer, colour, around.behind[layer.box])
    return colour
