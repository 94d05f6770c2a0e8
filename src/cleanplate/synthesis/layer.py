"""A placed subject drawn at the sample's size: colour, alpha and depth within its box."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Plane
from cleanplate.synthesis.assets import BORDER, Bytes, Cutout, Level
from cleanplate.synthesis.placement import Placement


@dataclass
class Layer:
    """What one subject brings to the picture, in the box `rows`, `columns` of it.

    `colour` (h, w, 3) uint8 straight sRGB; `alpha` (h, w) float32, not yet hidden by anything;
    `disparity` (h, w) float32 in 1/m, or None where the view has no depth.
    """

    placement: Placement
    rows: slice
    columns: slice
    colour: Bytes
    alpha: Plane
    disparity: Plane | None

    @property
    def box(self) -> tuple[slice, slice]:
        """Index of the box in a picture."""
        return self.rows, self.columns


def draw_layer(placement: Placement, size: tuple[int, int]) -> Layer | None:
    """Draw a subject into a picture of `size` (H, W); None if it lies outside."""
    height, width = size
    left, top, right, bottom = placement.rectangle
    x0, x1 = max(0, int(np.floor(left)) - 2), min(width, int(np.ceil(right)) + 2)
    y0, y1 = max(0, int(np.floor(top)) - 2), min(height, int(np.ceil(bottom)) + 2)
    if x1 - x0 < 2 or y1 - y0 < 2:
        return None
    level, matrix = level_and_map(placement, (x0, y0))
    shape = (x1 - x0, y1 - y0)
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    edge = cv2.BORDER_REPLICATE
    rgba = cv2.warpAffine(level.rgba, matrix, shape, flags=how, borderMode=edge)
    disparity = None
    if placement.z is not None:
        depth = cv2.warpAffine(level.depth, matrix, shape, flags=how, borderMode=edge)
        z = np.asarray(depth, np.float32) * np.float32(placement.metres) + np.float32(placement.z)
        disparity = np.asarray(np.float32(1) / np.maximum(z, np.float32(0.05)), np.float32)
    return Layer(
        placement,
        slice(y0, y1),
        slice(x0, x1),
        np.asarray(cv2.cvtColor(rgba, cv2.COLOR_RGBA2RGB), np.uint8),
        np.multiply(cv2.extractChannel(rgba, 3), np.float32(1 / 255), dtype=np.float32),
        disparity,
    )


def level_and_map(
    placement: Placement, origin: tuple[float, float] = (0, 0), step: float = 1.0
) -> tuple[Level, npt.NDArray[np.float64]]:
    """Give the cutout's level to draw from, and the affine map from output to level pixels.

    Output pixel (i, j) shows the picture's place `origin + step * (i + .5, j + .5)`; both sides
    of the map are OpenCV's, with pixel centres at integers.
    """
    cutout = placement.cutout
    level, lx, ly = cutout.level(placement.scale / step)
    sign = -1.0 if placement.mirrored else 1.0
    ax, ay = sign * lx / placement.scale, ly / placement.scale
    matrix = np.array(
        [
            [ax * step, 0, lx * cutout.foot[0] + ax * (origin[0] + 0.5 * step - placement.x)],
            [0, ay * step, ly * cutout.foot[1] + ay * (origin[1] + 0.5 * step - placement.y)],
        ]
    )
    matrix[:, 2] += BORDER - 0.5
    return level, matrix


def grow(layer: Layer, margin: int, size: tuple[int, int]) -> tuple[int, int]:
    """Widen a layer's box by `margin` pixels, as far as the picture of `size` (H, W) goes.

    Colour and depth are carried outwards, alpha is 0 there. Returns by how many columns and rows
    the box's upper left corner has moved outwards.
    """
    rows, columns = layer.rows, layer.columns
    left, above = min(margin, columns.start), min(margin, rows.start)
    right, below = min(margin, size[1] - columns.stop), min(margin, size[0] - rows.stop)
    by, edge = (above, below, left, right), cv2.BORDER_REPLICATE
    layer.colour = np.asarray(cv2.copyMakeBorder(layer.colour, *by, edge), np.uint8)
    layer.alpha = np.pad(layer.alpha, ((above, below), (left, right)))
    if layer.disparity is not None:
        layer.disparity = np.pad(layer.disparity, ((above, below), (left, right)), mode="edge")
    layer.rows = slice(rows.start - above, rows.stop + below)
    layer.columns = slice(columns.start - left, columns.stop + right)
    return left, above


def solid_share(layer: Layer) -> float:
    """Pixels that the subject covers within the picture."""
    return float(layer.alpha.sum())


def draw_shape(rng: np.random.Generator) -> Cutout:
    """Make an abstract subject: a blob, a polygon or a few rods, flat or rounded, with its texture.

    It has no kind that could be recognised; what tells it is only that the plate lacks it.
    """
    side = 128
    alpha = _outline(rng, side)
    colour = _texture(rng, side)
    inner = np.minimum(cv2.distanceTransform((alpha > 127).astype(np.uint8), cv2.DIST_L2, 3), 40)
    bulge = float(rng.uniform(0, 0.3)) if rng.random() < 0.7 else 0.0
    depth = np.float32(bulge / 2) - np.sqrt(np.asarray(inner, np.float32) / 40) * np.float32(bulge)
    if bulge:
        light = np.float32(0.75) + np.float32(0.25) * np.sqrt(
            np.asarray(inner, np.float32) / max(inner.max(), 1)
        )
        colour = (colour * light[..., None]).astype(np.uint8)
    rows = np.flatnonzero((alpha > 127).any(1))
    columns = np.flatnonzero((alpha > 127)[max(0, rows[-1] - 6) :].any(0))
    metres = float(np.exp(rng.uniform(np.log(0.15), np.log(1.8))))
    density = (rows[-1] - rows[0] + 1) / metres
    return Cutout(
        "shape",
        "shape",
        colour,
        alpha,
        np.asarray(depth, np.float32),
        (float(columns.mean()) + 0.5, float(rows[-1]) + 1),
        density,
        (metres, max(bulge, 0.02), metres),
    )


def _outline(rng: np.random.Generator, side: int) -> Bytes:
    alpha = np.zeros((side, side), np.uint8)
    centre, kind = side / 2, rng.random()
    if kind < 0.75:
        count = 96 if kind < 0.45 else int(rng.integers(3, 9))
        turn = np.sort(rng.random(count) if count < 90 else np.arange(count) / count) * 2 * np.pi
        radius = np.full(count, 0.7)
        for k in range(1, 7):
            radius += rng.normal(0, 0.16 / k) * np.cos(k * turn + rng.uniform(0, 2 * np.pi))
        radius = np.clip(radius, 0.12, 1) * (centre - 4)
        squash = rng.uniform(0.35, 1.0, 2)
        squash /= squash.max()
        points = centre + np.stack([np.cos(turn), np.sin(turn)], -1) * radius[:, None] * squash
        corners = np.rint(points * 16).astype(np.int32)
        cv2.fillPoly(alpha, [corners], (255,), cv2.LINE_AA, 4)
    else:
        for _ in range(int(rng.integers(1, 7))):
            ends = np.rint(rng.uniform(6, side - 6, (2, 2)) * 16).astype(int)
            thick = int(rng.integers(2, 12))
            cv2.line(alpha, ends[0].tolist(), ends[1].tolist(), (255,), thick, cv2.LINE_AA, 4)
    return alpha


def _texture(rng: np.random.Generator, side: int) -> Bytes:
    base, other = rng.uniform(10, 245, 3), rng.uniform(10, 245, 3)
    cells = int(np.exp(rng.uniform(np.log(2), np.log(48))))
    kind = rng.random()
    if kind < 0.4:
        grain = rng.random((cells, cells), np.float32)
        how = cv2.INTER_CUBIC if rng.random() < 0.6 else cv2.INTER_NEAREST
        mix = np.asarray(cv2.resize(grain, (side, side), interpolation=how))
    elif kind < 0.65:
        y, x = np.mgrid[:side, :side] / side
        angle = rng.uniform(0, np.pi)
        mix = 0.5 + 0.5 * np.sin(2 * np.pi * cells / 3 * (x * np.cos(angle) + y * np.sin(angle)))
        mix = (mix > 0.5).astype(float) if rng.random() < 0.5 else mix
    else:
        mix = np.full((side, side), 0.1) * rng.random()
    speckle = rng.normal(0, rng.uniform(1, 10), (side, side, 1))
    colour = base + np.clip(mix, 0, 1)[..., None] * (other - base) + speckle
    return np.clip(colour, 0, 255).astype(np.uint8)
