"""Atomic file writes by temporary file and rename, and `OSError` turned into user errors."""

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
        CleanplateError: if the file does not exist or cannot be read.
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
    """Yield a temporary path; on success of the block, rename it to `path` atomically.

    The temporary file is in the same folder (a hidden name with the same suffix), so the rename
    is atomic: a reader sees the old file or the complete new one. It is synced to the disk before
    the rename, and removed on any exception, including Ctrl-C. A symbolic link is followed: its
    target is replaced.

    Args:
        path: file to create or replace.
        publish: last step, called as `publish(temporary, target)`; `ownership.replacing_own`
            passes one that replaces only files written by this package.

    Raises:
        CleanplateError: if the file cannot be written (disk full, no permission, no such folder,
            `path` is a folder or device); the error names `path`.
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
            raise  # concerns another file
        raise _write_fault(path, error) from error


def _temporary(target: Path) -> Path:
    """Return a hidden name beside `target`, shortened, as `target` may have the maximum length."""
    stem, ending = target.stem, target.suffix
    if len(os.fsencode(ending)) > 20:  # not a file type
        stem, ending = target.name, ""
    start = os.fsencode(stem)[:40].decode("utf-8", "ignore")
    return target.with_name(f".{start}-{secrets.token_hex(4)}{ending}")


@contextmanager
def telling_write_faults(path: str | Path) -> Iterator[None]:
    """Turn an `OSError` while `path` is written into a user error.

    Args:
        path: file that the error names.

    Raises:
        CleanplateError: if the block raises an `OSError`.
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
    # Opened for writing, because some systems cannot sync a read-only handle.
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_folder(path: Path) -> None:
    """Sync the directory, so that the rename is durable; ignored where unsupported."""
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
