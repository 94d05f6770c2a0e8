"""Files: opened for reading, and written whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from cleanplate.errors import CleanplateError

_READ_FAULTS = {
    errno.ENAMETOOLONG: ("the name is too long", "Check the spelling of the path."),
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
def replacing(
    path: str | Path, *, publish: Callable[[Path, Path], None] = os.replace
) -> Iterator[Path]:
    """Give a temporary path; when the block ends well, it takes the place of `path`.

    The temporary file lies in the same folder (a hidden name with the same suffix), so
    the last step is one atomic rename: a reader sees the old file or the whole new one.
    It is synced to the disk before, and removed on any exception, Ctrl-C included.
    A link is followed: what it points at is replaced. `publish(temporary, target)` is that
    last step; `cleanplate.files.ownership` has one that replaces only the package's own files.

    Raises:
        CleanplateError: if the file cannot be written (disk full, no permission, no such
            folder, a folder or device in its place), naming `path`.
    """
    target = Path(os.path.realpath(path))
    with telling_write_faults(path):
        try:
            mode = target.stat().st_mode
        except FileNotFoundError:
            pass
        else:
            if stat.S_ISDIR(mode):
                raise CleanplateError("is a folder", file=path, cure="Give the name of a file.")
            if not stat.S_ISREG(mode):
                raise CleanplateError("is not a plain file", file=path, cure="Choose another name.")
    temporary = _temporary(target)
    try:
        try:
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
            yield temporary
            _sync(temporary)
            publish(temporary, target)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        _sync_folder(target.parent)
    except OSError as error:
        if error.errno is None or error.filename not in (None, str(temporary), temporary):
            raise  # not about this file
        raise _write_fault(path, error) from error


def _temporary(target: Path) -> Path:
    """Give a hidden name beside `target`, short: its own may be as long as a name can be."""
    stem, ending = target.stem, target.suffix
    if len(os.fsencode(ending)) > 20:  # not what tells a file's kind
        stem, ending = target.name, ""
    start = os.fsencode(stem)[:40].decode("utf-8", "ignore")
    return target.with_name(f".{start}-{secrets.token_hex(4)}{ending}")


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
