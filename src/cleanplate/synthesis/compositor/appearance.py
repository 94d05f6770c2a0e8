"""Appearance of a placed subject: edge effects, colour harmonisation, clothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cleanplate.arrays import Bytes, Picture
from cleanplate.synthesis.compositor.clothing import print_plate_colours, replace_cloth
from cleanplate.synthesis.compositor.edge_effects import apply_edge_effects
from cleanplate.synthesis.compositor.hair import add_hair
from cleanplate.synthesis.compositor.harmonisation import harmonised_light
from cleanplate.synthesis.compositor.layer import Layer
from cleanplate.synthesis.compositor.low_light import match_brightness
from cleanplate.synthesis.compositor.settings import CompositorSettings

_HAIRY_KINDS = ("person", "animal")


@dataclass(frozen=True)
class SceneContext:
    """The scene around a subject.

    Args:
        plate_srgb: the plate (H, W, 3) uint8 sRGB.
        plate: the plate in linear light (H, W, 3).
        behind: the frame without subjects, linear light (H, W, 3).
        lamp: factors of light (H, W, 3) that are new in the frame, or None.
        dark: whether the scene is in low light.
    """

    plate_srgb: Bytes
    plate: Picture
    behind: Picture
    lamp: Picture | None
    dark: bool


def subject_colour(
    rng: np.random.Generator, layer: Layer, context: SceneContext, settings: CompositorSettings
) -> Picture:
    """Give the subject's colour in linear light (h, w, 3); alpha is changed in place."""
    apply_edge_effects(rng, layer, settings)
    loose = bool(settings.hair_share and rng.random() < settings.hair_share)
    if loose and layer.placement.cutout.kind in _HAIRY_KINDS:
        add_hair(rng, layer, (context.plate_srgb.shape[0], context.plate_srgb.shape[1]))
    colour = harmonised_light(rng, layer, context.plate_srgb, settings)
    if settings.cloth_share and rng.random() < settings.cloth_share:
        colour = replace_cloth(rng, layer, colour)
    if context.dark:
        colour = match_brightness(rng, layer, colour, context.plate[layer.box])
    if context.lamp is not None:
        colour = np.minimum(colour * context.lamp[layer.box], 1)
    if settings.print_share and rng.random() < settings.print_share:
        colour = print_plate_colours(rng, layer, colour, context.behind[layer.box])
    return colour
