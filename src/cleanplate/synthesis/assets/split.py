"""Which assets train and which validate: by their names alone, so that it stays when more come."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from typing import Literal, TypeVar

from cleanplate.synthesis.assets.catalogue import CutoutFolder, PlateFolder

Subset = Literal["all", "training", "validation"]
Folder = TypeVar("Folder", PlateFolder, CutoutFolder)

HELD_OUT_SHARE = 0.05
"""Share of assets that validate and never train."""
MIN_ASSETS = 20
"""With fewer assets in all folders together, none is held out."""

_log = logging.getLogger(__name__)


def subset_of(folders: Sequence[Folder], subset: Subset) -> list[Folder]:
    """Give the folders with those assets alone that belong to `subset`; empty ones are left out.

    Assets are known by their files' names without ending. Of fewer than 20 assets all belong to
    both parts, which validation says in the log.
    """
    if subset == "all" or not folders:
        return list(folders)
    held = held_out([file.stem for folder in folders for file in folder.files])
    if held is None:
        if subset == "validation":
            kind = type(folders[0]).__name__.removesuffix("Folder").lower()
            _log.warning(
                "training and validation share the %d %ss: from %d on, one in twenty is held out",
                *(sum(len(folder) for folder in folders), kind, MIN_ASSETS),
            )
        return list(folders)
    split_folders = (
        type(folder)(
            [file for file in folder.files if (file.stem in held) == (subset == "validation")],
            folder.memory,
            folder.cache,
        )
        for folder in folders
    )
    return [folder for folder in split_folders if len(folder)]


def held_out(names: Sequence[str]) -> frozenset[str] | None:
    """Give the names that validate; None if the assets are too few.

    A name validates if its digest lies in the lowest twentieth of all digests; if none does, the
    one with the lowest digest validates.
    """
    if len(names) < MIN_ASSETS or len(set(names)) < 2:
        return None
    return frozenset(name for name in names if _hash_fraction(name) < HELD_OUT_SHARE) or frozenset(
        [min(names, key=_hash_fraction)]
    )


def _hash_fraction(name: str) -> float:
    """Where a name lies in [0, 1), evenly spread."""
    digest = hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8)
    return int.from_bytes(digest.digest(), "big") / 2**64
