"""A folder of assets: which files belong to an asset, and a bounded memory cache of decoded ones.

An asset is a picture with optional files beside it: `<stem>_depth.png` (or .npy, .exr, .tif),
`<stem>_alpha.png` and `<stem>.json`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from cleanplate.errors import CleanplateError
from cleanplate.files.listing import find_pictures

_DEPTH_SUFFIXES = (".png", ".npy", ".exr", ".tif", ".tiff")


_PART_SUFFIXES = ("_depth", "_alpha")
"""Endings of stems that mark a picture as part of another asset."""


MAX_BYTES = 1 << 30
"""Bytes of decoded assets that a folder keeps in one process, evicted least recently used first."""


class _Sized(Protocol):
    @property
    def nbytes(self) -> int: ...


Asset = TypeVar("Asset", bound=_Sized)


class AssetSource(Protocol):
    """Gives decoded assets by the path of their picture; None where it has none."""

    def get(self, path: Path, /) -> Any | None:
        """Give the asset whose picture is `path`, or None."""
        ...


class AssetFolder(ABC, Generic[Asset]):
    """Assets in natural order of their files; each is decoded once while memory lasts.

    Args:
        files: the pictures.
        memory: bytes of decoded assets to keep.
        cache: asked first; what it gives is mapped and does not count as memory.
    """

    def __init__(
        self, files: list[Path], memory: int = MAX_BYTES, cache: AssetSource | None = None
    ):
        self.files, self.memory, self.cache = files, memory, cache
        self._loaded: OrderedDict[int, Asset] = OrderedDict()
        self._mapped: dict[int, Asset] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Asset:
        if index in self._loaded:
            self._loaded.move_to_end(index)
            return self._loaded[index]
        if index in self._mapped:
            return self._mapped[index]
        if self.cache is not None:
            mapped: Asset | None = self.cache.get(self.files[index])
            if mapped is not None:
                self._mapped[index] = mapped
                return mapped
        asset = self.read(self.files[index])
        self._loaded[index] = asset
        self._bytes += asset.nbytes
        while self._bytes > self.memory and len(self._loaded) > 1:
            self._bytes -= self._loaded.popitem(last=False)[1].nbytes
        return asset

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = {"files": self.files, "memory": self.memory}
        return state if self.cache is None else {**state, "cache": self.cache}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    @abstractmethod
    def read(self, path: Path) -> Asset:
        """Read one asset.

        Raises:
            CleanplateError: naming the file that cannot be used.
        """


def without_depth_and_alpha(files: Sequence[Path]) -> list[Path]:
    """Leave out the pictures that are the depth or the alpha of another one in the list."""
    there = {file.with_suffix("") for file in files}
    return [
        file
        for file in files
        if not any(
            file.stem.endswith(part) and file.with_name(file.stem.removesuffix(part)) in there
            for part in _PART_SUFFIXES
        )
    ]


def list_assets(folder: str | Path, asset_type: str) -> list[Path]:
    """List the pictures of a folder's assets, in natural order.

    Raises:
        CleanplateError: if there is no such folder or it holds no picture.
    """
    if not Path(folder).is_dir():
        raise CleanplateError(f"is no folder of {asset_type}", file=folder)
    pictures = without_depth_and_alpha(find_pictures(folder))
    if not pictures:
        raise CleanplateError(f"holds no {asset_type}", file=folder)
    return pictures


def asset_files(path: Path) -> list[Path]:
    """Give all files of the asset whose picture is `path`: picture, alpha, depth and JSON."""
    alpha, metadata = path.with_name(f"{path.stem}_alpha.png"), path.with_suffix(".json")
    return [path, *(one for one in (alpha, depth_file(path), metadata) if one and one.exists())]


def depth_file(path: Path) -> Path | None:
    """Find the depth file beside an asset's picture; None if there is none."""
    for suffix in _DEPTH_SUFFIXES:
        candidate = path.with_name(f"{path.stem}_depth{suffix}")
        if candidate.exists():
            return candidate
    return None
