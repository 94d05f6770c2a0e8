"""Upsampling: the matte and other planes from the network's working size to full size.

Full-size work goes through rows in bands, so that memory grows with the picture and not with the
number of temporaries.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Coded, Mask, Picture, Plane
from cleanplate.bands import bands
from cleanplate.formats.pictures import to_float
from cleanplate.matte import push_pull
from cleanplate.predict.alignment.scaled_frame import ScaledFrame
from cleanplate.predict.size import Size

Indices: TypeAlias = npt.NDArray[np.intp]

RADIUS = 2
"""Radius of the guided filter's window, in pixels of the working size."""

EPSILON = 1e-5
"""The guided filter's regularisation: variances of colour below this count as flat."""

REACH = 3
"""Where a moved plate ends, the matte within so many working pixels is taken from further in."""

CERTAIN = 0.02
"""Alpha within this of 0 or 1, all around, is not touched by the guide."""


class Enlarged:
    """Bilinear enlargement of a plane (h, w) or (h, w, C), computed band by band.

    Pixel centres lie at integers + 0.5 in both sizes and edges are repeated, as in `cv2.resize`.
    """

    def __init__(self, small: Plane, size: Size):
        self.size = size
        self._rows = small.shape[0]
        flat = small.astype(np.float32, copy=False)
        if small.shape[1] == size[1]:
            self._wide = flat
        else:
            wide = cv2.resize(flat, (size[1], self._rows), interpolation=cv2.INTER_LINEAR)
            self._wide = np.asarray(wide, np.float32).reshape(self._rows, size[1], *small.shape[2:])

    def rows(self, rows: slice) -> Plane:
        """Give some rows of the large plane: (rows, width[, C]) float32."""
        above, below, share = self._between(rows)
        result = self._wide[above]
        result += share.reshape(-1, *[1] * (result.ndim - 1)) * (self._wide[below] - result)
        return result

    def at(self, rows: slice, y: Indices, x: Indices) -> npt.NDArray[np.float32]:
        """Values of single pixels: `y` counts from the first of `rows`; (n[, C]) float32."""
        above, below, share = self._between(rows)
        result = self._wide[above[y], x]
        result += share[y].reshape(-1, *[1] * (result.ndim - 1)) * (
            self._wide[below[y], x] - result
        )
        return result

    def _between(self, rows: slice) -> tuple[Indices, Indices, npt.NDArray[np.float32]]:
        """For each large row the small rows above and below it, and its place between them."""
        centres = (np.arange(rows.start, rows.stop) + 0.5) * (self._rows / self.size[0]) - 0.5
        centres = np.clip(centres, 0, self._rows - 1)
        above = np.minimum(centres.astype(np.intp), max(0, self._rows - 2))
        below = np.minimum(above + 1, self._rows - 1)
        return above, below, (centres - above).astype(np.float32)


def enlarge(small: Plane, size: Size) -> Plane:
    """Enlarge `small` (h, w) bilinearly to (height, width) `size`; float32."""
    if small.shape == size:
        return small.astype(np.float32)
    small = small.astype(np.float32, copy=False)
    large = cv2.resize(small, size[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(large, np.float32)


class Matte(NamedTuple):
    """A matte in [0, 1], float32: (h, w) at working size, and (H, W) at the frame's size."""

    small: Plane
    full: Plane


def full_size_matte(alpha: Plane, hidden: Mask | None, frame: ScaledFrame) -> Matte:
    """Complete the network's matte where the plate shows nothing, and bring it to full size.

    Args:
        alpha: (h, w) in [0, 1] at working size.
        hidden: (h, w) True where the registered plate shows nothing; None = nowhere.
        frame: at working and full size.
    """
    if hidden is not None:
        alpha = carry_over_edge(alpha, ~hidden, REACH)
    return Matte(alpha, upsample_alpha(alpha, frame.working, frame.full))


def upsample_alpha(alpha: Plane, guide: Picture, frame: Coded | Picture) -> Plane:
    """Bring the matte to the frame's own size, its edge following the frame's colours.

    Fast guided filter with the frame as its guide (He and Sun 2015, "Fast guided filter"): the
    linear model alpha = a . colour + b is fitted in windows at working size and its coefficients
    are enlarged. Where the matte is certain all around (0 or 1), the plain enlargement stands,
    so that the frame's texture does not show in it.

    Args:
        alpha: (h, w) in [0, 1] at working size.
        guide: (h, w, 3) the frame at working size, sRGB in [0, 1].
        frame: (H, W, 3) the frame.

    Returns:
        (H, W) float32 in [0, 1]. At the frame's own size, `alpha` itself.
    """
    size: Size = frame.shape[:2]
    if alpha.shape == size:
        return np.clip(alpha, 0, 1).astype(np.float32)
    window = np.ones((2 * RADIUS + 1,) * 2, np.uint8)
    unsure = _unsure(alpha, window)
    # The coefficients at a pixel are means over its window, and enlarging reaches one further.
    needed = cv2.dilate(cv2.dilate(unsure, window), np.ones((3, 3), np.uint8)) > 0
    model = Enlarged(guided_model(guide, alpha, where=needed), size)
    plain, share = Enlarged(alpha, size), Enlarged(unsure.astype(np.float32), size)
    result = np.empty(size, np.float32)
    for rows in bands(size):
        coarse = plain.rows(rows)
        weight = share.rows(rows)
        y, x = np.nonzero(weight)
        if y.size:
            a = model.at(rows, y, x)
            colour = to_float(frame[rows][y, x])
            fine = (a[:, :3] * colour).sum(axis=1) + a[:, 3]
            coarse[y, x] += weight[y, x] * (fine - coarse[y, x])
        np.clip(coarse, 0, 1, out=result[rows])
    return result


def guided_model(
    guide: Picture,
    target: Plane,
    radius: int = RADIUS,
    epsilon: float = EPSILON,
    where: Mask | None = None,
) -> Plane:
    """Fit the guided filter with a colour guide: its linear coefficients at every pixel.

    He, Sun and Tang 2013, "Guided image filtering", equations 19 to 21: in each window
    a = (Sigma + epsilon U)^-1 (mean(I p) - mean(I) mean(p)), b = mean(p) - a . mean(I); then the
    mean of a and b over all windows that hold a pixel.

    Args:
        guide: (h, w, 3) float32.
        target: (h, w) float32, p.
        radius: windows are 2 radius + 1 pixels wide.
        epsilon: regularisation, in squared units of the guide.
        where: (h, w), windows around other pixels count as 0 (saves time).

    Returns:
        (h, w, 4) float32: a for red, green, blue, and b; the filtered plane is a . guide + b.
    """
    where = np.ones(target.shape, bool) if where is None else where
    result = np.zeros((*target.shape, 4), np.float32)
    mean_i, mean_p = _mean(guide, radius)[where], _mean(target, radius)[where]
    x, y, z = (_mean(guide * target[..., None], radius)[where] - mean_i * mean_p[:, None]).T.astype(
        np.float64
    )

    def second(i: int, j: int) -> npt.NDArray[np.float64]:
        product = _mean(guide[..., i] * guide[..., j], radius)[where].astype(np.float64)
        return product - mean_i[:, i].astype(np.float64) * mean_i[:, j]

    # Rounding can make a variance of a flat window slightly negative.
    rr, gg, bb = (np.maximum(second(i, i), 0) + epsilon for i in range(3))
    rg, rb, gb = second(0, 1), second(0, 2), second(1, 2)
    # The inverse of a symmetric 3 x 3 matrix through its cofactors.
    c_rr, c_rg, c_rb = gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb
    c_gg, c_gb, c_bb = rr * bb - rb * rb, rg * rb - rr * gb, rr * gg - rg * rg
    determinant = np.maximum(rr * c_rr + rg * c_rg + rb * c_rb, epsilon**3)
    a = np.stack(
        [
            c_rr * x + c_rg * y + c_rb * z,
            c_rg * x + c_gg * y + c_gb * z,
            c_rb * x + c_gb * y + c_bb * z,
        ],
        axis=1,
    )
    a /= determinant[:, None]
    result[where, :3] = a
    result[where, 3] = mean_p - (a * mean_i).sum(axis=1)
    return _mean(result, radius)


def fill_outside(values: Plane, weight: Plane) -> Plane:
    """Extrapolate `values` smoothly from where `weight` is high to where it is low.

    What lies outside never mixes into what lies inside (`matte.push_pull`).

    Args:
        values: (h, w) float32; anything, also nan, where `weight` is 0.
        weight: (h, w) in [0, 1].

    Returns:
        (h, w) float32, finite everywhere; 0 if `weight` is 0 everywhere.
    """
    known = np.where(weight > 0, values, 0).astype(np.float32)
    weight = np.clip(weight, 0, 1).astype(np.float32)
    return push_pull(known * weight, weight)


def carry_over_edge(plane: Plane, covered: Mask, reach: int) -> Plane:
    """Replace what lies outside `covered` by the nearest pixel inside.

    "Inside" begins `reach` pixels from the edge of `covered`; the picture's own border is no edge.

    Args:
        plane: (h, w).
        covered: (h, w) bool.
        reach: pixels.
    """
    window = np.ones((2 * reach + 1,) * 2, np.uint8)
    inside = cv2.erode(covered.astype(np.uint8), window, borderValue=(1,)) > 0
    if inside.all() or not inside.any():
        return plane
    _, labels = cv2.distanceTransformWithLabels(
        (~inside).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    values = np.zeros(int(labels.max()) + 1, plane.dtype)
    values[labels[inside]] = plane[inside]
    return np.where(inside, plane, values[labels])


def _unsure(alpha: Plane, window: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """(h, w), 1 near where alpha is neither 0 nor 1 or changes, 0 elsewhere."""
    low, high = cv2.erode(alpha, window), cv2.dilate(alpha, window)
    return (~((high < CERTAIN) | (low > 1 - CERTAIN))).astype(np.uint8)


def _mean(array: Plane, radius: int) -> Plane:
    window = (2 * radius + 1, 2 * radius + 1)
    mean = cv2.boxFilter(array, -1, window, borderType=cv2.BORDER_REFLECT)
    return np.asarray(mean, np.float32)
