"""The `folders` form of a set: a folder for each kind of picture, one name for a sample's files.

Syncing a million small files one by one is too slow: all files of a chunk are synced at once,
before its manifest is written. Files of a chunk without a manifest are removed first.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from cleanplate.errors import CleanplateError
from cleanplate.files.atomic import telling_write_faults

FOLDERS = ("bg", "fg_bg", "mask", "depth")
_ENDING = ".jpg"


def write_chunk(
    out: Path,
    names: Sequence[str],
    samples: Iterable[tuple[str, Mapping[str, bytes], Mapping[str, Any]]],
) -> dict[str, Any]:
    """Write samples as they come, each a name with one file for each folder, and metadata.

    Consecutive files with the same contents in one folder become hard links, where the file system
    has them. When it returns, all is on the disk; when it raises, nothing of the chunk is.

    Returns:
        `bytes` (of files, each counted under every name) and `samples` with metadata and digests.

    Raises:
        CleanplateError: if a file cannot be written.
    """
    for folder in FOLDERS:
        with telling_write_faults(out / folder):
            (out / folder).mkdir(exist_ok=True)
    remove_chunk(out, names)
    total, written = 0, []
    previous: dict[str, tuple[bytes, Path, str]] = {}
    try:
        for name, files, metadata in samples:
            digests = {}
            for folder, data in files.items():
                file = out / folder / f"{name}{_ENDING}"
                same = previous.get(folder)
                if same and same[0] is data:
                    digests[folder] = same[2]
                    _link(same[1], file, data)
                else:
                    digests[folder] = hashlib.sha256(data).hexdigest()
                    _write(file, data)
                    previous[folder] = (data, file, digests[folder])
                total += len(data)
            written.append({"name": name, **metadata, "sha256": digests})
        with telling_write_faults(out):
            sync_file_system(out)
    except BaseException:
        with suppress(CleanplateError):
            remove_chunk(out, names)
        raise
    return {"bytes": total, "samples": written}


def remove_chunk(out: Path, names: Iterable[str]) -> None:
    """Remove all existing files of these samples.

    Raises:
        CleanplateError: if one cannot be removed.
    """
    for name in names:
        for folder in FOLDERS:
            file = out / folder / f"{name}{_ENDING}"
            with telling_write_faults(file), suppress(FileNotFoundError):
                os.unlink(file)


def _write(file: Path, data: bytes) -> None:
    with telling_write_faults(file), open(file, "wb", buffering=0) as stream:
        remaining = memoryview(data)
        while remaining:  # a disk that fills up writes a part only
            remaining = remaining[stream.write(remaining) :]


def _link(there: Path, file: Path, data: bytes) -> None:
    try:
        os.link(there, file)
    except OSError:  # no hard links on this file system, or too many of this file
        _write(file, data)


def sync_file_system(out: Path) -> None:
    """Flush all written files of the file system of `out` to the disk."""
    if sys.platform == "win32":
        return
    handle = os.open(out, os.O_RDONLY)
    try:
        syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
        if syncfs is None:
            os.sync()
        elif syncfs(handle) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
    finally:
        os.close(handle)
