"""sRGB transfer function: coded values to linear light and back.

IEC 61966-2-1:1999: with C coded and L linear, both in [0, 1],
`L = C / 12.92` where `C <= 0.04045`, else `((C + 0.055) / 1.055) ** 2.4`;
`C = 12.92 L` where `L <= 0.0031308`, else `1.055 L ** (1 / 2.4) - 0.055`.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

_STEPS = 65535
"""Steps of the look-up table from linear light to sRGB. The slope of the curve is at most 12.92
(at black), so one step is at most 0.05 of an 8-bit level."""


def srgb_to_linear(coded: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Decode sRGB values: float in [0, 1], any shape, to linear light, float32.

    The formula of IEC 61966-2-1, extended outside [0, 1]: linear below 0, power law above 1.

    Examples:
        >>> mid, low = srgb_to_linear([0.5, 0.0323])
        >>> round(float(mid), 4)  # ((0.5 + 0.055) / 1.055) ** 2.4
        0.214
        >>> round(float(low), 4)  # on the straight piece: 0.0323 / 12.92
        0.0025
    """
    x = np.asarray(coded, dtype=np.float32)
    # Clamped at the end of the linear segment, because a power of a negative number is NaN.
    power = (np.maximum(x, np.float32(0.04045)) + np.float32(0.055)) / np.float32(1.055)
    power = np.power(power, np.float32(2.4))
    return np.where(x <= np.float32(0.04045), x / np.float32(12.92), power)


def linear_to_srgb(linear: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Encode linear light: float in [0, 1], any shape, to sRGB values, float32.

    The inverse of `srgb_to_linear`, by the formula of IEC 61966-2-1.

    Examples:
        >>> half, dark = linear_to_srgb([0.5, 0.0025])
        >>> round(float(half), 4)  # 1.055 * 0.5 ** (1 / 2.4) - 0.055
        0.7354
        >>> round(float(dark), 4)  # on the straight piece: 12.92 * 0.0025
        0.0323
    """
    x = np.asarray(linear, dtype=np.float32)
    power = np.power(np.maximum(x, np.float32(0.0031308)), np.float32(1 / 2.4))
    power *= np.float32(1.055)
    power -= np.float32(0.055)
    return np.where(x <= np.float32(0.0031308), x * np.float32(12.92), power)


def linear_from_uint8(coded: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Decode 8-bit sRGB by a look-up table: exact and fast.

    Args:
        coded: (H, W) or (H, W, C), uint8.

    Returns:
        linear light in [0, 1], float32, of the same shape.

    Raises:
        TypeError: if the array is not uint8.

    Examples:
        >>> linear = linear_from_uint8(np.array([[0, 188, 255]], np.uint8))
        >>> linear.round(4).tolist()[0][::2]  # the ends of the curve
        [0.0, 1.0]
        >>> round(float(linear[0, 1]), 4)  # ((188 / 255 + 0.055) / 1.055) ** 2.4
        0.5029
    """
    if coded.dtype != np.uint8:
        raise TypeError(f"expected uint8, got {coded.dtype}")
    return np.asarray(cv2.LUT(coded, _linear_table()), dtype=np.float32).reshape(coded.shape)


def coded_from_linear(linear: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Encode linear light as 8-bit sRGB by a look-up table: fast.

    Values are clipped to [0, 1]; NaN becomes 0. The result is at most 0.53 of a level from the
    unrounded formula; rounding alone contributes 0.5.

    Args:
        linear: float, any shape.

    Returns:
        uint8 of the same shape.

    Examples:
        >>> light = np.array([[-1.0, 0.5, 2.0]], np.float32)
        >>> coded_from_linear(light).tolist()  # 255 * (1.055 * 0.5 ** (1 / 2.4) - 0.055) = 187.52
        [[0, 188, 255]]
    """
    linear = np.asarray(linear, np.float32)
    if linear.size == 0:
        return np.zeros(linear.shape, np.uint8)
    # Clipped to 1 first: values beyond the range of integers would become 0. NumPy keeps NaN on
    # every processor; OpenCV's threshold does not.
    held = np.minimum(linear.reshape(1, -1), np.float32(1))
    # addWeighted is used for its conversion: it rounds to nearest, clips at 0, turns NaN into 0.
    steps = cv2.addWeighted(held, _STEPS, held, 0, 0, dtype=cv2.CV_16U)
    if not _looks_up_16_bit():
        return np.take(_coded_table(), np.asarray(steps, np.uint16)).reshape(linear.shape)
    # Four times faster than np.take, with identical results.
    found = cv2.LUT(steps, _coded_table())
    return np.asarray(found, dtype=np.uint8).reshape(linear.shape)


@cache
def _linear_table() -> npt.NDArray[np.float32]:
    return srgb_to_linear(np.arange(256, dtype=np.float32) / np.float32(255))


@cache
def _looks_up_16_bit() -> bool:
    """Return whether `cv2.LUT` accepts 16-bit indices; before about OpenCV 4.12 it does not."""
    try:
        found = cv2.LUT(np.full((1, 4), _STEPS, dtype=np.uint16), _coded_table())
    except cv2.error:
        return False
    return found.shape == (1, 4) and bool((np.asarray(found) == _coded_table()[-1]).all())


@cache
def _coded_table() -> npt.NDArray[np.uint8]:
    levels = linear_to_srgb(np.arange(_STEPS + 1, dtype=np.float32) / np.float32(_STEPS)) * 255
    return np.rint(levels).astype(np.uint8)
