"""Depth, disparity and points in files. What a file means is in its name's ending."""

from __future__ import annotations

import io
import os
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from cleanplate import exr
from cleanplate.arrays import Plane
from cleanplate.decoding import decode_samples
from cleanplate.errors import CleanplateError
from cleanplate.files import opened, replacing
from cleanplate.pictures import write_image

_DEPTH_CURE = (
    "Depth is a 16-bit grey PNG or TIFF in millimetres (0 = unknown), "
    "or an NPY, EXR or float TIFF in metres."
)


def read_depth(path: str | Path) -> Plane:
    """Read depth as (H, W) float32 metres; NaN where unknown, +inf where nothing is hit.

    The ending decides: .png and .tif of 16 bits hold millimetres with 0 = unknown; .npy,
    .exr and .tif of floats hold metres. Zero, negative and -inf count as unknown.

    Raises:
        CleanplateError: if the file is missing, damaged, of another kind or shape, or holds
            no known pixel.
    """
    suffix = _suffix(path)
    if suffix == ".npy":
        depth = _read_npy(path)
    elif suffix == ".exr":
        depth = exr.read(path)
    elif suffix in (".png", ".tif", ".tiff"):
        depth = _read_picture(path)
    else:
        raise CleanplateError(f"{suffix or 'no ending'} is no depth", file=path, cure=_DEPTH_CURE)
    depth = np.where(depth > 0, depth, np.float32(np.nan))
    if np.isnan(depth).all():
        raise CleanplateError("no pixel of it has a depth", file=path, cure=_DEPTH_CURE)
    return depth


def write_depth(path: str | Path, depth: Plane) -> None:
    """Write depth, (H, W) metres, as the ending says; whole or not at all.

    .png: 16-bit millimetres, 0 where unknown, infinite, under 0.5 mm or beyond 65.535 m.
    .npy, .exr and .tif: float32 metres, NaN and inf kept.

    Raises:
        CleanplateError: if the file cannot be written or the ending is another.
        ValueError: if the array is not (H, W).
    """
    depth = _plane(depth)
    suffix = _suffix(path)
    if suffix == ".png":
        with np.errstate(invalid="ignore"):
            millimetres = np.rint(depth.astype(np.float64) * 1000)
            held = (millimetres >= 1) & (millimetres <= 65535)
        write_image(path, np.where(held, millimetres, 0).astype(np.uint16))
    elif suffix == ".npy":
        _write_npy(path, depth)
    elif suffix == ".exr":
        exr.write(path, depth)
    elif suffix in (".tif", ".tiff"):
        _write_tiff(path, depth)
    else:
        raise CleanplateError(
            f"depth is not written as {suffix!r}", file=path, cure="Use .png, .npy, .exr or .tif."
        )


def read_disparity(path: str | Path) -> Plane:
    """Read disparity from .npy as (H, W) float32; what is not finite is unknown (NaN).

    Raises:
        CleanplateError: if the file is missing, damaged or not a disparity map.
    """
    if _suffix(path) != ".npy":
        raise CleanplateError(
            "is no disparity map", file=path, cure="Disparity is an NPY of floats, (H, W)."
        )
    disparity = _read_npy(path)
    return np.where(np.isfinite(disparity), disparity, np.float32(np.nan))


def write_disparity(path: str | Path, disparity: Plane) -> None:
    """Write disparity, (H, W), as float32 .npy; whole or not at all.

    Raises:
        CleanplateError: if the file cannot be written or does not end in .npy.
        ValueError: if the array is not (H, W).
    """
    if _suffix(path) != ".npy":
        raise CleanplateError("is no place for disparity", file=path, cure="Use .npy.")
    _write_npy(path, _plane(disparity))


def write_ply(
    path: str | Path, points: npt.NDArray[np.float32], colours: npt.NDArray[np.uint8]
) -> None:
    """Write points (N, 3) in metres with colours (N, 3) uint8 as binary PLY.

    Raises:
        CleanplateError: if the file cannot be written.
        ValueError: if the shapes are not (N, 3) and equal, or the colours not uint8.
    """
    if points.ndim != 2 or points.shape[1:] != (3,) or colours.shape != points.shape:
        raise ValueError(f"expected (N, 3) twice, got {points.shape} and {colours.shape}")
    if colours.dtype != np.uint8:
        raise ValueError(f"expected uint8 colours, got {colours.dtype}")
    vertices = np.empty(len(points), dtype=[("xyz", "<f4", 3), ("rgb", "u1", 3)])
    vertices["xyz"], vertices["rgb"] = points, colours
    header = "\n".join(
        [
            "ply",
            "format binary_little_endian 1.0",
            f"element vertex {len(points)}",
            *(f"property float {axis}" for axis in "xyz"),
            *(f"property uchar {colour}" for colour in ("red", "green", "blue")),
            "end_header\n",
        ]
    )
    with replacing(path) as temporary, open(temporary, "wb") as stream:
        stream.write(header.encode("ascii"))
        stream.write(vertices.tobytes())


def _suffix(path: str | Path) -> str:
    return os.path.splitext(path)[1].lower()


def _plane(array: npt.NDArray[Any]) -> Plane:
    if array.ndim != 2 or array.size == 0:
        raise ValueError(f"expected (H, W), got {array.shape}")
    return array.astype(np.float32, copy=False)


def _read_picture(path: str | Path) -> Plane:
    samples = decode_samples(path)
    if samples.ndim != 2:
        raise CleanplateError("is in colour, not depth", file=path, cure=_DEPTH_CURE)
    if samples.dtype in (np.uint8, np.bool_):
        raise CleanplateError("has 8 bits or fewer, not 16", file=path, cure=_DEPTH_CURE)
    if samples.dtype.kind == "f":
        return samples.astype(np.float32)
    # 32-bit containers of 16-bit numbers exist; what is beyond cannot be millimetres in 16.
    return samples.astype(np.float32) / np.float32(1000)


def _read_npy(path: str | Path) -> Plane:
    try:
        with opened(path) as stream:
            array = np.load(stream, allow_pickle=False)
    except (OSError, ValueError, EOFError, MemoryError, SyntaxError, TokenError) as error:
        raise CleanplateError(
            "is damaged or not an array file", file=path, cure="Save it again with numpy.save."
        ) from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        raise CleanplateError("holds no numbers", file=path, cure="Save (H, W) floats.")
    if array.ndim == 3 and 1 in (array.shape[0], array.shape[2]):
        array = array.reshape(array.shape[1:] if array.shape[0] == 1 else array.shape[:2])
    if array.ndim != 2 or array.size == 0:
        raise CleanplateError(
            f"has shape {array.shape}", file=path, cure="Save an array of shape (H, W)."
        )
    return array.astype(np.float32)


def _write_npy(path: str | Path, array: Plane) -> None:
    coded = io.BytesIO()
    np.save(coded, array)
    _write_coded(path, coded)


def _write_tiff(path: str | Path, depth: Plane) -> None:
    coded = io.BytesIO()
    Image.fromarray(depth).save(coded, "TIFF", compression="tiff_adobe_deflate")
    _write_coded(path, coded)


def _write_coded(path: str | Path, coded: io.BytesIO) -> None:
    # Coded in memory first: writing straight to a full disk, numpy and Pillow raise errors
    # that no longer say why.
    with replacing(path) as temporary, open(temporary, "wb") as stream:
        stream.write(coded.getbuffer())
