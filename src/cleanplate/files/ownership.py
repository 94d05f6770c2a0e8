"""Overwrite protection: only files that this package wrote, unchanged since, are replaced.

A file belongs to the package if one of these holds:

- a **record**, a JSON file in the same folder, lists it under "owns" with its size and SHA-256.
  A record names this tool and has a checksum of itself, its seal;
- the file itself has a valid **seal** (JSON, PNG and JPEG).

`docs/predict.md` describes the rule for users.
"""

from __future__ import annotations

import codecs
import errno
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from cleanplate.errors import CleanplateError
from cleanplate.files.atomic import replacing, telling_write_faults
from cleanplate.files.json_files import read_json
from cleanplate.files.picture_text import is_sealed
from cleanplate.version import __version__

TOOL = "cleanplate"
CURE = (
    "Only what Cleanplate wrote, unchanged, is replaced. Choose another folder or name, or use "
    "--overwrite (in Python, overwrite=True)."
)

Owns = Mapping[str, Mapping[str, Any] | None]
"""File name -> `fingerprint` of the file; None while it is being written."""


def fingerprint(path: str | Path) -> dict[str, Any]:
    """Compute size and SHA-256 of a file: {"bytes": int, "sha256": hexadecimal}.

    Raises:
        OSError: if the file cannot be read.
    """
    with open(path, "rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return {"bytes": stream.tell(), "sha256": digest}


def sealed(document: Mapping[str, Any], owns: Owns | None = None) -> dict[str, Any]:
    """Return a JSON document as a record: with "tool", "owns" (if given) and "seal".

    Args:
        document: JSON object.
        owns: fingerprints of the files in the same folder that the record lists.
    """
    content = {"tool": {"name": TOOL, "version": __version__}, **document}
    if owns is not None:
        content["owns"] = dict(owns)
    content.pop("seal", None)
    return {**content, "seal": _checksum(content)}


def read_record(path: str | Path, *, changed: bool = False) -> dict[str, Any] | None:
    """Read a record, a JSON file made by `sealed`.

    Args:
        path: the file.
        changed: accept a record that was changed since (its seal is not checked).

    Returns:
        the document; None if the file cannot be read, is of another tool, or was changed.
    """
    try:
        with open(path, "rb") as stream:
            if not stream.read(64).removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"{"):
                return None  # not a JSON object
        document = read_json(Path(path))
    except (OSError, ValueError):
        return None
    if not isinstance(document, dict):
        return None
    tool = document.get("tool")
    if not isinstance(tool, dict) or tool.get("name") != TOOL:
        return None
    if not changed:
        seal = document.pop("seal", None)
        if seal != _checksum(document):
            return None
    return document


def owned_by(record: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the files that a record lists: name -> fingerprint or None; {} without a record."""
    owns = (record or {}).get("owns")
    return dict(owns) if isinstance(owns, dict) else {}


def own_names(folder: str | Path) -> set[str]:
    """Return the names of all files listed by the records in a folder, changed or not."""
    names: set[str] = set()
    for path in Path(folder).glob("*.json"):
        names.update(owned_by(read_record(path, changed=True)))
    return names


def is_own(path: str | Path, owns: Owns | None = None) -> bool:
    """Return whether a file was written by this package and is unchanged since.

    Args:
        path: the file.
        owns: files listed by a record in the same folder.

    Raises:
        CleanplateError: if the file cannot be read.
    """
    path = Path(path)
    with telling_write_faults(path):
        if not path.is_file():
            return False
        if owns is not None and path.name in owns:
            known = owns[path.name]
            # None: the run that wrote it was interrupted before it recorded the fingerprint.
            if known is None:
                return True
            if known.get("bytes") == path.stat().st_size and dict(known) == fingerprint(path):
                return True
        if path.suffix.lower() in (".png", ".jpg", ".jpeg"):
            return is_sealed(path.read_bytes())
        return read_record(path) is not None


def check_replaceable(
    paths: Iterable[str | Path], owns: Owns | None = None, *, overwrite: bool = False
) -> None:
    """Check, before any work, that no path is an existing file not written by this package.

    Args:
        paths: files to be written.
        owns: files listed by a record in the same folder.
        overwrite: allow any existing file.

    Raises:
        CleanplateError: if an existing file is not the package's own or was changed, or a path
            is not possible (name too long).
    """
    for path in map(Path, paths):
        if _standing(path) is not None and not overwrite and not is_own(path, owns):
            raise _foreign(path)


def check_target(
    path: str | Path, suffixes: Iterable[str] | None = None, *, overwrite: bool = False
) -> None:
    """Check, before any work, that an output file can be written.

    Args:
        path: the file; its folder must exist.
        suffixes: allowed suffixes, lower case; None = any.
        overwrite: allow to replace a file not written by this package.

    Raises:
        CleanplateError: if the suffix is not allowed, the path is a folder, its folder does not
            exist or is not writable, or an existing file is not the package's own.
    """
    path = Path(path)
    allowed = None if suffixes is None else tuple(suffixes)
    if allowed is not None and path.suffix.lower() not in allowed:
        raise CleanplateError(
            f"cannot be written as {path.suffix!r}", file=path, cure=f"Use {', '.join(allowed)}."
        )
    with telling_write_faults(path):
        if path.is_dir():
            raise CleanplateError("is a folder", file=path, cure="Give the name of a file.")
    check_replaceable([path], overwrite=overwrite)
    if not path.parent.is_dir():
        raise CleanplateError(
            "its folder does not exist", file=path, cure="Create the folder first."
        )
    _check_access(path.parent)


def check_folder(folder: str | Path) -> None:
    """Check, before any work, that an output folder exists or can be created, and is writable.

    Raises:
        CleanplateError: if the path or a parent is a file, or the permissions do not suffice.
    """
    folder = Path(folder)
    with telling_write_faults(folder):
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise CleanplateError("is not a folder", file=there, cure="Choose another folder.")
    _check_access(there)


def _check_access(folder: Path) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise CleanplateError(
            "may not be written here",
            file=folder,
            cure="Check the permissions or write elsewhere.",
        )


@contextmanager
def replacing_own(
    path: str | Path, owns: Owns | None = None, *, overwrite: bool = False
) -> Iterator[Path]:
    """Yield a temporary path as `atomic.replacing`, but replace only the package's own files.

    A file that is created or changed at `path` while the block runs is not replaced either.

    Args:
        path: file to create or replace.
        owns: files listed by a record in the same folder.
        overwrite: replace any file.

    Raises:
        CleanplateError: if the existing file is not the package's own (see `is_own`), or the
            file cannot be written.
    """
    target = Path(path)
    standing = _standing(target)
    if standing is not None and not overwrite and not is_own(target, owns):
        raise _foreign(target)
    publish = os.replace if overwrite else partial(_publish, target, standing)
    temporary = None
    try:
        with replacing(target, publish=publish) as temporary:
            yield temporary
    except CleanplateError as error:
        if temporary is None or error.file != temporary:
            raise
        # The block knows only the temporary path, so its error names that.
        raise CleanplateError(error.what, file=path, cure=error.cure) from error


def write_sealed(
    path: str | Path,
    document: Mapping[str, Any],
    owns: Owns | None = None,
    *,
    overwrite: bool = False,
    indent: int = 2,
) -> None:
    """Write a JSON document as a record; see `sealed` and `replacing_own`.

    Args:
        path: file to create or replace.
        document: JSON object.
        owns: fingerprints of the files in the same folder that the record lists.
        overwrite: replace any file.
        indent: spaces per level.

    Raises:
        CleanplateError: as `replacing_own`.
    """
    content = sealed(document, owns)
    text = json.dumps(content, indent=indent, ensure_ascii=False) + "\n"
    with replacing_own(path, overwrite=overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def _checksum(document: Mapping[str, Any]) -> str:
    # Converted to JSON and back, so that the checksum equals that of the document read later.
    plain = json.loads(json.dumps(document))
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _standing(path: Path) -> os.stat_result | None:
    """Return the status of `path`, links followed; None if it does not exist."""
    with telling_write_faults(path):
        try:
            return os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None


def _publish(path: Path, standing: os.stat_result | None, temporary: Path, target: Path) -> None:
    """Rename `temporary` to `target` if `target` is unchanged since it was checked."""
    if standing is None:
        try:
            os.link(temporary, target)  # fails if the target exists by now
        except FileExistsError:
            raise _foreign(path) from None
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            # No hard links (FAT, some network disks): check for existence again, not atomically.
            if os.path.lexists(target):
                raise _foreign(path) from None
            os.replace(temporary, target)
        else:
            os.unlink(temporary)
        return
    now = _standing(target)
    if now is not None and _identity(now) != _identity(standing):
        raise _foreign(path)
    os.replace(temporary, target)


def _identity(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_ino, found.st_size, found.st_mtime_ns


def _foreign(path: Path) -> CleanplateError:
    return CleanplateError(
        "is there already, and Cleanplate did not write it or it was changed since",
        file=path,
        cure=CURE,
    )
