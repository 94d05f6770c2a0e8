"""What is written of one frame: its layers, and their colour as an output wants it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

import numpy as np

from cleanplate.arrays import Coded, Picture, Plane
from cleanplate.formats.pictures import resize, to_float
from cleanplate.light import srgb_to_linear
from cleanplate.matte import premultiply, push_pull
from cleanplate.video.output_presets import Output
from cleanplate.video.ycbcr_picture import YCbCrPicture

Layer = TypeVar("Layer")


@dataclass(frozen=True)
class FrameLayers:
    """One frame's layers; only those that `Output.needs` names have to be there.

    index: of the frame in its clip.
    time: of its presentation, in seconds on the clip's time line.
    duration: seconds; None if it is not known.
    composite: (H, W, 3), sRGB-coded; or planes, of a frame that came as planes.
    foreground_display, foreground_linear: (H, W, 3), straight colour, sRGB-coded, solved for mixing
        in display values or in linear light (`cleanplate.matte.solve_foreground`).
    alpha: (H, W) in [0, 1].
    depth: (H, W) in metres; nan = unknown, inf = nothing hit.
    disparity: (H, W) of the frame, in 1/m if the plate's depth was given, else relative; larger is
        nearer, nan = unknown. No output file holds it.
    """

    index: int
    time: Fraction
    duration: Fraction | None = None
    composite: Coded | Picture | YCbCrPicture | None = None
    foreground_display: Coded | Picture | None = None
    foreground_linear: Coded | Picture | None = None
    alpha: Plane | None = None
    depth: Plane | None = None
    disparity: Plane | None = None

    def size(self) -> tuple[int, int]:
        """Give width and height."""
        if isinstance(self.composite, YCbCrPicture):
            return self.composite.size[1], self.composite.size[0]
        for layer in (self.composite, self.alpha, self.depth):
            if layer is not None:
                return layer.shape[1], layer.shape[0]
        raise ValueError("the frame has no layer")


def needed(layer: Layer | None, name: str) -> Layer:
    """Give a layer that an output writes.

    Raises:
        ValueError: it is not there.
    """
    if layer is None:
        raise ValueError(f"the layer {name} is not given")
    return layer


def colour_and_alpha(layers: FrameLayers, output: Output) -> tuple[Coded | Picture, Plane]:
    """Give sRGB-coded colour, straight or premultiplied as the output wants it, and alpha.

    Premultiplied is `a F` in the values that are mixed, coded again.
    """
    alpha = needed(layers.alpha, "alpha")
    linear = output.space == "linear"
    name = f"foreground_{output.space}"
    given: Coded | Picture | None = (
        layers.foreground_linear if linear else layers.foreground_display
    )
    colour: Coded | Picture = needed(given, name)  # type: ignore[assignment,unused-ignore]
    if output.premultiplied:
        return premultiply(colour, alpha, space=output.space), alpha
    if output.preset.lossy:
        return bled(colour, alpha), alpha
    return colour, alpha


def light_and_alpha(layers: FrameLayers, output: Output) -> tuple[Picture, Plane]:
    """Give linear light, straight or multiplied by alpha, and alpha."""
    alpha = needed(layers.alpha, "alpha")
    light = srgb_to_linear(to_float(needed(layers.foreground_linear, "foreground_linear")))
    if output.premultiplied:
        light *= alpha[..., None]
    return light, alpha


def bled(colour: Coded | Picture, alpha: Plane) -> Picture:
    """Fill straight colour where alpha is 0 with what lies nearest, for codecs that work in blocks.

    What is there is never seen, but a block or a chroma sample that reaches over the edge mixes it
    into what is. Push and pull at half the size (`cleanplate.matte.push_pull`).

    Args:
        colour: (H, W, 3), straight.
        alpha: (H, W) in [0, 1].
    """
    own = to_float(colour)
    empty = alpha <= np.float32(0.5 / 255)
    if not empty.any() or empty.all():
        return own
    height, width = alpha.shape
    size = ((height + 1) // 2, (width + 1) // 2)
    weight = np.where(empty, np.float32(0), alpha)
    spread = push_pull(resize(own * weight[..., None], size), resize(weight, size))
    return np.where(empty[..., None], resize(spread, (height, width)), own)
