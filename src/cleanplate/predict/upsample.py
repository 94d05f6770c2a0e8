"""Upsampling: the matte and other planes from the network's working size to full size.

Full-size work goes through rows in bands, so that memory grows with the picture and not with the
number of temporaries.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Bytes, Coded, Mask, Picture, Plane
from cleanplate.bands import enclosing
from cleanplate.bilinear import Indices, Widened, enlarge
from cleanplate.formats.pictures import to_float
from cleanplate.matte import push_pull
from cleanplate.predict.alignment.aligned_plate import AlignedPlate
from cleanplate.predict.alignment.scaled_frame import ScaledFrame
from cleanplate.predict.frame_pixels import FramePixels
from cleanplate.predict.gaps import Gaps, Values
from cleanplate.predict.size import Size

RADIUS = 2
"""Radius of the guided filter's window, in pixels of the working size."""

EPSILON = 1e-5
"""The guided filter's regularisation: variances of colour below this count as flat."""

REACH = 3
"""Where a moved plate ends, the matte within so many working pixels is taken from further in."""

_POINTS = 1 << 14
"""Pixels that are computed at once: their arrays fit in the processor's cache."""

CONTRAST = 1.2
"""Of alpha about a half, at full size: networks draw edges softer than pictures have them, and
leave some haze on both sides. Chosen on own pictures (docs/model.md)."""

_WINDOW = np.ones((2 * RADIUS + 1,) * 2, np.uint8)

_AROUND = 3 * RADIUS + 1
"""How far from a pixel the guided filter and the enlargement look, in working pixels."""

CERTAIN = 0.02
"""Alpha within this of 0 or 1, all around, is exactly that, and not touched by the guide."""


class Matte(NamedTuple):
    """A matte in [0, 1], float32: (h, w) at working size, and (H, W) at the frame's size."""

    small: Plane
    full: Plane


def full_size_matte(
    alpha: Plane, hidden: Mask | None, frame: ScaledFrame, plate: AlignedPlate
) -> Matte:
    """Complete the network's matte where the plate shows nothing, and bring it to full size.

    Args:
        alpha: (h, w) in [0, 1] at working size.
        hidden: (h, w) True where the registered plate shows nothing; None = nowhere.
        frame: at working and full size.
        plate: aligned with the frame.
    """
    if hidden is not None:
        alpha = carry_over_edge(alpha, ~hidden, REACH)
        return Matte(alpha, upsample_alpha(alpha, frame.working, frame.pixels))
    return Matte(alpha, upsample_alpha(alpha, frame.working, frame.pixels, plate))


def upsample_alpha(
    alpha: Plane, guide: Picture, frame: FramePixels, plate: AlignedPlate | None = None
) -> Plane:
    """Bring the matte to the frame's own size, its edge following the frame's colours.

    Fast guided filter with the frame as its guide (He and Sun 2015, "Fast guided filter"): the
    linear model alpha = a . colour + b is fitted in windows at working size and its coefficients
    are enlarged. Where the matte is certain all around it becomes 0 or 1 (no haze is left in the
    scene, no hole in the subject), and the plain enlargement stands, so that the frame's texture
    does not show in it. In the end alpha's contrast is raised by `CONTRAST`.

    Args:
        alpha: (h, w) float32 in [0, 1] at working size.
        guide: (h, w, 3) the frame at working size, sRGB in [0, 1].
        frame: the frame, (H, W).
        plate: aligned with the frame, so that gaps are opened (`predict.gaps`); None = they stay
            as they are.

    Returns:
        (H, W) float32 in [0, 1]. At the frame's own size nothing follows the guide.
    """
    size = frame.size
    low, high = cv2.erode(alpha, _WINDOW), cv2.dilate(alpha, _WINDOW)
    empty, full = high < CERTAIN, low > 1 - CERTAIN
    alpha = np.where(empty, np.float32(0), np.where(full, np.float32(1), alpha))
    if alpha.shape == size:
        return with_contrast(alpha)
    result = enlarge(alpha, size)
    unsure = (~(empty | full)).astype(np.uint8)
    rows, columns = (_span(unsure, axis, size) for axis in (0, 1))
    if rows.small.start < rows.small.stop:
        small, large = (rows.small, columns.small), (rows.large, columns.large)
        gaps = None
        if plate is not None:
            shown = plate.moved_part(*large)
            gaps = Gaps.of(alpha[small], guide[small], shown, plate.exposure)
        edge = _Edge(alpha[small], guide[small], unsure[small], frame.part(*large), gaps)
        result[large] = _at_edge(result[large], edge)
    return result


def with_contrast(alpha: Values) -> Values:
    """Raise alpha's contrast about a half by `CONTRAST`; 0, 1/2 and 1 stay.

    Args:
        alpha: float32 in [0, 1], of any shape.
    """
    raised = alpha * np.float32(CONTRAST) + np.float32((1 - CONTRAST) / 2)
    return np.clip(raised, 0, 1, out=raised)


class _Span(NamedTuple):
    """The same part of a picture along one axis: of the small pixels, and of the large ones."""

    small: slice
    large: slice


def _span(unsure: Bytes, axis: int, size: Size) -> _Span:
    """Find the part along an axis that holds all unsure pixels and the windows around them.

    Both ends lie between two pixels in either size, so that the part is enlarged as the whole is.
    """
    count, total = unsure.shape[axis], size[axis]
    step = count // math.gcd(count, total)
    small = enclosing(unsure.max(axis=1 - axis) > 0, step, _AROUND)
    return _Span(small, slice(small.start * total // count, small.stop * total // count))


class _Edge(NamedTuple):
    """The part of the picture that holds the matte's edge.

    alpha: (h, w) at working size.
    guide: (h, w, 3) the frame at working size, sRGB in [0, 1].
    unsure: (h, w) 1 where the full-size matte may differ from `alpha` enlarged, else 0.
    frame: (H, W, 3) the frame.
    gaps: how gaps are opened; None = they stay.
    """

    alpha: Plane
    guide: Picture
    unsure: Bytes
    frame: Coded | Picture
    gaps: Gaps | None


def _at_edge(plain: Plane, edge: _Edge) -> Plane:
    """Let the enlarged matte (H, W) follow the frame's colours where it is unsure; open gaps."""
    size: Size = edge.frame.shape[:2]
    # In bytes, because planes of full size are slow to fill and to read.
    share = cv2.resize(edge.unsure * np.uint8(255), size[::-1], interpolation=cv2.INTER_LINEAR)
    points = np.flatnonzero(share > 0)  # of booleans: several times as fast
    # The coefficients at a pixel are means over its window, and enlarging reaches one further.
    needed = cv2.dilate(cv2.dilate(edge.unsure, _WINDOW), np.ones((3, 3), np.uint8)) > 0
    model = Widened(guided_model(edge.guide, edge.alpha, where=needed), size)
    shares, values = np.asarray(share).reshape(-1), plain.flatten()
    colours = np.ascontiguousarray(edge.frame).reshape(-1, 3)
    for first in range(0, len(points), _POINTS):
        chosen = points[first : first + _POINTS]
        colour = to_float(np.take(colours, chosen, axis=0))
        fine, coarse = model.applied(chosen, colour), np.take(values, chosen)
        fine -= coarse
        fine *= to_float(np.take(shares, chosen))
        fine += coarse
        fine = np.clip(fine, 0, 1)
        if edge.gaps is not None:
            fine = edge.gaps.opened(fine, chosen, colour)
        values[chosen] = with_contrast(fine)
    return values.reshape(size)


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

    def mean(plane: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """(n), in float64, because a variance is a small difference."""
        means = _mean(np.asarray(plane, np.float32), radius).reshape(-1)
        return np.take(means, where).astype(np.float64)

    channels = cv2.split(np.ascontiguousarray(guide))
    target = np.ascontiguousarray(target)
    means, mean_p = [mean(one) for one in channels], mean(target)
    x, y, z = (
        mean(cv2.multiply(one, target)) - own * mean_p
        for one, own in zip(channels, means, strict=True)
    )

    def covariance(i: int, j: int) -> npt.NDArray[np.float64]:
        return mean(cv2.multiply(channels[i], channels[j])) - means[i] * means[j]

    # Rounding can make a variance of a flat window slightly negative.
    rr, gg, bb = (np.maximum(covariance(i, i), 0) + epsilon for i in range(3))
    rg, rb, gb = covariance(0, 1), covariance(0, 2), covariance(1, 2)
    # The inverse of a symmetric 3 x 3 matrix through its cofactors.
    c_rr, c_rg, c_rb = gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb
    c_gg, c_gb, c_bb = rr * bb - rb * rb, rg * rb - rr * gb, rr * gg - rg * rg
    scale = 1 / np.maximum(rr * c_rr + rg * c_rg + rb * c_rb, epsilon**3)
    red = (c_rr * x + c_rg * y + c_rb * z) * scale
    green = (c_rg * x + c_gg * y + c_gb * z) * scale
    blue = (c_rb * x + c_gb * y + c_bb * z) * scale
    offset = mean_p - red * means[0] - green * means[1] - blue * means[2]
    models = np.zeros((target.size, 4), np.float32)
    models[where] = np.stack([red, green, blue, offset], axis=1)
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


def _mean(array: Plane, radius: int) -> Plane:
    window = (2 * radius + 1, 2 * radius + 1)
    mean = cv2.boxFilter(array, -1, window, borderType=cv2.BORDER_REFLECT)
    return np.asarray(mean, np.float32)
