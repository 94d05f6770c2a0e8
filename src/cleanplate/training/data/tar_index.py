"""Where the files lie in an uncompressed tar file.

By hand, because `tarfile` makes an object of each of a million members.
"""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cleanplate.errors import CleanplateError

_BLOCK = tarfile.BLOCKSIZE
_HEADERS_AT_ONCE = 4096
"""Headers that are checked together."""
_CURE = "Build or copy it again."
_FILE, _PAX = b"0", b"x"
_RENAMES = (b"path=", b"size=", b"GNU.")
"""Keys in a pax header that change the header that follows; times do not."""
_HEADER = np.dtype(
    {
        "names": ["name", "check", "kind", "magic", "folder"],
        "formats": ["S100", "S8", "S1", "S5", "S1"],
        "offsets": [0, 148, 156, 257, 345],
        "itemsize": _BLOCK,
    }
)
"""Checked fields of a header (POSIX.1-1988, ustar); the size, in octal, is at 124."""


class Members(NamedTuple):
    """Files in a tar file: names, and offsets and sizes of their contents in bytes."""

    names: list[bytes]
    offsets: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]


class _Unusual(Exception):
    """The file has other headers than plain ustar ones."""


def members(file: Path) -> Members:
    """List the files of a tar file in their order.

    Plain ustar headers, as `synth build` and the library `webdataset` write them, are read here,
    several times as fast as by the standard library; files with others are left to `tarfile`.

    Args:
        file: uncompressed.

    Raises:
        CleanplateError: if it cannot be read, is no tar file, or is cut short.
    """
    try:
        with file.open("rb", buffering=0) as raw:
            length = os.fstat(raw.fileno()).st_size
            try:
                found, end = _plain(raw, length)
            except _Unusual:
                found, end = _by_tarfile(file)
            raw.seek(end)
            block = raw.read(_BLOCK)
            if any(block):  # `tarfile` takes a damaged header for the end
                raise CleanplateError(f"the shard is damaged at byte {end}", file=file, cure=_CURE)
            if len(block) < _BLOCK:
                raise CleanplateError("the shard is cut short", file=file, cure=_CURE)
    except (tarfile.TarError, OSError) as error:
        raise CleanplateError(
            f"the shard cannot be read ({error})", file=file, cure=_CURE
        ) from error
    return found


def _plain(raw: io.FileIO, length: int) -> tuple[Members, int]:
    """Read ustar headers, among which pax headers (POSIX.1-2001) with times may stand.

    Returns:
        The files, and the offset of the empty block that should follow them.

    Raises:
        _Unusual: for any other header.
    """
    names: list[bytes] = []
    offsets: list[int] = []
    sizes: list[int] = []
    place, ended = 0, False
    while not ended:
        headers: list[bytes] = []
        first = len(offsets)
        while len(headers) < _HEADERS_AT_ONCE and place + _BLOCK <= length:
            raw.seek(place)
            header = raw.read(_BLOCK)
            if not header[0]:
                ended = True
                if any(header):
                    raise _Unusual
                break
            try:
                size = int(header[124:135].rstrip(b"\0 "), 8)
            except ValueError as error:
                raise _Unusual from error
            place += _BLOCK
            headers.append(header)
            offsets.append(place)
            sizes.append(size)
            place += -(-size // _BLOCK) * _BLOCK
        ended = ended or place + _BLOCK > length
        names += _checked_names(raw, headers, offsets[first:], sizes[first:])
    kept = [number for number, name in enumerate(names) if name]
    where = np.array([offsets, sizes], np.int64)[:, kept]
    return Members([names[number] for number in kept], where[0], where[1]), place


def _checked_names(
    raw: io.FileIO, headers: list[bytes], offsets: list[int], sizes: list[int]
) -> list[bytes]:
    """Return the names in headers, empty for a pax header; raise `_Unusual` if one is not plain."""
    block = b"".join(headers)
    if not block:
        return []
    fields = np.frombuffer(block, _HEADER)
    total = np.frombuffer(block, np.uint8).reshape(-1, _BLOCK).sum(1, dtype=np.int64)
    # The checksum is the sum of all bytes, those of its own field counted as blanks.
    own = np.frombuffer(block, np.uint8).reshape(-1, _BLOCK)[:, 148:156].sum(1, dtype=np.int64)
    try:
        check = np.array([int(text.rstrip(b"\0 "), 8) for text in fields["check"].tolist()])
    except ValueError as error:
        raise _Unusual from error
    pax = fields["kind"] == _PAX
    plain = (fields["kind"] == _FILE) | pax
    plain &= (fields["magic"] == b"ustar") & (fields["folder"] == b"")
    plain &= total - own + 8 * ord(" ") == check
    if not plain.all():
        raise _Unusual
    names: list[bytes] = fields["name"].tolist()
    for number in np.flatnonzero(pax):
        raw.seek(offsets[number])
        content = raw.read(sizes[number])
        if any(word in content for word in _RENAMES):
            raise _Unusual
        names[number] = b""
    return names


def _by_tarfile(file: Path) -> tuple[Members, int]:
    """List any tar file by the standard library; returns as `_plain`."""
    with tarfile.open(file, "r:") as tar:
        found = [(m.name.encode(), m.offset_data, m.size) for m in tar if m.isfile()]
        end = tar.offset
    names, offsets, sizes = zip(*found, strict=True) if found else ((), (), ())
    return Members(list(names), np.array(offsets, np.int64), np.array(sizes, np.int64)), end
