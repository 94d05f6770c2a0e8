"""Names of each frame's files: its own where that is enough, never two alike."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from cleanplate.errors import CleanplateError


def stems(frames: Sequence[Path]) -> list[str]:
    """Give the stem of each frame's files: unique, also where case does not count, none hidden.

    A frame's own stem where that is enough; else folder names before it (`a/1.png`, `b/1.png`:
    `a_1`, `b_1`; `../1.png`, `1.png`: the same, by the folders' real names), and the suffix
    behind it where files differ in nothing else.

    Raises:
        CleanplateError: if two names are still alike.
    """
    own = [_visible(path.stem) for path in frames]
    # abspath: no `..`; without the root, or the name would be a path from there.
    parts = [Path(os.path.abspath(path)).parent.parts[1:] for path in frames]
    names = list(own)
    for depth in range(1, max((len(p) for p in parts), default=0) + 1):
        alike = _alike(names)
        if not alike:
            return names
        for i in alike:
            names[i] = _visible("_".join([*parts[i][-depth:], own[i]]).replace(":", ""))
    if not _alike(names):
        return names
    # Same folder: a.png and a.jpg. Take the shortest names and distinguish them by suffix.
    names = list(own)
    for i in _alike(names):
        parts_of_name = [*parts[i][-1:], own[i], frames[i].suffix[1:]]
        names[i] = _visible("_".join(part for part in parts_of_name if part))
    alike = _alike(names)
    if alike:
        both = " and ".join(str(frames[i]) for i in alike[:2])
        raise CleanplateError(
            f"the files of {both} would have the same names",
            cure="write them to different folders, in separate runs",
        )
    return names


def _visible(name: str) -> str:
    """Without the dots that would hide a file of this name."""
    return name.lstrip(".") or "frame"


def _alike(names: list[str]) -> list[int]:
    seen: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        seen.setdefault(name.casefold(), []).append(i)
    return sorted(i for group in seen.values() if len(group) > 1 for i in group)
