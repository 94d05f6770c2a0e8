"""Split of assets into training and validation, by the hash of their names.

The hash depends on the name alone, so an asset keeps its side when others are added.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from typing import Literal, TypeVar

from cleanplate.synthesis.assets.catalogue import CutoutFolder, PlateFolder

Subset = Literal["all", "training", "validation"]
Folder = TypeVar("Folder", PlateFolder, CutoutFolder)

HELD_OUT_SHARE = 0.05
"""Share of assets that are used for validation and never for training."""
MIN_ASSETS = 20
"""With fewer assets in all folders together, none is held out."""

_log = logging.getLogger(__name__)


def subset_of(folders: Sequence[Folder], subset: Subset) -> list[Folder]:
    """Give the folders with the assets of `subset` alone; empty folders are left out.

    Assets are identified by their files' stems. With fewer than 20 assets all belong to both
    subsets, and validation logs a warning.
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
    """Give the names that are held out for validation; None if there are too few assets.

    A name is held out if its hash lies in the lowest twentieth of the range; if none does, the one
    with the lowest hash is.
    """
    if len(names) < MIN_ASSETS or len(set(names)) < 2:
        return None
    return frozenset(name for name in names if _hash_fraction(name) < HELD_OUT_SHARE) or frozenset(
        [min(names, key=_hash_fraction)]
    )


def _hash_fraction(name: str) -> float:
    """Map a name to [0, 1) by its hash, uniformly."""
    digest = hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8)
    return int.from_bytes(digest.digest(), "big") / 2**64
