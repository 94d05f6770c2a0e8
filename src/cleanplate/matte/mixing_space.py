"""The space in which alpha mixes colours: linear light, or coded values."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from cleanplate.formats.pictures import to_float
from cleanplate.light import linear_from_uint8, linear_to_srgb, srgb_to_linear

MixingSpace: TypeAlias = Literal["linear", "display"]
"""Space in which alpha mixes colours: linear light, or the sRGB-coded values of the display."""


def decoded(picture: npt.NDArray[Any], space: MixingSpace) -> npt.NDArray[np.float32]:
    """Convert a picture, sRGB-coded, to the mixing space, as a new array."""
    if space == "linear":
        return to_linear(picture)
    return np.array(to_float(picture))


def encoded(mixed: npt.NDArray[np.float32], space: MixingSpace) -> npt.NDArray[np.float32]:
    """Convert what is in the mixing space to sRGB."""
    return linear_to_srgb(mixed) if space == "linear" else mixed


def to_linear(picture: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Convert a picture, sRGB-coded, to linear light, as a new array."""
    if picture.dtype == np.uint8:
        return linear_from_uint8(picture)
    return srgb_to_linear(to_float(picture))
