"""Which assets train and which validate: by their names alone, so that it stays when more come."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from typing import Literal, TypeVar

from cleanplate.synthesis.assets.catalogue import CutoutFolder, PlateFolder

Part = Literal["all", "training", "validation"]
Folder = TypeVar("Folder", PlateFolder, CutoutFolder)

HELD_OUT = 0.05
"""Share of assets that validate and never train."""
FEWEST = 20
"""With fewer assets in all folders together, none is held out."""

_log = logging.getLogger(__name__)


def part_of(folders: Sequence[Folder], part: Part) -> list[Folder]:
    """Give the folders with those assets alone that belong to `part`; empty ones are left out.

    Assets are known by their files' names without ending. Of fewer than 20 assets all belong to
    both parts, which validation says in the log.
    """
    if part == "all" or not folders:
        return list(folders)
    held = held_out([file.stem for folder in folders for file in folder.files])
    if held is None:
        if part == "validation":
            kind = type(folders[0]).__name__.removesuffix("Folder").lower()
            _log.warning(
                "training and validation share the %d %ss: from %d on, one in twenty is held out",
                *(sum(len(folder) for folder in folders), kind, FEWEST),
            )
        return list(folders)
    divided = (
        type(folder)(
            [file for file in folder.files if (file.stem in held) == (part == "validation")],
            folder.memory,
            folder.cache,
        )
        for folder in folders
    )
    return [folder for folder in divided if len(folder)]


def held_out(names: Sequence[str]) -> frozenset[str] | None:
    """Give the names that validate; None if the assets are too few.

    A name validates if its digest lies in the lowest twentieth of all digests; if none does, the
    one with the lowest digest validates.
    """
    if len(names) < FEWEST or len(set(names)) < 2:
        return None
    return frozenset(name for name in names if _place(name) < HELD_OUT) or frozenset(
        [min(names, key=_place)]
    )


def _place(name: str) -> float:
    """Where a name lies in [0, 1), evenly spread."""
    digest = hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8)
    return int.from_bytes(digest.digest(), "big") / 2**64
