"""A placed subject rendered at the sample's size: colour, alpha and disparity within its box."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Bytes, Plane
from cleanplate.synthesis.assets.cutout import BORDER, PyramidLevel
from cleanplate.synthesis.compositor.placement import Placement


@dataclass
class Layer:
    """One subject's contribution to the picture, in the box `rows`, `columns`.

    `colour` (h, w, 3) uint8 straight sRGB; `alpha` (h, w) float32 before occlusion; `disparity`
    (h, w) float32 in 1/m, or None where the view has no depth.
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


def render_layer(placement: Placement, size: tuple[int, int]) -> Layer | None:
    """Render a subject into a picture of `size` (H, W); None if it lies outside."""
    height, width = size
    left, top, right, bottom = placement.rectangle
    x0, x1 = max(0, int(np.floor(left)) - 2), min(width, int(np.ceil(right)) + 2)
    y0, y1 = max(0, int(np.floor(top)) - 2), min(height, int(np.ceil(bottom)) + 2)
    if x1 - x0 < 2 or y1 - y0 < 2:
        return None
    level, matrix = level_and_affine(placement, (x0, y0))
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


def level_and_affine(
    placement: Placement, origin: tuple[float, float] = (0, 0), step: float = 1.0
) -> tuple[PyramidLevel, npt.NDArray[np.float64]]:
    """Give the cutout's pyramid level to draw from, and the affine map from output to level pixels.

    Output pixel (i, j) shows the picture's point `origin + step * (i + .5, j + .5)`; the map has
    OpenCV's convention, pixel centres at integers.
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


def expand_layer(layer: Layer, margin: int, size: tuple[int, int]) -> tuple[int, int]:
    """Expand a layer's box by `margin` pixels within the picture of `size` (H, W).

    Colour and disparity are replicated outwards, alpha is 0 there.

    Returns:
        Columns and rows by which the box's upper left corner has moved outwards.
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
