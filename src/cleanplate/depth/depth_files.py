"""Depth, disparity and points in files. What a file means is in its name's ending."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from cleanplate.arrays import Plane
from cleanplate.depth import exr
from cleanplate.depth.depth_codec import (
    EMPTY,
    EXCHANGE,
    Convention,
    convention_named,
    doubts,
    encode,
    fits,
    metres,
    recorded_convention,
)
from cleanplate.errors import CleanplateError
from cleanplate.files.atomic import opened, replacing
from cleanplate.files.json_files import read_json
from cleanplate.formats.decoding import decode_samples
from cleanplate.formats.pictures import write_image

_DEPTH_CURE = (
    "Depth is a 16-bit grey PNG or TIFF in millimetres (0 = unknown), "
    "or an NPY, EXR or float TIFF in metres."
)
_ENDINGS = ("_plate_depth", "_depth", ".depth")
"""Of a depth file's name, before its suffix, behind the name that its JSON has."""

_MOST_DOUBTED = 20
"""Of so many sources a process logs that they are doubtful: a whole set may be."""
_doubted: set[str] = set()

_log = logging.getLogger(__name__)

# What numpy raises on damaged files has no narrower common type; OverflowError: a shape beyond
# what any memory can hold.
_ARRAY_FAULTS = (
    OSError,
    ValueError,
    EOFError,
    MemoryError,
    OverflowError,
    SyntaxError,
    TokenError,
)


def read_depth(path: str | Path, *, convention: Convention | str | None = None) -> Plane:
    """Read depth as (H, W) float32 metres; NaN where unknown, +inf where nothing is hit.

    Integers (16-bit PNG and TIFF, NPY of integers) are millimetres, floats (NPY, EXR, TIFF of
    floats) metres. Zero, negative and -inf count as unknown, unless the convention gives 0
    another meaning.

    Args:
        path: of the file; its ending says what it is.
        convention: "exchange" or "dataset", of integers; None = as the JSON beside the file
            records it, else "exchange". See docs/depth.md.

    Raises:
        CleanplateError: if the file is missing, damaged, of another kind or shape, or holds
            no known pixel.
    """
    suffix = _suffix(path)
    if suffix == ".npy":
        with opened(path) as stream, of_file(path):
            array = load_plane(stream)
    elif suffix == ".exr":
        array = exr.read(path)
    elif suffix in (".png", ".tif", ".tiff"):
        array = _read_picture(path)
    else:
        raise CleanplateError(f"{suffix or 'no ending'} is no depth", file=path, cure=_DEPTH_CURE)
    with of_file(path):
        if isinstance(convention, str):
            convention = convention_named(convention)
        depth = metres(array, convention or convention_beside(path) or EXCHANGE)
    depth = np.where(depth > 0, depth, np.float32(np.nan))
    if np.isnan(depth).all():
        raise CleanplateError("no pixel of it has a depth", file=path, cure=_DEPTH_CURE)
    return depth


def write_depth(
    path: str | Path,
    depth: npt.NDArray[Any],
    *,
    convention: Convention | str = "exchange",
    warn: bool = True,
) -> None:
    """Write depth, (H, W) metres, as the ending says; whole or not at all.

    .png: 16-bit millimetres. In the convention "exchange" 0 where unknown, infinite, under
    0.5 mm or beyond 65.534 m; in "dataset" 65535 where infinite or beyond. Whoever writes another
    than "exchange" records it in the JSON beside the file, `{"depth_convention": "dataset"}`.
    .npy, .exr and .tif: float32 metres, NaN and inf kept.

    Args:
        path: of the file.
        depth: (H, W), floats in metres or integers in millimetres.
        convention: of a PNG.
        warn: log a warning if a PNG says of no pixel how far it is.

    Raises:
        CleanplateError: if the file cannot be written or the ending is another.
        ValueError: if the array is not (H, W).
    """
    depth = metres(_plane(depth))
    suffix = _suffix(path)
    if suffix == ".png":
        if isinstance(convention, str):
            convention = convention_named(convention)
        if warn and not fits(depth):
            _log.warning("%s: %s", path, EMPTY)
        write_image(path, encode(depth, convention))
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


def convention_beside(path: str | Path) -> Convention | None:
    """Tell which convention the JSON beside a depth file records for it; None if none does.

    It lies beside `a_depth.png`, `a_plate_depth.png` and `a.depth.png` as `a.json`, beside others
    under their own name. A JSON that cannot be read, or that is of something else, records none.

    Raises:
        CleanplateError: if it records a convention that does not exist.
    """
    path = Path(path)
    for name in dict.fromkeys([path.stem, *map(path.stem.removesuffix, _ENDINGS)]):
        beside = path.with_name(f"{name}.json")
        try:
            facts = read_json(beside)
        except (OSError, ValueError):
            continue
        found = recorded_convention(facts) if isinstance(facts, dict) else None
        if found is not None:
            return found
    return None


def read_disparity(path: str | Path) -> Plane:
    """Read disparity from .npy as (H, W) float32; what is not finite is unknown (NaN).

    Raises:
        CleanplateError: if the file is missing, damaged or not a disparity map.
    """
    if _suffix(path) != ".npy":
        raise CleanplateError(
            "is no disparity map", file=path, cure="Disparity is an NPY of floats, (H, W)."
        )
    with opened(path) as stream, of_file(path):
        disparity = load_plane(stream)
    if disparity.dtype.kind != "f":
        raise CleanplateError(
            f"holds {disparity.dtype}, no floats", file=path, cure="Disparity is in floats, 1/m."
        )
    with np.errstate(over="ignore"):
        disparity = disparity.astype(np.float32)
    return np.where(np.isfinite(disparity), disparity, np.float32(np.nan))


def write_disparity(path: str | Path, disparity: Plane) -> None:
    """Write disparity, (H, W), as float32 .npy; whole or not at all.

    Raises:
        CleanplateError: if the file cannot be written or does not end in .npy.
        ValueError: if the array is not (H, W).
    """
    if _suffix(path) != ".npy":
        raise CleanplateError("is no place for disparity", file=path, cure="Use .npy.")
    _write_npy(path, _plane(disparity).astype(np.float32, copy=False))


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


def _plane(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if array.ndim != 2 or array.size == 0:
        raise ValueError(f"expected (H, W), got {array.shape}")
    return array


def _read_picture(path: str | Path) -> npt.NDArray[Any]:
    samples = decode_samples(path)
    if samples.ndim != 2:
        raise CleanplateError("is in colour, not depth", file=path, cure=_DEPTH_CURE)
    if samples.dtype in (np.uint8, np.bool_):
        raise CleanplateError("has 8 bits or fewer, not 16", file=path, cure=_DEPTH_CURE)
    return samples


def load_plane(stream: IO[bytes]) -> npt.NDArray[Any]:
    """Read one NPY of numbers as (H, W), of the type that it has.

    Raises:
        CleanplateError: if it is damaged, or an array of another kind or shape.
    """
    try:
        array = np.load(stream, allow_pickle=False)
    except _ARRAY_FAULTS as error:
        raise CleanplateError(
            "is damaged or not an array file", cure="Save it again with numpy.save."
        ) from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        raise CleanplateError("holds no numbers", cure="Save (H, W) floats.")
    if array.ndim == 3 and 1 in (array.shape[0], array.shape[2]):
        array = array.reshape(array.shape[1:] if array.shape[0] == 1 else array.shape[:2])
    if array.ndim != 2 or array.size == 0:
        raise CleanplateError(f"has shape {array.shape}", cure="Save an array of shape (H, W).")
    return array


def warn_of_doubts(source: str | Path, disparity: Plane) -> None:
    """Log what `depth_codec.doubts` says of depth that was read: of the first few sources, once.

    Args:
        source: the file, or what it is called.
        disparity: (H, W), 1/m.
    """
    if len(_doubted) >= _MOST_DOUBTED or str(source) in _doubted:
        return
    for doubt in doubts(disparity):
        _doubted.add(str(source))
        _log.warning("%s: %s", source, doubt)


@contextmanager
def of_file(path: str | Path) -> Iterator[None]:
    """Name a file in errors that do not name one."""
    try:
        yield
    except CleanplateError as error:
        if error.file is not None:
            raise
        raise CleanplateError(error.what, file=path, cure=error.cure) from error


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
