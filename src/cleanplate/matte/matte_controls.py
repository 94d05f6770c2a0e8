"""Matte post-processing: choke, feather, despill, and garbage and holdout masks (known masks).

Pure functions on arrays. They adjust the result for appearance, not for accuracy.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Coded, Picture, Plane
from cleanplate.bands import bands
from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import resize, to_float
from cleanplate.light import linear_to_srgb, srgb_to_linear

WIDEST = 100.0
"""Largest radius of `choke` and `feather` in pixels."""

_OUT, _IN = 16 / 255, 239 / 255
"""Largest value of black and smallest value of white in a known mask; tolerates JPEG noise."""


def choke(alpha: Plane, pixels: float) -> Plane:
    """Shrink a matte by a radius in pixels; a negative radius grows it.

    Grey-scale erosion (dilation) by a disc (Serra 1982, "Image Analysis and Mathematical
    Morphology"); a fractional radius interpolates between the two nearest whole radii. Pixels
    outside the picture are ignored, so that a matte does not shrink at the border.

    Args:
        alpha: (H, W) in [0, 1].
        pixels: radius, -`WIDEST` to `WIDEST`.

    Raises:
        CleanplateError: if the radius is out of range.

    Examples:
        >>> alpha = np.array([[1, 1, 1, 0, 0]], np.float32)
        >>> choke(alpha, 1).tolist()  # the least alpha within 1 pixel
        [[1.0, 1.0, 0.0, 0.0, 0.0]]
        >>> choke(alpha, -1).tolist()  # the largest
        [[1.0, 1.0, 1.0, 1.0, 0.0]]
    """
    if not -WIDEST <= pixels <= WIDEST:
        raise _out_of_range("choke", pixels, -WIDEST, WIDEST)
    radius = abs(pixels)
    whole = math.floor(radius)
    share = np.float32(radius - whole)
    near = _morphed(alpha, whole, pixels > 0)
    if share == 0:
        return near
    return near + share * (_morphed(alpha, whole + 1, pixels > 0) - near)


def feather(alpha: Plane, pixels: float) -> Plane:
    """Blur a matte's edge over about a given number of pixels to each side.

    A Gaussian of standard deviation `pixels / 2`: a hard edge rises from 2 % to 98 % within
    `pixels` to each side. The border is replicated.

    Args:
        alpha: (H, W) in [0, 1].
        pixels: 0 to `WIDEST`; 0 = no change.

    Raises:
        CleanplateError: if the width is out of range.

    Examples:
        >>> soft = feather(np.repeat([[0.0, 1.0]], 8, axis=1).astype(np.float32), 2)
        >>> round(float(soft[0, 7] + soft[0, 8]), 4)  # by symmetry: p + (1 - p)
        1.0
    """
    if not 0 <= pixels <= WIDEST:
        raise _out_of_range("feather", pixels, 0, WIDEST)
    if pixels == 0:
        return alpha.copy()
    soft = cv2.GaussianBlur(alpha, (0, 0), pixels / 2, borderType=cv2.BORDER_REPLICATE)
    return np.clip(np.asarray(soft, np.float32), 0, 1)


def despill(foreground: Picture, plate: Coded | Picture, amount: float) -> Picture:
    """Remove colour spill of a single-coloured plate (green or blue screen) from the foreground.

    In linear light, the strongest channel of the plate's mean colour is limited in the foreground
    to the mean of the other two, the "average" rule of keyers (Wright 2010, "Digital Compositing
    for Film and Video", chapter on spill). The correction is scaled by how far that channel
    exceeds the others in the plate, so a grey plate has no effect. Foreground that really has this
    colour is desaturated too.

    Args:
        foreground: (H, W, 3) float32, straight, sRGB-coded in [0, 1].
        plate: (H', W', 3), any size.
        amount: 0 = no change, to 1 = remove the whole excess.

    Raises:
        CleanplateError: if the amount is out of range.

    Examples:
        >>> green = np.array([[[0, 1, 0]]], np.float32)
        >>> despill(green, green, 0.0).tolist()  # no amount, no change
        [[[0.0, 1.0, 0.0]]]
        >>> despill(green, green, 1.0).tolist()  # 1 is above (0 + 0) / 2 by 1
        [[[0.0, 0.0, 0.0]]]
    """
    if not 0 <= amount <= 1:
        raise _out_of_range("despill", amount, 0, 1)
    height, width = plate.shape[:2]
    small = resize(plate, (max(1, height // 4), max(1, width // 4)))
    mean = srgb_to_linear(to_float(small)).mean(axis=(0, 1))
    strongest = int(np.argmax(mean))
    one, two = (channel for channel in range(3) if channel != strongest)
    if mean[strongest] <= 0 or amount == 0:
        return foreground.copy()
    stands_out = 1 - float(mean[one] + mean[two]) / (2 * float(mean[strongest]))
    strength = np.float32(amount * max(0.0, stands_out))
    out = np.empty_like(foreground)
    for rows in bands(foreground.shape):
        light = srgb_to_linear(foreground[rows])
        excess = light[..., strongest] - (light[..., one] + light[..., two]) / 2
        light[..., strongest] -= strength * np.maximum(excess, 0)
        out[rows] = linear_to_srgb(light)
    return out


def hold(alpha: Plane, known: Plane) -> Plane:
    """Set a matte to 0 where a known mask is black and to 1 where it is white.

    Args:
        alpha: (H, W) in [0, 1].
        known: (H, W) in [0, 1]: black (at most 16/255) = outside, white (at least 239/255) =
            inside, anything between = keep `alpha`.

    Examples:
        >>> alpha, known = np.full((1, 3), 0.25, np.float32), np.array([[0, 0.5, 1]], np.float32)
        >>> hold(alpha, known).tolist()  # set to 0, kept, set to 1
        [[0.0, 0.25, 1.0]]
    """
    return np.where(known <= _OUT, np.float32(0), np.where(known >= _IN, np.float32(1), alpha))


def check_known(known: npt.NDArray[Any]) -> Plane:
    """Validate a known mask and convert it to (H, W) float32 in [0, 1].

    Args:
        known: (H, W) uint8, uint16, or float in [0, 1]; see `hold`.

    Raises:
        CleanplateError: if the array has another dtype, shape or range, or no pixel is left
            between black and white.
    """
    if known.ndim != 2 or known.size == 0 or known.dtype.kind not in "fu":
        raise CleanplateError(
            f"the known mask is {known.dtype} of the shape {known.shape}",
            cure="a known mask is (H, W): uint8, uint16, or float in [0, 1]",
        )
    plane = to_float(known)
    if not (plane.min() >= 0 and plane.max() <= 1):
        raise CleanplateError("the known mask has values outside [0, 1]")
    if ((plane <= _OUT) | (plane >= _IN)).all():
        raise CleanplateError(
            "the known mask leaves nothing to decide: it is black or white everywhere",
            cure="black = always out, white = always in; paint mid-grey (128) where the matte is "
            "to be found",
        )
    return plane


def _morphed(alpha: Plane, radius: int, shrink: bool) -> Plane:
    if radius == 0:
        return alpha.copy()
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    disc = (x**2 + y**2 <= radius**2).astype(np.uint8)
    # OpenCV's default border is neutral for minimum and maximum.
    return np.asarray((cv2.erode if shrink else cv2.dilate)(alpha, disc), np.float32)


def _out_of_range(name: str, value: float, low: float, high: float) -> CleanplateError:
    return CleanplateError(f"{name} {value:g} is not possible", cure=f"give {low:g} to {high:g}")
