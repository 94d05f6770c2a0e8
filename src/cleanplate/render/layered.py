"""Layers of an OpenEXR file as Blender writes them, uncompressed: names to arrays."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from cleanplate.arrays import Plane

_TYPES: dict[int, np.dtype[np.generic]] = {
    0: np.dtype("<u4"),
    1: np.dtype("<f2"),
    2: np.dtype("<f4"),
}


def read(path: str | Path) -> dict[str, Plane]:
    """Read every channel of an uncompressed single-part scan-line EXR as (H, W) float32.

    OpenCV reads no named layers, and the library of the extra `exr` does not come with
    `[render]`; uncompressed, the format is a header and rows of floats. See "OpenEXR File
    Layout", openexr.com.

    Raises:
        ValueError: if the file is of another kind or cut short.
    """
    data = Path(path).read_bytes()
    if data[:4] != b"\x76\x2f\x31\x01":
        raise ValueError(f"{path} is not an EXR file")
    if struct.unpack_from("<I", data, 4)[0] & 0x1A00:  # tiled, deep or of several parts
        raise ValueError(f"{path} is no plain scan-line EXR")
    header, at = _header(data)
    if header["compression"] != b"\0":
        raise ValueError(f"{path} is compressed")
    left, top, right, bottom = struct.unpack("<4i", header["dataWindow"])
    width, height = right - left + 1, bottom - top + 1
    fields, place = {}, 0
    for name, kind in _channels(header["channels"]):
        fields[name] = (kind, place)
        place += kind.itemsize * width
    offsets = np.frombuffer(data, "<u8", height, at)
    planes = {name: np.empty((height, width), np.float32) for name in fields}
    for start in offsets:
        row, size = struct.unpack_from("<ii", data, int(start))
        if size != place:
            raise ValueError(f"{path} has a row of {size} bytes where {place} belong")
        for name, (kind, begin) in fields.items():
            planes[name][row - top] = np.frombuffer(data, kind, width, int(start) + 8 + begin)
    return planes


def _header(data: bytes) -> tuple[dict[str, bytes], int]:
    header: dict[str, bytes] = {}
    at = 8
    while data[at]:
        end = data.index(b"\0", at)
        name = data[at:end].decode()
        at = data.index(b"\0", end + 1) + 1
        (size,) = struct.unpack_from("<i", data, at)
        header[name] = data[at + 4 : at + 4 + size]
        at += 4 + size
    return header, at + 1


def _channels(listing: bytes) -> list[tuple[str, np.dtype[np.generic]]]:
    channels = []
    at = 0
    while listing[at]:
        end = listing.index(b"\0", at)
        (kind,) = struct.unpack_from("<i", listing, end + 1)
        channels.append((listing[at:end].decode(), _TYPES[kind]))
        at = end + 17
    return channels
