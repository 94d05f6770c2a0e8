"""Which files may be replaced: only those that this package wrote and that nobody changed since.

A file is known as the package's own by one of

- a **record**: a JSON file that names this tool, lists files of its folder with size and SHA-256
  under "owns", and carries a checksum of itself, its seal;
- a **seal** in the file: JSON, PNG and JPEG.

`docs/predict.md` says what that means to people. Functions whose names begin with `write_` do not
ask: they are for callers who have settled it.
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
"""Name -> `fingerprint` of the file; None while it is being written."""


def fingerprint(path: str | Path) -> dict[str, Any]:
    """Size and SHA-256 of a file: {"bytes": ..., "sha256": ...}."""
    with open(path, "rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return {"bytes": stream.tell(), "sha256": digest}


def sealed(document: Mapping[str, Any], owns: Owns | None = None) -> dict[str, Any]:
    """Make a record of a JSON document: add "tool", "owns" (if given) and its checksum, "seal"."""
    content = {"tool": {"name": TOOL, "version": __version__}, **document}
    if owns is not None:
        content["owns"] = dict(owns)
    content.pop("seal", None)
    return {**content, "seal": _checksum(content)}


def read_record(path: str | Path, *, changed: bool = False) -> dict[str, Any] | None:
    """Read a JSON file that `sealed` made.

    Args:
        path: the file.
        changed: also give one that somebody changed.

    Returns:
        the document; None if there is none, or it is another tool's, or changed.
    """
    try:
        with open(path, "rb") as stream:
            if not stream.read(64).removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"{"):
                return None  # not worth reading on
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
    """Give what a record owns: name -> fingerprint or None; empty without a record."""
    owns = (record or {}).get("owns")
    return dict(owns) if isinstance(owns, dict) else {}


def own_names(folder: str | Path) -> set[str]:
    """Names of all files in a folder that records in it list, changed or not."""
    names: set[str] = set()
    for path in Path(folder).glob("*.json"):
        names.update(owned_by(read_record(path, changed=True)))
    return names


def is_own(path: str | Path, owns: Owns | None = None) -> bool:
    """Whether a file was written by this package and not changed since.

    Args:
        path: the file.
        owns: what a record beside it owns.

    Raises:
        CleanplateError: if it cannot be looked at.
    """
    path = Path(path)
    with telling_write_faults(path):
        if not path.is_file():
            return False
        if owns is not None and path.name in owns:
            known = owns[path.name]
            # None: written by a run that was stopped before it could say what it wrote.
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
    """Refuse, before any work, to write where a file is that is not the package's own.

    Raises:
        CleanplateError: naming the file; or it could not be written (no such folder, name too
            long).
    """
    for path in map(Path, paths):
        if _standing(path) is not None and not overwrite and not is_own(path, owns):
            raise _foreign(path)


def check_target(
    path: str | Path, suffixes: Iterable[str] | None = None, *, overwrite: bool = False
) -> None:
    """Refuse, before any work, a file that could not be written after it.

    Args:
        path: of a single file whose folder must be there.
        suffixes: endings that it may have, lower case; None = any.
        overwrite: whether it may replace what is not ours.

    Raises:
        CleanplateError: its folder is not there or may not be written in, the name is a folder's
            or of no such ending, or what is there is not ours.
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
    """Refuse, before any work, a folder that could not be made or written in.

    Raises:
        CleanplateError: it is a file, lies in one, or may not be written in.
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
    """Give a temporary path as `files.replacing` does, but replace nothing that is not our own.

    What comes to stand at `path` while the block runs is not replaced either.

    Raises:
        CleanplateError: the file is not ours (see `is_own`) or cannot be written.
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
        # A writer inside the block saw the temporary name only.
        raise CleanplateError(error.what, file=path, cure=error.cure) from error


def write_sealed(
    path: str | Path,
    document: Mapping[str, Any],
    owns: Owns | None = None,
    *,
    overwrite: bool = False,
    indent: int = 2,
) -> None:
    """Write a JSON document with its seal; see `sealed` and `replacing_own`."""
    content = sealed(document, owns)
    text = json.dumps(content, indent=indent, ensure_ascii=False) + "\n"
    with replacing_own(path, overwrite=overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def _checksum(document: Mapping[str, Any]) -> str:
    # Through JSON once, so that what is written and what is read back are the same.
    plain = json.loads(json.dumps(document))
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _standing(path: Path) -> os.stat_result | None:
    """Look at what stands at `path` (a link: what it points at); None if nothing does."""
    with telling_write_faults(path):
        try:
            return os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None


def _publish(path: Path, standing: os.stat_result | None, temporary: Path, target: Path) -> None:
    """Rename `temporary` to `target` if there still stands what was checked."""
    if standing is None:
        try:
            os.link(temporary, target)  # refused by the system if there is something by now
        except FileExistsError:
            raise _foreign(path) from None
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            # No hard links here (FAT, some network disks): the next best is to look once more.
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
