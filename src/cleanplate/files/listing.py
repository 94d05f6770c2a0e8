"""Picture file listing: search by file name, folder or glob pattern, in natural sort order."""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from cleanplate.errors import CleanplateError

Item = TypeVar("Item")

PICTURE_SUFFIXES = frozenset(
    {".apng", ".avif", ".avifs", ".bmp", ".dib", ".gif", ".heic", ".heics", ".heif", ".heifs"}
    | {".hif", ".icb", ".j2c", ".j2k", ".jfif", ".jp2", ".jpc", ".jpe", ".jpeg", ".jpf", ".jpg"}
    | {".jpx", ".mpo", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".vda"}
    | {".vst", ".webp"}
)
"""Suffixes of picture files, lower case."""

SIDECAR_SUFFIXES = frozenset({".exr", ".json", ".npy"})
"""Suffixes of sidecar files that this package reads or writes; skipped without a remark."""

_SYSTEM_FILES = frozenset({"desktop.ini", "thumbs.db"})  # hidden on Windows by an attribute


def is_hidden(name: str) -> bool:
    """Return whether a file of this name (without folder) is hidden and skipped in a folder.

    True for names that start with a dot (also macOS's `._x.jpg`) and for Windows' `desktop.ini` and
    `thumbs.db`.
    """
    return name.startswith(".") or name.casefold() in _SYSTEM_FILES


class Found(list[Item]):
    """List of found items, with the files that were skipped.

    Attributes:
        passed_over: files skipped because of their suffix.
        repeated: paths of files that are already in the list under another name.
    """

    def __init__(self, items: Iterable[Item] = ()):
        super().__init__(items)
        self.passed_over: list[Path] = []
        self.repeated: list[Path] = []

    def remarks(self) -> list[str]:
        """Return messages for the user: one on skipped files, one on repeated names, if any."""
        said = []
        if self.passed_over:
            said.append(f"Passed over {_counted(self.passed_over)}.")
        if self.repeated:
            names = ", ".join(map(str, self.repeated[:3]))
            more = f" and {len(self.repeated) - 3} more" if len(self.repeated) > 3 else ""
            said.append(f"Taken once, though named more than once: {names}{more}.")
        return said


def find_pictures(paths: str | Path | Iterable[str | Path]) -> Found[Path]:
    """Find picture files by file names, folders and glob patterns.

    The order of the arguments is kept. No file is listed twice, also not through a link or another
    spelling of its path.

    Args:
        paths: one or several of: a file, taken whatever its suffix; a folder, for the pictures
            directly in it; a pattern (`*`, `?`, `[...]`, `**`), for the pictures that match.
            Folders and patterns select by suffix, without hidden files, in natural order
            (`2.png` before `10.png`). In a pattern, leading parts that exist as folders are taken
            literally, even with brackets in their names.

    Returns:
        the picture files, with the files that were skipped.

    Raises:
        CleanplateError: if an argument does not exist or gives no picture.
    """
    given = [paths] if isinstance(paths, (str, Path)) else list(paths)
    if not given:
        raise CleanplateError("no picture was given", cure="Name a file, a folder or a pattern.")
    found: Found[Path] = Found()
    seen: dict[str, Path] = {}
    passed_over: dict[Path, None] = {}
    for one in given:
        pictures, others = _pictures_of(one)
        passed_over.update(dict.fromkeys(others))
        for path in pictures:
            first = seen.setdefault(os.path.normcase(os.path.realpath(path)), path)
            (found if first is path else found.repeated).append(path)
    found.passed_over = list(passed_over)
    return found


def natural_key(path: str | Path) -> tuple[object, ...]:
    """Return a sort key for natural order: digits compare as numbers, case is ignored.

    Unequal names have unequal keys.
    """
    name = str(path)
    parts = re.split(r"([0-9]+)", name.casefold())
    return (tuple((int(p), "") if i % 2 else (-1, p) for i, p in enumerate(parts)), name)


def _pictures_of(given: str | Path) -> tuple[list[Path], list[Path]]:
    """Return the pictures that an argument selects, and the files that it skips."""
    path = Path(given)
    try:
        # Checked before patterns, because a file name may contain brackets.
        if path.is_dir():
            pictures, others = _sorted_out(path.iterdir())
            return _some(pictures, others, given, "has no picture in it"), others
        if path.exists():
            return [path], []
    except OSError as error:
        raise CleanplateError(
            f"cannot be looked into ({error.strerror})", file=given, cure="Check the path."
        ) from error
    if glob.has_magic(str(given)):
        pictures, others = _sorted_out(_matches(str(given)))
        return _some(pictures, others, given, "no picture matches this pattern"), others
    raise CleanplateError("does not exist", file=given, cure="Check the spelling of the path.")


def _matches(pattern: str) -> list[Path]:
    """Return the matches of a pattern; leading parts that exist as folders are taken literally."""
    parts = Path(pattern).parts
    start = 0
    while start < len(parts) - 1 and os.path.isdir(os.path.join(*parts[: start + 1])):
        start += 1
    rest = os.path.join(*parts[start:])
    folder = glob.escape(os.path.join(*parts[:start])) if start else ""
    found = glob.glob(os.path.join(folder, rest), recursive=True)
    if not found:  # later brackets may be literal as well
        found = glob.glob(os.path.join(folder, rest.replace("[", "[[]")), recursive=True)
    return [Path(one) for one in found]


def _sorted_out(candidates: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """Split files that are not hidden into pictures and others, both in natural order."""
    pictures: list[Path] = []
    others: list[Path] = []
    for path in candidates:
        suffix = path.suffix.lower()
        if is_hidden(path.name) or suffix in SIDECAR_SUFFIXES or not path.is_file():
            continue
        (pictures if suffix in PICTURE_SUFFIXES else others).append(path)
    return sorted(pictures, key=natural_key), sorted(others, key=natural_key)


def _some(
    pictures: list[Path], others: list[Path], given: str | Path, complaint: str
) -> list[Path]:
    if pictures:
        return pictures
    endings = " ".join(sorted(s[1:] for s in PICTURE_SUFFIXES))
    looked = f"Looked for files that end in one of: {endings}."
    if others:
        looked = f"Passed over {_counted(others)}. {looked}"
    if glob.has_magic(str(given)):
        looked += " In a pattern, [ab] is one of a and b, and [[] a bracket."
    raise CleanplateError(complaint, file=given, cure=looked)


def _counted(files: list[Path]) -> str:
    """Count files by ending: `3 files that are no pictures by their endings (.mp4: 2, .cr2: 1)`."""
    counts = Counter(path.suffix.lower() or "no ending" for path in files)
    told = ", ".join(f"{ending}: {count}" for ending, count in counts.most_common(6))
    more = ", ..." if len(counts) > 6 else ""
    if len(files) == 1:
        return f"1 file that is no picture by its ending ({told})"
    return f"{len(files)} files that are no pictures by their endings ({told}{more})"
