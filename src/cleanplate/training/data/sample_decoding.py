"""Fast decoding of a stored sample's parts, from bytes to arrays.

`pictures.read_image` handles orientation, profiles and transparency. Most files of a set have none
of these: such JPEG and PNG files are recognised by their headers and decoded by OpenCV, which
gives the same numbers in less time. All others, and those that OpenCV refuses, are decoded by
`pictures`.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Coded, Plane
from cleanplate.depth import depth_to_disparity
from cleanplate.depth.depth_codec import DATASET, Convention, disparities, metres
from cleanplate.depth.depth_files import load_plane
from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import (
    check_matte_range,
    pixel_limit,
    read_alpha,
    read_grey,
    read_image,
    to_float,
)

_PNG = b"\x89PNG\r\n\x1a\n"
_GREY, _COLOUR = 0, 2
"""PNG's colour types that are neither indexed nor transparent."""
_IGNORED_CHUNKS = (b"sRGB", b"pHYs", b"tEXt", b"tIME")
"""Chunks before a PNG's pixels that do not change how pixels are decoded."""
_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
"""JPEG's start-of-frame markers with Huffman coding: baseline, extended, progressive."""
_CHANGES = frozenset({0xE1, 0xE2, 0xEE})
"""JPEG's application markers that may change orientation or colours: EXIF, ICC, Adobe."""


@contextmanager
def name_in_errors(source: Path | str) -> Iterator[None]:
    """Add the name of the source to errors that are raised in the block."""
    try:
        yield
    except CleanplateError as error:
        raise CleanplateError(error.what, file=source, cure=error.cure) from error


def decode_picture(data: bytes) -> Coded:
    """Decode a picture as (H, W, 3) RGB, sRGB-coded, uint8 or uint16.

    Raises:
        CleanplateError: as `pictures.read_image`.
    """
    if _channels(data):
        deep = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), deep)
        if bgr is not None:
            rgb: npt.NDArray[Any] = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB, dst=bgr))
            return rgb
    return read_image(io.BytesIO(data))


def decode_plane(data: bytes) -> Plane:
    """Decode alpha or shadow as (H, W) float32 in [0, 1].

    Raises:
        CleanplateError: as `pictures.read_alpha`.
    """
    grey = _grey(data)
    if grey is None:
        return read_alpha(io.BytesIO(data))
    check_matte_range(grey)
    return to_float(grey)


def decode_grey_depth(data: bytes) -> Plane:
    """Decode grey depth as (H, W) float32 in [0, 1], whatever its range.

    Raises:
        CleanplateError: as `pictures.read_grey`.
    """
    grey = _grey(data)
    return read_grey(io.BytesIO(data)) if grey is None else to_float(grey)


def decode_disparity(data: bytes, *, npy: bool = False, convention: Convention = DATASET) -> Plane:
    """Decode depth as disparity in 1/m, (H, W) float32, NaN where unknown, 0 at infinity.

    Args:
        data: a 16-bit PNG in millimetres.
        npy: `data` is an NPY file instead: floats in metres, integers in millimetres.
        convention: meaning of the first and the last code of integers.

    Raises:
        CleanplateError: if it is no depth map.
    """
    if npy:
        return depth_to_disparity(metres(load_plane(io.BytesIO(data)), convention))
    grey = _grey(data)
    if grey is None:
        grey = read_image(io.BytesIO(data))[..., 0]
    if grey.dtype != np.uint16:
        raise CleanplateError("an 8-bit picture is no depth", cure="Give a 16-bit PNG or NPY file.")
    return disparities(convention).take(grey)


def _grey(data: bytes) -> npt.NDArray[Any] | None:
    """Decode a grey PNG or JPEG without conversion; None if it needs `pictures`."""
    if _channels(data) != 1:
        return None
    grey = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return None if grey is None else np.asarray(grey)


def _channels(data: bytes) -> int:
    """Count the channels, 1 or 3, of a whole and plain PNG or JPEG; 0 for anything else.

    By hand, because Pillow's `open` takes ten times as long and does not tell unknown chunks.
    """
    if data.startswith(_PNG):
        return _png_channels(data)
    if data.startswith(b"\xff\xd8") and data.endswith(b"\xff\xd9"):
        return _jpeg_channels(data)
    return 0


def _png_channels(data: bytes) -> int:
    """See `_channels`. Chunks are (length, name, body, CRC), the first one is IHDR."""
    if len(data) < 45 or data[-8:-4] != b"IEND":
        return 0
    size = int.from_bytes(data[16:20], "big") * int.from_bytes(data[20:24], "big")
    if size > pixel_limit() or data[24] not in (8, 16) or data[25] not in (_GREY, _COLOUR):
        return 0
    place = 33
    while (name := data[place + 4 : place + 8]) != b"IDAT":
        if name not in _IGNORED_CHUNKS:
            return 0
        place += 12 + int.from_bytes(data[place : place + 4], "big")
    return 1 if data[25] == _GREY else 3


def _jpeg_channels(data: bytes) -> int:
    """See `_channels`. Markers are 0xFF, a code, and except for the first a length."""
    place, last = 2, len(data) - 12
    while place < last and data[place] == 0xFF:
        code = data[place + 1]
        if code in _FRAMES:
            height, width = data[place + 5 : place + 7], data[place + 7 : place + 9]
            size = int.from_bytes(height, "big") * int.from_bytes(width, "big")
            return data[place + 9] if size <= pixel_limit() and data[place + 9] in (1, 3) else 0
        if code in _CHANGES:
            return 0
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return 0
