"""Depth in OpenEXR files, by whichever library can.

The OpenEXR library (the extra `exr`) comes first, where it is installed; then OpenCV, where
it was built with OpenEXR: the wheels of version 4 were, those of version 5 are not.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Plane
from cleanplate.errors import CleanplateError, require
from cleanplate.files import opened, replacing


def read(path: str | Path) -> Plane:
    """Read the depth channel of an EXR as (H, W) float32.

    Taken are the only channel; or the one named Z or depth, in whatever layer; or one of
    several that are all equal (depth written as grey).

    Raises:
        CleanplateError: if the file is missing, damaged, or which channel is depth is not
            clear, or no library here reads EXR.
    """
    with opened(path) as stream:
        magic = stream.read(4)
    if magic != b"\x76\x2f\x31\x01":
        raise CleanplateError("is not an EXR file", file=path, cure="Save it again.")
    channels = _read_openexr(path) if _has_openexr() else _read_opencv(path)
    depth = _depth_of(channels, path)
    if depth.ndim != 2 or depth.size == 0:
        raise CleanplateError(f"has shape {depth.shape}", file=path, cure="Save it again.")
    return depth.astype(np.float32)


def write(path: str | Path, depth: Plane) -> None:
    """Write (H, W) float32 as a single-channel EXR, whole or not at all.

    Raises:
        CleanplateError: if the file cannot be written or no library here writes EXR.
    """
    if _has_openexr():
        library = require("OpenEXR", "exr")
        header = {"compression": library.ZIP_COMPRESSION, "type": library.scanlineimage}
        file = library.File(header, {"Z": np.ascontiguousarray(depth, dtype=np.float32)})
        with replacing(path) as temporary:
            try:
                file.write(str(temporary))
            except RuntimeError as error:  # the library does not pass the system's error on
                raise CleanplateError(
                    f"cannot be written ({error})", file=path, cure="Is the disk full?"
                ) from error
        return
    _need_opencv(path)
    # Encoded first, so that a full disk shows as an OSError and not as OpenCV's False.
    done, data = cv2.imencode(".exr", depth.astype(np.float32, copy=False))
    if not done:
        raise CleanplateError(
            "could not be encoded as EXR", file=path, cure="Is the disk full? Use .npy."
        )
    with replacing(path) as temporary:
        temporary.write_bytes(bytes(data))


def usable() -> bool:
    """Whether some library that is installed reads and writes EXR."""
    return _has_openexr() or _opencv_can()


def _has_openexr() -> bool:
    return find_spec("OpenEXR") is not None


def _opencv_can() -> bool:
    # OpenCV asks this once, when it first meets an EXR file; without it its codec is off.
    os.environ.setdefault("OPENCV_IO_ENABLE_OPENEXR", "1")
    try:
        return bool(cv2.haveImageWriter("depth.exr"))
    except cv2.error:  # it has been asked before, and was off
        return False


def _need_opencv(path: str | Path) -> None:
    if not _opencv_can():
        raise CleanplateError(
            "nothing that is installed here reads or writes EXR",
            file=path,
            cure="pip install 'cleanplate[exr]', or use an NPY (metres) or a 16-bit PNG "
            "(millimetres).",
        )


def _read_openexr(path: str | Path) -> dict[str, npt.NDArray[Any]]:
    library = require("OpenEXR", "exr")
    try:
        with library.File(str(path), separate_channels=True) as file:
            return {name: channel.pixels for name, channel in file.channels().items()}
    except (RuntimeError, ValueError, TypeError) as error:
        raise _damaged(path) from error


def _read_opencv(path: str | Path) -> dict[str, npt.NDArray[Any]]:
    _need_opencv(path)
    try:
        array = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        array = None
    if array is None:
        raise _damaged(path)
    if array.ndim == 2:
        return {"Z": array}
    return {f"channel {i}": array[..., i] for i in range(array.shape[2])}


def _damaged(path: str | Path) -> CleanplateError:
    return CleanplateError("is damaged or cut short", file=path, cure="Save it again.")


def _depth_of(channels: dict[str, npt.NDArray[Any]], path: str | Path) -> npt.NDArray[Any]:
    named = [name for name in channels if name.rsplit(".", 1)[-1].lower() in ("z", "depth")]
    if len(named) == 1:
        return channels[named[0]]
    arrays = list(channels.values())
    if arrays and all(np.array_equal(arrays[0], other, equal_nan=True) for other in arrays[1:]):
        return arrays[0]
    raise CleanplateError(
        f"which of its channels is depth is not clear ({', '.join(channels)})",
        file=path,
        cure="Save depth alone, as a channel named Z.",
    )
