"""Selection of frames among named files, folders and patterns."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from cleanplate.errors import CleanplateError
from cleanplate.files.atomic import opened
from cleanplate.files.listing import find_pictures
from cleanplate.files.ownership import own_names
from cleanplate.files.picture_text import HEAD, bears_seal

STDIN = Path("-")
"""Stands for one frame on the standard input."""

OUTPUT = "written by Cleanplate"


class Frames(NamedTuple):
    """The frames, and the pictures among those named that are none, each with the reason.

    remarks: other remarks on the search.
    """

    paths: list[Path]
    left_out: dict[Path, str]
    remarks: Sequence[str] = ()

    def summary(self) -> str:
        """Summarise what was left out in one line; empty if nothing was."""
        counts: dict[str, int] = {}
        for reason in self.left_out.values():
            counts[reason] = counts.get(reason, 0) + 1
        outputs = counts.pop(OUTPUT, 0)
        return ", ".join([*counts, *([f"{outputs} {OUTPUT}"] if outputs else [])])


def find_frames(given: Sequence[str], inputs: dict[str, str | None]) -> Frames:
    """Find the frames among files, folders and patterns.

    One file that is named alone is the frame whatever it is. Else the other inputs (the plate, its
    depth, ...) and what this package wrote are no frames.

    Args:
        given: what was named; "-" alone is the standard input.
        inputs: role ("the plate") -> file, of pictures that are given for something else.

    Raises:
        CleanplateError: something does not exist, or no frame is left.
    """
    if "-" in given:
        if len(given) > 1:
            raise CleanplateError(
                "- is one frame on the standard input, and stands alone",
                cure="Name either - or files.",
            )
        return Frames([STDIN], {})
    found = find_pictures(given)
    if len(given) == 1 and found == [Path(given[0])]:
        return Frames(list(found), {})
    left_out: dict[Path, str] = {}
    for role, other in inputs.items():
        for path in found:
            if other is not None and _same(path, other):
                left_out.setdefault(path, role)
    for path in _outputs(path for path in found if path not in left_out):
        left_out[path] = OUTPUT
    paths = [path for path in found if path not in left_out]
    if not paths:
        summary = Frames([], left_out).summary()
        raise CleanplateError(
            f"no frame is left: {summary}",
            file=given[0] if len(given) == 1 else None,
            cure="Name one file alone to take it as a frame all the same.",
        )
    return Frames(paths, left_out, found.remarks())


def _outputs(paths: Iterable[Path]) -> list[Path]:
    recorded: dict[Path, set[str]] = {}
    found = []
    for path in paths:
        if path.parent not in recorded:
            recorded[path.parent] = own_names(path.parent)
        if path.name in recorded[path.parent] or _sealed(path):
            found.append(path)
    return found


def _sealed(path: Path) -> bool:
    try:
        with opened(path) as stream:
            return bears_seal(stream.read(HEAD))
    except (CleanplateError, OSError):
        return False  # the error comes where it is read


def _same(path: Path, other: str) -> bool:
    try:
        return os.path.samefile(path, other)
    except OSError:
        return False
