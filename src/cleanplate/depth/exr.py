"""Depth in OpenEXR files, by the OpenEXR library."""

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
"""Held while stdout is another."""
_CALLED = ("z", "depth", "zdepth")
_EMPTIER = 1000
"""A picture with data on a smaller share than 1 / this is a damaged header."""
_NOTHING = 1e9
"""Metres from which on nothing was hit: Blender writes 1e10 there."""


class Box(NamedTuple):
    """A window in pixels of the file's plane; right and bottom are not in it."""

    left: int
    top: int
    right: int
    bottom: int

    @classmethod
    def inclusive(cls, left: int, top: int, right: int, bottom: int) -> Box:
        """Make it of first and last pixels, as the header gives them."""
        return cls(left, top, right + 1, bottom + 1)

    @property
    def width(self) -> int:
        """Pixels from left to right."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Pixels from top to bottom."""
        return self.bottom - self.top

    def rows(self, top: int, bottom: int) -> slice:
        """Give rows of the plane as rows of an array that holds this window."""
        return slice(top - self.top, bottom - self.top)

    def columns(self, left: int, right: int) -> slice:
        """Likewise columns."""
        return slice(left - self.left, right - self.left)


def read(path: str | Path) -> npt.NDArray[Any]:
    """Read the depth channel of an EXR as (H, W), in the type that it is stored in.

    Taken is the channel of a layer or part called depth; else the one called Z, depth or zdepth
    that is no part of a vector; else the only channel, whatever its name; else one of several
    that are all equal (depth written as grey). What lies outside the data window is nan; what
    lies 1e9 m away is inf.

    Raises:
        CleanplateError: if the file is missing, damaged or too large, or which channel is depth
            is not clear.
    """
    channels, windows = _read(path)
    name = _depth_channel(channels, path)
    depth = _in_display(channels[name], *windows[name])
    if depth.dtype.kind != "f" or depth.dtype == np.float16:  # halves end before that, in inf
        return depth
    return np.where(depth >= _NOTHING, depth.dtype.type(np.inf), depth)


def read_channels(path: str | Path) -> dict[str, npt.NDArray[Any]]:
    """Read every channel of an EXR, layers and parts included, each (H, W) as it is stored.

    A channel is named as in the file, `LAYER.CHANNEL`; in a file of several parts the part's name
    goes before it, unless the channel begins with it. What is given is the data window.

    Raises:
        CleanplateError: if the file is missing, damaged, too large or deep.
    """
    return _read(path)[0]


def _read(path: str | Path) -> tuple[dict[str, npt.NDArray[Any]], dict[str, tuple[Box, Box]]]:
    """Read every channel, and the data and display window of each."""
    import OpenEXR

    with opened(path) as stream:
        magic = stream.read(4)
    if magic != _MAGIC:
        raise CleanplateError("is not an EXR file", file=path, cure="Save it again.")
    found: dict[str, npt.NDArray[Any]] = {}
    windows: dict[str, tuple[Box, Box]] = {}
    try:
        # The header first: it says how much memory the pixels would take.
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
    """Write (H, W) float32 as a single-channel EXR, channel Z, whole or not at all.

    Raises:
        CleanplateError: if the file cannot be written.
    """
    import OpenEXR

    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    file = OpenEXR.File(header, {"Z": np.ascontiguousarray(depth, dtype=np.float32)})
    with replacing(path) as temporary:
        try:
            file.write(str(temporary))
        except RuntimeError as error:  # the library does not pass the system's error on
            raise CleanplateError(
                f"cannot be written ({error})", file=path, cure="Is the disk full?"
            ) from error


@contextmanager
def _unprinted() -> Iterator[None]:
    """Keep what the library prints of a damaged file out of stdout, which carries results only."""
    with _PRINTING:
        kept = sys.stdout
        sys.stdout = _Others(kept)
        try:
            yield
        finally:
            sys.stdout = kept


class _Others(io.TextIOBase):
    """Passes on what other threads write, drops what this one does."""

    def __init__(self, stream: TextIO | None):
        self.stream, self.thread = stream, threading.get_ident()

    def write(self, text: str) -> int:
        """Write, or do as if."""
        if self.stream is None or threading.get_ident() == self.thread:
            return len(text)
        return self.stream.write(text)

    def flush(self) -> None:
        """Flush what is behind it."""
        if self.stream is not None:
            self.stream.flush()


def usable() -> bool:
    """Whether the OpenEXR library loads here."""
    try:
        import OpenEXR  # noqa: F401
    except ImportError:
        return False
    return True


def _windows(header: dict[str, Any]) -> tuple[Box, Box]:
    """Give data and display window."""
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
    """Lay the data window into the display window; nan (of integers 0) where it has no data."""
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
    # Some programs call the one channel of a layer V or Y, whatever the layer holds.
    layered = [name for name, words in names.items() if "depth" in words[:-1]]
    # The Z of a vector (normals, positions) is no depth: it has an X beside it.
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
