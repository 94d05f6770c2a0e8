"""A cutout as arrays: its resolution pyramid, and its footprint on the ground."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Bytes, Plane


class PyramidLevel(NamedTuple):
    """A cutout at one resolution: (h, w, 4) uint8 straight sRGB + alpha, (h, w) float32 metres."""

    rgba: Bytes
    depth: Plane


class Footprint(NamedTuple):
    """The part of a cutout that touches the ground, in metres from the foot point.

    `across` (n,) ascending positions, `cover` (n,) coverage in [0, 1]; `near` and `far` are its
    extent along the viewing direction.
    """

    across: npt.NDArray[np.float32]
    cover: npt.NDArray[np.float32]
    near: float
    far: float


BORDER = 2
"""Transparent pixels around every level, so that filters at its border meet alpha 0."""


@dataclass(frozen=True)
class Cutout:
    """A subject with alpha and relative depth.

    Args:
        name: for reports and metadata.
        kind: person, animal, vehicle, object or any other word.
        colour: (h, w, 3) uint8 straight sRGB, defined under alpha 0 too.
        alpha: (h, w) uint8.
        depth: (h, w) float32, metres relative to the foot point, defined everywhere; zero = flat.
        foot: pixel (x, y) of the foot point, centres at + 0.5; may lie outside.
        pixels_per_metre: at the foot point's depth.
        size: width, depth, height in metres.
        view_angle: radians by which the camera looks down on the foot point; None = unknown.
        cut: picture borders that cut the subject, of left, right, bottom, top.
        half: True if the lower body is missing.
        refracts: True if the scene is seen through it as through a lens.
        credit: `source` and `license`, where given.
    """

    name: str
    kind: str
    colour: Bytes
    alpha: Bytes
    depth: Plane
    foot: tuple[float, float]
    pixels_per_metre: float
    size: tuple[float, float, float]
    view_angle: float | None = None
    cut: frozenset[str] = frozenset()
    half: bool = False
    refracts: bool = False
    credit: Mapping[str, str] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """Bytes with all levels: eight a pixel, and a third more for the coarser levels."""
        return 11 * self.alpha.size

    @cached_property
    def levels(self) -> tuple[PyramidLevel, ...]:
        """Levels halved down to 8 pixels, each with a border of two transparent pixels."""
        rgba = np.asarray(cv2.cvtColor(self.colour, cv2.COLOR_RGB2RGBA), np.uint8)
        cv2.insertChannel(self.alpha, rgba, 3)
        depth = self.depth
        found = [_with_border(rgba, depth)]
        while min(depth.shape) >= 16:
            half = (depth.shape[1] // 2, depth.shape[0] // 2)
            area = cv2.INTER_AREA
            rgba = np.asarray(cv2.resize(rgba, half, interpolation=area), np.uint8)
            depth = np.asarray(cv2.resize(depth, half, interpolation=area), np.float32)
            found.append(_with_border(rgba, depth))
        # The cutout's own arrays become views of the finest level: held once.
        inside = slice(BORDER, -BORDER)
        object.__setattr__(self, "colour", found[0].rgba[inside, inside, :3])
        object.__setattr__(self, "alpha", found[0].rgba[inside, inside, 3])
        object.__setattr__(self, "depth", found[0].depth[inside, inside])
        return tuple(found)

    def level(self, scale: float) -> tuple[PyramidLevel, float, float]:
        """Give the level to draw at `scale` (output pixels per cutout pixel), and its own scales.

        Returns:
            The level, and its size relative to the cutout in x and y.
        """
        k = 0
        while k + 1 < len(self.levels) and scale * 2 ** (k + 1) <= 1.2:
            k += 1
        level = self.levels[k]
        height, width = level.depth.shape
        return (
            level,
            (width - 2 * BORDER) / self.alpha.shape[1],
            (height - 2 * BORDER) / self.alpha.shape[0],
        )

    @cached_property
    def footprint(self) -> Footprint:
        """Where the lowest part of the subject meets the ground."""
        solid = self.alpha > 127
        rows = np.flatnonzero(solid.any(1))
        if not rows.size:
            nothing = np.zeros(2, np.float32)
            return Footprint(np.asarray([-1e-3, 1e-3], np.float32), nothing, 0.0, 0.0)
        top, bottom = int(rows[0]), int(rows[-1]) + 1
        # Seen from above, the ground under the subject covers more rows.
        share = 0.08 + 0.25 * abs(np.sin(self.view_angle or 0.0))
        band = slice(max(top, bottom - max(2, round(share * (bottom - top)))), bottom)
        cover = solid[band].mean(0).astype(np.float32)
        cover = np.minimum(cover * np.float32(3), np.float32(1))
        across = np.arange(cover.size, dtype=np.float32) + np.float32(0.5 - self.foot[0])
        across /= np.float32(self.pixels_per_metre)
        depth = self.depth[band][solid[band]]
        near, far = np.percentile(depth, [10, 90]) if depth.size else (0.0, 0.0)
        return Footprint(across, cover, float(near), float(far))


def _with_border(rgba: Bytes, depth: Plane) -> PyramidLevel:
    edge = (BORDER,) * 4
    wide = np.asarray(cv2.copyMakeBorder(rgba, *edge, cv2.BORDER_REPLICATE), np.uint8)
    for rim in (wide[:BORDER], wide[-BORDER:], wide[:, :BORDER], wide[:, -BORDER:]):
        rim[..., 3] = 0
    deep = cv2.copyMakeBorder(depth, *edge, cv2.BORDER_REPLICATE)
    return PyramidLevel(wide, np.asarray(deep, np.float32))
