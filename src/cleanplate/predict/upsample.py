"""Upsampling: the matte and other planes from the network's working size to full size.

Full-size work goes through rows in bands, so that memory grows with the picture and not with the
number of temporaries.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Coded, Mask, Picture, Plane
from cleanplate.bilinear import Indices, Widened, enlarge
from cleanplate.formats.pictures import to_float
from cleanplate.matte import push_pull
from cleanplate.predict.alignment.scaled_frame import ScaledFrame
from cleanplate.predict.size import Size

RADIUS = 2
"""Radius of the guided filter's window, in pixels of the working size."""

EPSILON = 1e-5
"""The guided filter's regularisation: variances of colour below this count as flat."""

REACH = 3
"""Where a moved plate ends, the matte within so many working pixels is taken from further in."""

_POINTS = 1 << 14
"""Pixels that are computed at once: their arrays fit in the processor's cache."""

CERTAIN = 0.02
"""Alpha within this of 0 or 1, all around, is not touched by the guide."""


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
    result = enlarge(np.clip(alpha, 0, 1), size)
    # The coefficients at a pixel are means over its window, and enlarging reaches one further.
    needed = cv2.dilate(cv2.dilate(unsure, window), np.ones((3, 3), np.uint8)) > 0
    # In bytes, because planes of full size are slow to fill and to read.
    share = cv2.resize(unsure * np.uint8(255), size[::-1], interpolation=cv2.INTER_LINEAR)
    share = np.asarray(share, np.uint8).reshape(-1)
    points = np.flatnonzero(share > 0)  # of booleans: several times as fast
    if not points.size:
        return result
    model = Widened(guided_model(guide, alpha, where=needed), size)
    plain, colours = result.reshape(-1), frame.reshape(-1, 3)
    for first in range(0, len(points), _POINTS):
        chosen = points[first : first + _POINTS]
        fine = model.applied(chosen, to_float(np.take(colours, chosen, axis=0)))
        coarse = plain[chosen]
        fine -= coarse
        fine *= to_float(share[chosen])
        fine += coarse
        plain[chosen] = np.clip(fine, 0, 1)
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
    if where is None:
        return _fitted(guide, target, radius, epsilon, np.arange(target.size))
    result = np.zeros((*target.shape, 4), np.float32)
    left, top, width, height = cv2.boundingRect(where.astype(np.uint8))
    if not width:
        return result
    # Windows reach `radius`, and so do the means over windows.
    rows = slice(max(0, top - 2 * radius), top + height + 2 * radius)
    columns = slice(max(0, left - 2 * radius), left + width + 2 * radius)
    inside = np.flatnonzero(where[rows, columns])
    result[rows, columns] = _fitted(
        guide[rows, columns], target[rows, columns], radius, epsilon, inside
    )
    return result


def _fitted(guide: Picture, target: Plane, radius: int, epsilon: float, where: Indices) -> Plane:
    """Fit the models of the windows around `where`, flat indices; means over windows, (h, w, 4)."""

    def mean(plane: Plane) -> npt.NDArray[np.float64]:
        """(n[, C]), in float64, because a variance is a small difference."""
        means = _mean(plane, radius)
        return means.reshape(-1, *means.shape[2:])[where].astype(np.float64)

    mean_i, mean_p = mean(guide), mean(target)
    x, y, z = (mean(guide * target[..., None]) - mean_i * mean_p[:, None]).T
    channels = cv2.split(guide)

    def second(i: int, j: int) -> npt.NDArray[np.float64]:
        product = np.asarray(cv2.multiply(channels[i], channels[j]), np.float32)
        return mean(product) - mean_i[:, i] * mean_i[:, j]

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
    models = np.zeros((target.size, 4), np.float32)
    models[where, :3] = a
    models[where, 3] = mean_p - (a * mean_i).sum(axis=1)
    return _mean(models.reshape(*target.shape, 4), radius)


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
