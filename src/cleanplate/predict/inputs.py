"""Inputs, files or arrays, converted to the arrays that prediction works on."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Coded, Picture, Plane
from cleanplate.depth import depth_to_disparity, read_depth
from cleanplate.depth.depth_codec import metres
from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import read_image

PictureSource: TypeAlias = str | Path | npt.NDArray[Any]
"""A file, or (H, W, 3) RGB: uint8, uint16, or float in [0, 1]."""

DepthSource: TypeAlias = str | Path | npt.NDArray[Any]
"""A file, or (H, W) floats in metres, nan = unknown, +inf = nothing hit; or integers in mm."""

MaskSource: TypeAlias = str | Path | npt.NDArray[Any]
"""A grey picture, or (H, W): uint8, uint16, or float in [0, 1]; black = out, white = in."""


def as_picture(source: PictureSource, role: str, max_pixels: int | None = None) -> Coded | Picture:
    """(H, W, 3) RGB, sRGB-coded, uint8, uint16 or float32 in [0, 1].

    An array is copied: it may be a buffer that its owner fills again.

    Args:
        source: a path or an array.
        role: "plate", "frame", ..., for the error.
        max_pixels: of a file, as `read_image`.

    Raises:
        CleanplateError: the file cannot be read or the array is not a picture.
    """
    if isinstance(source, (str, Path)):
        return read_image(source, max_pixels=max_pixels)
    if not isinstance(source, np.ndarray):
        raise CleanplateError(
            f"the {role} is a {type(source).__name__}", cure="give a path or a NumPy array"
        )
    if source.ndim != 3 or source.shape[2] != 3 or source.size == 0:
        raise CleanplateError(
            f"the {role} has the shape {source.shape}", cure="a picture is (H, W, 3) in RGB order"
        )
    if source.dtype in (np.uint8, np.uint16):
        return np.array(source, order="C")
    if source.dtype.kind != "f":
        raise CleanplateError(
            f"the {role} is of {source.dtype}", cure="give uint8, uint16, or float in [0, 1]"
        )
    picture = source.astype(np.float32, copy=False)
    # Written so that nan fails too.
    if not (picture.min() >= -1e-3 and picture.max() <= 1 + 1e-3):
        raise CleanplateError(
            f"the {role} has values outside [0, 1]",
            cure="floats are in [0, 1]; 0 to 255 goes as uint8",
        )
    return np.clip(picture, 0, 1)


def as_disparity(source: DepthSource) -> Plane:
    """(H, W) float32 disparity in 1/m from depth: nan unknown, 0 at infinity.

    Floats are metres, integers millimetres, in files and arrays alike; see docs/depth.md.

    An array is copied, as by `as_picture`.

    Raises:
        CleanplateError: the file cannot be read, the array is not depth, or nothing is known.
    """
    if isinstance(source, (str, Path)):
        depth = read_depth(source)
    else:
        depth = np.asarray(source)
        if depth.ndim != 2 or depth.size == 0 or depth.dtype.kind not in "fiu":
            raise CleanplateError(
                f"the plate's depth is {depth.dtype} of the shape {depth.shape}",
                cure="depth is (H, W): floats in metres or integers in millimetres",
            )
        depth = metres(depth)
    disparity = depth_to_disparity(depth)
    if not np.isfinite(disparity).any():
        raise CleanplateError(
            "the plate's depth is unknown at every pixel",
            cure="give depth in metres (16-bit PNG: millimetres), or none at all",
        )
    return disparity
