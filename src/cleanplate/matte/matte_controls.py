"""Controls that compositors turn after a matte is made: choke, feather, despill, known areas.

Pure functions on arrays. They are post-processing: they move the result away from what was
measured, towards what looks right.
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
"""Pixels by which a matte can be choked or feathered."""

_OUT, _IN = 16 / 255, 239 / 255
"""A known mask's black and white, with room for the noise of JPEG."""


def choke(alpha: Plane, pixels: float) -> Plane:
    """Shrink a matte by so many pixels; a negative number grows it.

    Grey-scale erosion (dilation) by a disc (Serra 1982, "Image Analysis and Mathematical
    Morphology"); between whole radii, the mean of both, weighted. The matte goes on beyond the
    picture's border, so that a subject cut by it stays cut.

    Args:
        alpha: (H, W) in [0, 1].
        pixels: radius, within ±`WIDEST`.

    Raises:
        CleanplateError: the radius is out of range.

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
    """Soften a matte's edge over about so many pixels to each side.

    A Gaussian of standard deviation `pixels / 2`; a hard edge becomes 2 % to 98 % of it over
    `pixels` to each side. The matte goes on beyond the picture's border.

    Args:
        alpha: (H, W) in [0, 1].
        pixels: 0 to `WIDEST`; 0 = as it is.

    Raises:
        CleanplateError: the width is out of range.

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
    """Take the colour that a one-coloured plate reflects onto the subject out of it.

    In linear light, the plate's strongest channel (of its mean colour) is limited to the mean of
    the two others, the "average" rule of keyers (Wright 2010, "Digital Compositing for Film and
    Video", chapter on spill). The limit counts by how far that channel stands out in the plate,
    so that before a grey plate nothing happens. What has that colour by itself loses it too.

    Args:
        foreground: (H, W, 3) sRGB in [0, 1], straight.
        plate: (H', W', 3), any size.
        amount: 0 = nothing, 1 = the whole excess.

    Raises:
        CleanplateError: the amount is out of range.

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
        known: (H, W) in [0, 1]: 0 = always out, 1 = always in, 0.5 and what lies between = as
            `alpha` says.

    Examples:
        >>> alpha, known = np.full((1, 3), 0.25, np.float32), np.array([[0, 0.5, 1]], np.float32)
        >>> hold(alpha, known).tolist()  # always out, as alpha says, always in
        [[0.0, 0.25, 1.0]]
    """
    return np.where(known <= _OUT, np.float32(0), np.where(known >= _IN, np.float32(1), alpha))


def check_known(known: npt.NDArray[Any]) -> Plane:
    """Give a known mask as (H, W) float32 in [0, 1].

    Args:
        known: (H, W) uint8 or uint16, or floats in [0, 1].

    Raises:
        CleanplateError: it is no such array, or leaves nothing to decide.
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
    # OpenCV's own border counts for neither minimum nor maximum.
    return np.asarray((cv2.erode if shrink else cv2.dilate)(alpha, disc), np.float32)


def _out_of_range(name: str, value: float, low: float, high: float) -> CleanplateError:
    return CleanplateError(f"{name} {value:g} is not possible", cure=f"give {low:g} to {high:g}")
