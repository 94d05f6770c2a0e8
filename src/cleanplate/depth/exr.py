"""OpenEXR files: reading a depth channel or all channels, and writing depth."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Plane
from cleanplate.errors import CleanplateError
from cleanplate.files.atomic import opened, replacing
from cleanplate.formats.decoding import pixel_limit

_MAGIC = b"\x76\x2f\x31\x01"
_PRINTING = threading.Lock()
"""Held while `sys.stdout` is replaced."""
_CALLED = ("z", "depth", "zdepth")
"""Names of depth channels, lower case."""
_EMPTIER = 1000
"""Maximum ratio of display area to data area; a larger one is a sign of a damaged header."""
_NOTHING = 1e9
"""Depth in metres that means nothing hit: Blender writes 1e10 there."""


class Box(NamedTuple):
    """Data or display window in pixels; right and bottom are exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @classmethod
    def inclusive(cls, left: int, top: int, right: int, bottom: int) -> Box:
        """Create a box from inclusive bounds, as in an EXR header."""
        return cls(left, top, right + 1, bottom + 1)

    @property
    def width(self) -> int:
        """Width in pixels."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Height in pixels."""
        return self.bottom - self.top

    def rows(self, top: int, bottom: int) -> slice:
        """Return the slice of rows `top` to `bottom` (exclusive) in an array of this window."""
        return slice(top - self.top, bottom - self.top)

    def columns(self, left: int, right: int) -> slice:
        """Return the slice of columns `left` to `right` (exclusive) in an array of this window."""
        return slice(left - self.left, right - self.left)


def read(path: str | Path) -> npt.NDArray[Any]:
    """Read the depth channel of an EXR file as (H, W), in its stored dtype.

    The depth channel is the first of these that exists: the channel of a layer or part named
    depth; a channel named Z, depth or zdepth that is not part of a vector; the only channel; one
    of several equal channels (depth written as grey). Several candidates must be equal.
    The result covers the display window; pixels outside the data window are NaN (0 in integers).
    Depth of 1e9 m or more becomes +inf.

    Raises:
        CleanplateError: if the file is missing, damaged, too large or deep, or the depth channel
            is ambiguous.
    """
    channels, windows = _read(path)
    name = _depth_channel(channels, path)
    depth = _in_display(channels[name], *windows[name])
    if depth.dtype.kind != "f" or depth.dtype == np.float16:  # float16 overflows to inf before
        return depth
    return np.where(depth >= _NOTHING, depth.dtype.type(np.inf), depth)


def read_channels(path: str | Path) -> dict[str, npt.NDArray[Any]]:
    """Read all channels of an EXR file, of all layers and parts.

    Returns:
        name -> (H, W) of the data window, in the stored dtype. Names are as in the file,
        `LAYER.CHANNEL`; in a multi-part file prefixed by the part's name, unless the channel
        name starts with it.

    Raises:
        CleanplateError: if the file is missing, damaged, too large or deep.
    """
    return _read(path)[0]


def _read(path: str | Path) -> tuple[dict[str, npt.NDArray[Any]], dict[str, tuple[Box, Box]]]:
    """Read all channels, and the data and display window of each."""
    import OpenEXR

    with opened(path) as stream:
        magic = stream.read(4)
    if magic != _MAGIC:
        raise CleanplateError("is not an EXR file", file=path, cure="Save it again.")
    found: dict[str, npt.NDArray[Any]] = {}
    windows: dict[str, tuple[Box, Box]] = {}
    try:
        # The header is read first, to check the size before memory is allocated.
        with _unprinted(), OpenEXR.File(str(path), header_only=True) as file:
            for part in file.parts:
                _check(part.header, path)
        with _unprinted(), OpenEXR.File(str(path), separate_channels=True) as file:
            for part in file.parts:
                for name, channel in part.channels.items():
                    layer = part.name() if len(file.parts) > 1 else ""
                    known = not layer or name.startswith(f"{layer}.")
                    key = name if known else f"{layer}.{name}"
                    windows[key] = _windows(part.header)
                    found[key] = _flat(channel.pixels, windows[key][0], path)
    except (RuntimeError, ValueError, TypeError, KeyError, MemoryError) as error:
        raise _damaged(path) from error
    if not found:
        raise _damaged(path)
    return found, windows


def write(path: str | Path, depth: Plane) -> None:
    """Write depth as a single-channel EXR file (channel Z, float32, ZIP), atomically.

    Args:
        path: file to create or replace.
        depth: (H, W) float32, metres.

    Raises:
        CleanplateError: if the file cannot be written.
    """
    import OpenEXR

    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    file = OpenEXR.File(header, {"Z": np.ascontiguousarray(depth, dtype=np.float32)})
    with replacing(path) as temporary:
        try:
            file.write(str(temporary))
        except RuntimeError as error:  # the library hides the system's error code
            raise CleanplateError(
                f"cannot be written ({error})", file=path, cure="Is the disk full?"
            ) from error


@contextmanager
def _unprinted() -> Iterator[None]:
    """Suppress the library's messages on damaged files; stdout is for results only."""
    with _PRINTING:
        kept = sys.stdout
        sys.stdout = _Others(kept)
        try:
            yield
        finally:
            sys.stdout = kept


class _Others(io.TextIOBase):
    """Text stream that drops the output of the thread that created it, and forwards all other."""

    def __init__(self, stream: TextIO | None):
        self.stream, self.thread = stream, threading.get_ident()

    def write(self, text: str) -> int:
        """Write text, or drop it; returns its length."""
        if self.stream is None or threading.get_ident() == self.thread:
            return len(text)
        return self.stream.write(text)

    def flush(self) -> None:
        """Flush the underlying stream."""
        if self.stream is not None:
            self.stream.flush()


def usable() -> bool:
    """Return whether the OpenEXR library can be imported."""
    try:
        import OpenEXR  # noqa: F401
    except ImportError:
        return False
    return True


def _windows(header: dict[str, Any]) -> tuple[Box, Box]:
    """Return the data window and the display window."""
    data, display = (
        tuple(int(edge) for corner in header[name] for edge in corner)
        for name in ("dataWindow", "displayWindow")
    )
    return Box.inclusive(*data), Box.inclusive(*display)


def _check(header: dict[str, Any], path: str | Path) -> None:
    data, display = _windows(header)
    if display.width * display.height > _EMPTIER * data.width * data.height:
        raise _damaged(path)
    for box in (data, display):
        if box.width <= 0 or box.height <= 0:
            raise _damaged(path)
        if box.width * box.height > (limit := pixel_limit()):
            raise CleanplateError(
                f"is {box.width} x {box.height}, more than the limit of {limit} pixels",
                file=path,
                cure="Save it smaller.",
            )


def _flat(pixels: npt.NDArray[Any] | None, data: Box, path: str | Path) -> npt.NDArray[Any]:
    if pixels is None or pixels.shape != (data.height, data.width):  # deep, or subsampled
        raise CleanplateError(
            "has deep or subsampled channels", file=path, cure="Save it as a flat image."
        )
    return pixels


def _in_display(pixels: npt.NDArray[Any], data: Box, display: Box) -> npt.NDArray[Any]:
    """Copy the data window into the display window; NaN (0 in integers) where there is no data."""
    if data == display:
        return pixels
    empty = np.nan if pixels.dtype.kind == "f" else 0
    whole = np.full((display.height, display.width), empty, pixels.dtype)
    left, top = max(data.left, display.left), max(data.top, display.top)
    right, bottom = min(data.right, display.right), min(data.bottom, display.bottom)
    if left < right and top < bottom:
        whole[display.rows(top, bottom), display.columns(left, right)] = pixels[
            data.rows(top, bottom), data.columns(left, right)
        ]
    return whole


def _damaged(path: str | Path) -> CleanplateError:
    return CleanplateError("is damaged or cut short", file=path, cure="Save it again.")


def _depth_channel(channels: dict[str, npt.NDArray[Any]], path: str | Path) -> str:
    names = {name: name.lower().split(".") for name in channels}
    # Some programs name the only channel of a layer V or Y, whatever its content.
    layered = [name for name, words in names.items() if "depth" in words[:-1]]
    # The Z of a vector (normals, positions) is not depth; it is recognised by an X channel.
    vectors = [words[:-1] for words in names.values() if words[-1] == "x"]
    called = [
        name for name, words in names.items() if words[-1] in _CALLED and words[:-1] not in vectors
    ]
    for candidates in (layered, called, list(channels)):
        arrays = [channels[name] for name in candidates]
        if arrays and all(np.array_equal(arrays[0], other, equal_nan=True) for other in arrays[1:]):
            return candidates[0]
        if arrays:
            break
    raise CleanplateError(
        f"which of its channels is depth is not clear ({', '.join(channels)})",
        file=path,
        cure="Save depth alone, as a channel named Z.",
    )
