"""Alpha compositing, shadow and trimap; in linear light by default.

Pictures are (H, W, 3), sRGB-coded: uint8, uint16, or float32 in [0, 1]; results are float32.
Large pictures are processed in bands of rows, so temporary arrays take only a few megabytes.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Coded, Picture, Plane
from cleanplate.bands import bands
from cleanplate.light import linear_to_srgb
from cleanplate.matte.mixing_space import MixingSpace, decoded, encoded, to_linear


def over(
    foreground: Coded | Picture,
    alpha: Plane,
    background: Coded | Picture,
    *,
    space: MixingSpace = "linear",
) -> Picture:
    """Composite a foreground over a background: `a F + (1 - a) B`.

    Porter & Duff 1984, "Compositing digital images", the over operator with straight colour.

    Args:
        foreground: (H, W, 3), straight colour.
        alpha: (H, W) in [0, 1].
        background: (H, W, 3).
        space: "linear" or "display", the space of the mixing; the foreground must have been
            solved in the same space.

    Returns:
        (H, W, 3) float32, sRGB-coded.

    Raises:
        ValueError: if the sizes differ.

    Examples:
        >>> white, black = np.ones((1, 1, 3), np.float32), np.zeros((1, 1, 3), np.float32)
        >>> alpha = np.full((1, 1), 0.5, np.float32)
        >>> round(float(over(white, alpha, black)[0, 0, 0]), 4)  # 1.055 * 0.5 ** (1 / 2.4) - 0.055
        0.7354
        >>> float(over(white, alpha, black, space="display")[0, 0, 0])  # 0.5 * 1 + (1 - 0.5) * 0
        0.5
    """
    check_same_size(foreground, alpha, background)
    out = np.empty((*alpha.shape, 3), np.float32)
    for band in bands(alpha.shape):
        a = alpha[band][..., None]
        mixed = decoded(background[band], space)
        mixed += a * (decoded(foreground[band], space) - mixed)
        out[band] = encoded(mixed, space)
    return out


def premultiply(
    foreground: Coded | Picture, alpha: Plane, *, space: MixingSpace = "linear"
) -> Picture:
    """Premultiply a straight foreground by its alpha: `a F`.

    Composited over a background in the same `space`, it gives `(a F) + (1 - a) B`.

    Args:
        foreground: (H, W, 3), straight colour.
        alpha: (H, W) in [0, 1].
        space: "linear" or "display", the space of the multiplication.

    Returns:
        (H, W, 3) float32, sRGB-coded.

    Raises:
        ValueError: if the sizes differ.

    Examples:
        >>> grey = np.full((1, 1, 3), 0.5, np.float32)
        >>> alpha = np.full((1, 1), 0.25, np.float32)
        >>> float(premultiply(grey, alpha, space="display")[0, 0, 0])  # 0.25 * 0.5
        0.125
    """
    check_same_size(foreground, alpha)
    out = np.empty((*alpha.shape, 3), np.float32)
    for band in bands(alpha.shape):
        out[band] = encoded(decoded(foreground[band], space) * alpha[band][..., None], space)
    return out


def darken(plate: Coded | Picture, shadow: Plane) -> Picture:
    """Apply a shadow to a plate: `s B` in linear light.

    Args:
        plate: (H, W, 3).
        shadow: (H, W), factor in (0, 1], 1 = no shadow.

    Returns:
        (H, W, 3) float32, sRGB-coded.

    Raises:
        ValueError: if the sizes differ.

    Examples:
        >>> white, shadow = np.ones((1, 1, 3), np.float32), np.full((1, 1), 0.25, np.float32)
        >>> round(float(darken(white, shadow)[0, 0, 0]), 4)  # 1.055 * 0.25 ** (1 / 2.4) - 0.055
        0.5371
    """
    check_same_size(plate, shadow)
    out = np.empty((*shadow.shape, 3), np.float32)
    for band in bands(shadow.shape):
        out[band] = linear_to_srgb(to_linear(plate[band]) * shadow[band][..., None])
    return out


def trimap(
    alpha: Plane, radius: float, low: float = 0.05, high: float = 0.95
) -> npt.NDArray[np.uint8]:
    """Compute a trimap from alpha: 0 = background, 128 = unknown, 255 = foreground.

    A pixel is background (foreground) if its alpha is at most `low` (at least `high`), and so is
    that of every pixel within `radius`. All other pixels are unknown.

    Args:
        alpha: (H, W) in [0, 1].
        radius: Euclidean distance in pixels.
        low: largest alpha of background.
        high: smallest alpha of foreground.

    Returns:
        (H, W) uint8.

    Examples:
        >>> alpha = np.array([[0, 0, 0, 0.5, 1, 1, 1]], np.float32)
        >>> trimap(alpha, 1).tolist()  # sure pixels farther than 1 from every pixel that is not
        [[0, 0, 128, 128, 128, 255, 255]]
    """
    out = np.full(alpha.shape, 128, np.uint8)
    for value, sure in ((0, alpha <= low), (255, alpha >= high)):
        if sure.all():
            out[:] = value
            continue
        distance = cv2.distanceTransform(sure.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        out[distance > radius] = value
    return out


def check_same_size(*arrays: npt.NDArray[Any]) -> None:
    """Raise `ValueError` if arrays (H, W, ...) differ in height or width."""
    sizes = [array.shape[:2] for array in arrays]
    if len(set(sizes)) != 1:
        raise ValueError(f"sizes differ: {sizes}")
