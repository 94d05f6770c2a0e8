"""Depth, disparity and point cloud files; the suffix selects the format and the unit."""

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
"""Endings of a depth file's stem that are not part of the name of its JSON."""

_MOST_DOUBTED = 20
"""Maximum number of sources that a process warns about, because a whole data set may be wrong."""
_doubted: set[str] = set()

_log = logging.getLogger(__name__)

# Exceptions of numpy on damaged files; no narrower type covers them. OverflowError: an array shape
# too large for the address space.
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

    Integers (16-bit PNG and TIFF, integer NPY) are millimetres; floats (NPY, EXR, float TIFF) are
    metres. Zero, negative depth and -inf are unknown, unless the convention gives code 0 another
    meaning.

    Args:
        path: .png, .tif, .tiff, .npy or .exr.
        convention: "exchange" or "dataset", for integers; None = the one named in the JSON
            beside the file, else "exchange". See docs/depth.md.

    Raises:
        CleanplateError: if the file is missing, damaged, of another format or shape, or has no
            known pixel.
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
    """Write depth atomically; the suffix selects the format.

    .png: 16-bit millimetres. In the convention "exchange", 0 where unknown, infinite, under
    0.5 mm or beyond 65.534 m; in "dataset", 65535 where infinite or beyond. A caller that writes
    another convention than "exchange" must record it in the JSON beside the file,
    `{"depth_convention": "dataset"}`. .npy, .exr, .tif and .tiff: float32 metres with NaN and inf.

    Args:
        path: file to create or replace.
        depth: (H, W), floats in metres or integers in millimetres.
        convention: "exchange" or "dataset"; used for PNG only.
        warn: log a warning if no pixel can be encoded as a distance in a PNG.

    Raises:
        CleanplateError: if the file cannot be written, the suffix is not supported, or the array
            has 8-bit integers.
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
    """Return the convention named in the JSON beside a depth file; None if there is none.

    The JSON of `a_depth.png`, `a_plate_depth.png` and `a.depth.png` is `a.json`; other files have
    one of their own stem. A JSON that cannot be read or names no convention is ignored.

    Raises:
        CleanplateError: if the name is unknown.
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
    """Read disparity from .npy as (H, W) float32; infinite values become NaN (unknown).

    Raises:
        CleanplateError: if the file is missing, damaged, or not a float array of (H, W).
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
    """Write disparity as float32 .npy, atomically.

    Args:
        path: file to create or replace.
        disparity: (H, W), 1/m or relative.

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
    """Write a point cloud as binary PLY (little-endian), atomically.

    Args:
        path: file to create or replace.
        points: (N, 3) in metres, written as float32.
        colours: (N, 3) uint8 RGB.

    Raises:
        CleanplateError: if the file cannot be written.
        ValueError: if the shapes are not (N, 3) and equal, or the colours are not uint8.
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
    """Read an NPY stream as (H, W) in its stored dtype; a third axis of length 1 is removed.

    Raises:
        CleanplateError: if the data is damaged, not float or integer, or of another shape. The
            error does not name the file; see `of_file`.
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
    """Log the warnings of `depth_codec.doubts`, once per source, for at most 20 sources.

    Args:
        source: path or name of the depth, for the message.
        disparity: (H, W), 1/m.
    """
    if len(_doubted) >= _MOST_DOUBTED or str(source) in _doubted:
        return
    for doubt in doubts(disparity):
        _doubted.add(str(source))
        _log.warning("%s: %s", source, doubt)


@contextmanager
def of_file(path: str | Path) -> Iterator[None]:
    """Add a file name to a `CleanplateError` that is raised without one in the block.

    Raises:
        CleanplateError: the error of the block, with `path` as its file.
    """
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
    # Encoded in memory first: on a full disk, numpy and Pillow raise errors without the cause.
    with replacing(path) as temporary, open(temporary, "wb") as stream:
        stream.write(coded.getbuffer())
