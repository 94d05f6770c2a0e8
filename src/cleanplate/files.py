"""Files: written whole or not at all, and found by name, folder or pattern."""

from __future__ import annotations

import errno
import glob
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from cleanplate.errors import CleanplateError

PICTURE_SUFFIXES = frozenset(
    {".avif", ".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm"}
    | {".tga", ".tif", ".tiff", ".webp"}
)
"""Lower-case endings by which a file in a folder counts as a picture."""

_READ_FAULTS = {
    errno.ENOENT: ("does not exist", "Check the spelling of the path."),
    errno.ENOTDIR: ("does not exist", "Check the spelling of the path."),
    errno.EISDIR: ("is a folder", "Give the name of one file in it."),
    errno.EACCES: ("may not be read", "Check the permissions of the file."),
    errno.EPERM: ("may not be read", "Check the permissions of the file."),
}

_WRITE_FAULTS = {
    errno.ENOSPC: ("the disk is full", "Free some space or write elsewhere."),
    errno.EDQUOT: ("the disk quota is used up", "Free some space or write elsewhere."),
    errno.EACCES: ("may not be written here", "Check the permissions or write elsewhere."),
    errno.EPERM: ("may not be written here", "Check the permissions or write elsewhere."),
    errno.EROFS: ("the disk is read-only", "Write elsewhere."),
    errno.ENOENT: ("its folder does not exist", "Create the folder first."),
    errno.ENOTDIR: ("its folder is not a folder", "Choose another folder."),
    errno.ENAMETOOLONG: ("the name is too long", "Choose a shorter name."),
    errno.EISDIR: ("is a folder", "Give the name of a file."),
    errno.EFBIG: ("is larger than the disk allows", "Write elsewhere."),
}


def opened(path: str | Path) -> BinaryIO:
    """Open a file for reading bytes.

    Raises:
        CleanplateError: if there is no such file or it may not be read.
    """
    try:
        return open(path, "rb")
    except OSError as error:
        what, cure = _READ_FAULTS.get(
            error.errno or 0, (f"cannot be opened ({error.strerror})", "Check the path.")
        )
        raise CleanplateError(what, file=path, cure=cure) from error


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a temporary path; when the block ends well, it takes the place of `path`.

    The temporary file lies in the same folder (a hidden name with the same suffix), so
    the last step is one atomic rename: a reader sees the old file or the whole new one.
    It is synced to the disk before, and removed on any exception, Ctrl-C included.
    A link is followed: what it points at is replaced.

    Raises:
        CleanplateError: if the file cannot be written (disk full, no permission, no such
            folder, a folder or device in its place), naming `path`.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise CleanplateError("is a folder", file=path, cure="Give the name of a file.")
    if target.exists() and not target.is_file():
        raise CleanplateError("is not a plain file", file=path, cure="Choose another name.")
    # The name is kept short: the target's own may be as long as a name can be.
    temporary = target.with_name(f".{target.stem[:40]}-{secrets.token_hex(4)}{target.suffix}")
    try:
        try:
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
            yield temporary
            _sync(temporary)
            os.replace(temporary, target)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        _sync_folder(target.parent)
    except OSError as error:
        if error.errno is None or error.filename not in (None, str(temporary), temporary):
            raise  # not about this file
        raise _write_fault(path, error) from error


@contextmanager
def telling_write_faults(path: str | Path) -> Iterator[None]:
    """Say what the system reports while `path` is written as a person's error.

    Raises:
        CleanplateError: if the block raises an OSError.
    """
    try:
        yield
    except OSError as error:
        raise _write_fault(path, error) from error


def _write_fault(path: str | Path, error: OSError) -> CleanplateError:
    what, cure = _WRITE_FAULTS.get(
        error.errno or 0, (f"cannot be written ({error.strerror})", "Write elsewhere.")
    )
    return CleanplateError(what, file=path, cure=cure)


def _sync(path: Path) -> None:
    # Opened for writing: some systems refuse to sync a read-only handle.
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_folder(path: Path) -> None:
    """Make the rename itself durable, where the system can."""
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def find_pictures(paths: str | Path | Iterable[str | Path]) -> list[Path]:
    """Find picture files from names, folders and patterns.

    A file that is named is taken as it is, whatever its suffix. A folder gives the
    pictures directly in it, a pattern (`*`, `?`, `[...]`, `**`) the pictures that match;
    both by suffix, without hidden files, in natural order (`2.png` before `10.png`).
    The order of the arguments is kept and no file comes twice.

    Raises:
        CleanplateError: if an argument does not exist or brings no picture.
    """
    given = [paths] if isinstance(paths, (str, Path)) else list(paths)
    if not given:
        raise CleanplateError("no picture was given", cure="Name a file, a folder or a pattern.")
    found: dict[Path, None] = {}
    for one in given:
        found.update(dict.fromkeys(_pictures_of(one)))
    return list(found)


def natural_key(path: str | Path) -> tuple[object, ...]:
    """Sort key that reads digits as numbers and ignores case; unequal names stay unequal."""
    name = str(path)
    parts = re.split(r"([0-9]+)", name.casefold())
    return (tuple((int(p), "") if i % 2 else (-1, p) for i, p in enumerate(parts)), name)


def _pictures_of(given: str | Path) -> list[Path]:
    path = Path(given)
    try:
        # Before patterns: a file may have brackets in its name.
        if path.is_dir():
            return _some(path.iterdir(), given, "has no picture in it")
        if path.exists():
            return [path]
    except OSError as error:
        raise CleanplateError(
            f"cannot be looked into ({error.strerror})", file=given, cure="Check the permissions."
        ) from error
    if glob.has_magic(str(given)):
        matches = map(Path, glob.iglob(str(given), recursive=True))
        return _some(matches, given, "no picture matches this")
    raise CleanplateError("does not exist", file=given, cure="Check the spelling of the path.")


def _some(candidates: Iterable[Path], given: str | Path, complaint: str) -> list[Path]:
    pictures = [
        p
        for p in candidates
        if p.suffix.lower() in PICTURE_SUFFIXES and not p.name.startswith(".") and p.is_file()
    ]
    if not pictures:
        endings = " ".join(sorted(s[1:] for s in PICTURE_SUFFIXES))
        raise CleanplateError(complaint, file=given, cure=f"Pictures end in one of: {endings}.")
    return sorted(pictures, key=natural_key)
