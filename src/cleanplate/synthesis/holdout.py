"""Which assets train and which validate: by their names alone, so that it stays when more come."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from typing import Literal, TypeVar

from cleanplate.synthesis.catalogue import CutoutFolder, PlateFolder

Part = Literal["all", "training", "validation"]
Folder = TypeVar("Folder", PlateFolder, CutoutFolder)

HELD_OUT = 0.05
"""Share of assets that validate and never train."""
FEWEST = 20
"""With fewer assets in all folders together, none is held out."""

_log = logging.getLogger(__name__)


def part_of(folders: Sequence[Folder], part: Part) -> list[Folder]:
    """Give the folders with those assets alone that belong to `part`; empty ones are left out.

    An asset validates if the digest of its file's name without ending lies in the lowest
    twentieth of all digests; if none does, the lowest one validates. Of fewer than 20 assets all
    belong to both parts, which validation says in the log.
    """
    if part == "all" or not folders:
        return list(folders)
    names = {file.stem for folder in folders for file in folder.files}
    count = sum(len(folder) for folder in folders)
    if count < FEWEST or len(names) < 2:
        if part == "validation":
            kind = type(folders[0]).__name__.removesuffix("Folder").lower()
            _log.warning(
                "training and validation share the %d %ss: from %d on, one in twenty is held out",
                *(count, kind, FEWEST),
            )
        return list(folders)
    held = {name for name in names if _place(name) < HELD_OUT} or {min(names, key=_place)}
    divided = (
        type(folder)(
            [file for file in folder.files if (file.stem in held) == (part == "validation")],
            folder.memory,
        )
        for folder in folders
    )
    return [folder for folder in divided if len(folder)]


def _place(name: str) -> float:
    """Where a name lies in [0, 1), evenly spread."""
    digest = hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8)
    return int.from_bytes(digest.digest(), "big") / 2**64
