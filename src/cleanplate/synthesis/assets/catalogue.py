"""Folders of plates and cutouts, read when they are needed and kept in memory.

A plate is a picture, optionally with `<stem>_depth.png` (or .npy, .exr, .tif) and
`<stem>.json` beside it; a cutout is a picture with alpha, optionally with `<stem>_depth.png`
and `<stem>.json`; its alpha may also lie beside it, as `<stem>_alpha.png`. Plain photos and plain
RGBA files are therefore catalogues already.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import cv2
import numpy as np

from cleanplate.arrays import Bytes, Coded, Plane
from cleanplate.depth import Intrinsics, depth_to_disparity, read_depth
from cleanplate.depth.depth_codec import EXCHANGE, ZERO_IS_FAR, recorded_convention
from cleanplate.depth.depth_files import of_file, warn_of_doubts
from cleanplate.errors import CleanplateError
from cleanplate.files.listing import find_pictures
from cleanplate.formats.pictures import (
    read_alpha,
    read_image,
    read_rgba,
    resize,
    to_float,
    to_uint8,
)
from cleanplate.matte.fill import fill_outside
from cleanplate.synthesis.assets.cutout import Cutout
from cleanplate.synthesis.assets.plate import Camera, Plate
from cleanplate.synthesis.assets.sidecar import read_sidecar

_DEPTH_SUFFIXES = (".png", ".npy", ".exr", ".tif", ".tiff")
_PART_SUFFIXES = ("_depth", "_alpha")
"""Endings of names that mark a picture as part of another."""
_MAX_BYTES = 1 << 30
"""Bytes that one catalogue keeps in one process; the longest unused goes first."""
_MAX_SIDE = 1280
"""Larger pictures are made smaller on reading: samples are small."""
_DEFAULT_HEIGHT = 1.0
"""Height of a cutout that does not tell its own. Only its ratio to the scene depends on it."""


class _Sized(Protocol):
    @property
    def nbytes(self) -> int: ...


Asset = TypeVar("Asset", bound=_Sized)


class _AssetSource(Protocol):
    def get(self, path: Path, /) -> Any | None: ...


class AssetFolder(ABC, Generic[Asset]):
    """Files in natural order; each is read once while memory lasts.

    `cache` is asked first: what it gives takes no memory of this process.
    """

    def __init__(
        self, files: list[Path], memory: int = _MAX_BYTES, cache: _AssetSource | None = None
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
        """Read one asset; CleanplateError names the file that is at fault."""


class PlateFolder(AssetFolder[Plate]):
    """The plates of a folder.

    Raises:
        CleanplateError: if there is no such folder or it holds no picture.
    """

    @classmethod
    def open(cls, folder: str | Path) -> PlateFolder:
        """List a folder's plates; nothing is read yet."""
        return cls(_list_assets(folder, "plates"))

    def read(self, path: Path) -> Plate:
        """Read a plate with its depth and camera, as far as they are there."""
        metadata = read_sidecar(path.with_suffix(".json"))
        whole = _as_uint8(read_image(path))
        picture, scale = _limit_size(whole)
        intrinsics = _intrinsics(path, metadata)
        disparity = _plate_disparity(path, metadata, whole.shape[:2])
        if disparity is not None and scale < 1:
            disparity = _resize_nearest(disparity, picture.shape[:2])
        camera = None
        if intrinsics and "camera_height" in metadata and "pitch" in metadata:
            camera = Camera(
                intrinsics.scaled(scale, scale),
                _finite_number(path, metadata, "camera_height"),
                _finite_number(path, metadata, "pitch"),
            )
        return Plate(path.stem, picture, disparity, camera)


class CutoutFolder(AssetFolder[Cutout]):
    """The cutouts of a folder.

    Raises:
        CleanplateError: if there is no such folder or it holds no picture.
    """

    def __init__(
        self, files: list[Path], memory: int = _MAX_BYTES, cache: _AssetSource | None = None
    ):
        super().__init__(files, memory, cache)
        self._kinds: dict[str, list[int]] | None = None

    @classmethod
    def open(cls, folder: str | Path) -> CutoutFolder:
        """List a folder's cutouts; nothing is read yet."""
        return cls(_list_assets(folder, "cutouts"))

    @property
    def kinds(self) -> dict[str, list[int]]:
        """Indices by kind and framing, as `person`, `person-half`, ...: from the json files."""
        if self._kinds is None:
            self._kinds = {}
            for index, path in enumerate(self.files):
                metadata = read_sidecar(path.with_suffix(".json"))
                kind = str(metadata.get("kind", "other"))
                if metadata.get("framing") == "half" or any(metadata.get("cut", {}).values()):
                    kind += "-half"
                self._kinds.setdefault(kind, []).append(index)
        return self._kinds

    def read(self, path: Path) -> Cutout:
        """Read a cutout; colour and depth are carried outwards under the clear pixels."""
        return self._read(path, filled=True)

    def read_unfilled(self, path: Path) -> Cutout:
        """Read a cutout to see whether `read` can, in half the time: nothing is carried."""
        return self._read(path, filled=False)

    def _read(self, path: Path, *, filled: bool) -> Cutout:
        metadata = read_sidecar(path.with_suffix(".json"))
        coded, alpha = read_rgba(path)
        beside = path.with_name(f"{path.stem}_alpha.png")
        if beside.exists():
            alpha = read_alpha(beside)
            if alpha.shape != coded.shape[:2]:
                raise CleanplateError("differs in size from its cutout", file=beside)
        if alpha is None:
            raise CleanplateError(
                "has no alpha channel, so it is no cutout",
                file=path,
                cure="Give an RGBA picture that is clear around the subject.",
            )
        if not (alpha > 0.5).any():
            raise CleanplateError("is clear everywhere: there is no subject in it", file=path)
        depth = _cutout_depth(path, alpha, filled=filled)
        colour = _as_uint8(coded)
        if filled:
            colour = np.asarray(fill_outside(colour, alpha > 0.2), np.uint8)
        small, scale = _limit_size(colour, long_side=512)
        if scale < 1:
            alpha, depth = resize(alpha, small.shape[:2]), resize(depth, small.shape[:2])
        rows, columns = (np.flatnonzero((alpha > 0.5).any(axis)) for axis in (1, 0))
        top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
        foot = metadata.get("foot_xy")
        if foot is None:
            at = ((left + right) / 2, float(bottom))
        else:
            at = (float(foot[0]) * scale, float(foot[1]) * scale)
        if "focal_px" in metadata and "distance_m" in metadata:
            density = (
                _finite_number(path, metadata, "focal_px")
                / _finite_number(path, metadata, "distance_m")
                * scale
            )
        else:
            density = float(bottom - top) / float(metadata.get("height_m", _DEFAULT_HEIGHT))
        size = metadata.get("size_m") or [(right - left) / density, 0.2, (bottom - top) / density]
        angle = None
        if "camera_height_m" in metadata and "distance_m" in metadata:
            angle = math.atan2(
                _finite_number(path, metadata, "camera_height_m"),
                _finite_number(path, metadata, "distance_m"),
            )
        cut = frozenset(side for side, there in metadata.get("cut", {}).items() if there)
        return Cutout(
            name=path.stem,
            kind=str(metadata.get("kind", "other")),
            colour=small,
            alpha=to_uint8(alpha),
            depth=depth,
            foot=(float(at[0]), float(at[1])),
            pixels_per_metre=float(density),
            size=(float(size[0]), float(size[1]), float(size[2])),
            view_angle=angle,
            cut=cut,
            half=metadata.get("framing") == "half",
            credit={k: _joined_text(metadata[k]) for k in ("source", "license") if k in metadata},
        )


def without_depth_and_alpha(files: Sequence[Path]) -> list[Path]:
    """Leave out the pictures that are the depth or the alpha of another one among them."""
    there = {file.with_suffix("") for file in files}
    return [
        file
        for file in files
        if not any(
            file.stem.endswith(part) and file.with_name(file.stem.removesuffix(part)) in there
            for part in _PART_SUFFIXES
        )
    ]


def _list_assets(folder: str | Path, asset_type: str) -> list[Path]:
    if not Path(folder).is_dir():
        raise CleanplateError(f"is no folder of {asset_type}", file=folder)
    pictures = without_depth_and_alpha(find_pictures(folder))
    if not pictures:
        raise CleanplateError(f"holds no {asset_type}", file=folder)
    return pictures


def asset_files(path: Path) -> list[Path]:
    """Give all files of the asset whose picture is `path`: itself, alpha, depth and facts."""
    alpha, metadata = path.with_name(f"{path.stem}_alpha.png"), path.with_suffix(".json")
    return [path, *(one for one in (alpha, _depth_file(path), metadata) if one and one.exists())]


def _joined_text(value: Any) -> str:
    """Say a fact in words: of a list its items, one after the other."""
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)


def _finite_number(path: Path, metadata: Mapping[str, Any], key: str) -> float:
    value = metadata.get(key)
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        raise CleanplateError(f"{key} is {value!r}, not a number", file=path.with_suffix(".json"))
    return float(value)


def _intrinsics(path: Path, metadata: Mapping[str, Any]) -> Intrinsics | None:
    if not all(key in metadata for key in ("fx", "fy", "cx", "cy")):
        return None
    return Intrinsics(*(_finite_number(path, metadata, key) for key in ("fx", "fy", "cx", "cy")))


def _as_uint8(coded: Coded) -> Bytes:
    return to_uint8(to_float(coded)) if coded.dtype != np.uint8 else np.asarray(coded, np.uint8)


def _limit_size(picture: Bytes, long_side: int = _MAX_SIDE) -> tuple[Bytes, float]:
    height, width = picture.shape[:2]
    scale = min(1.0, long_side / max(height, width))
    if scale == 1:
        return picture, 1.0
    return resize(picture, (max(1, round(height * scale)), max(1, round(width * scale)))), scale


def _depth_file(path: Path) -> Path | None:
    for suffix in _DEPTH_SUFFIXES:
        candidate = path.with_name(f"{path.stem}_depth{suffix}")
        if candidate.exists():
            return candidate
    return None


def _plate_disparity(
    path: Path, metadata: Mapping[str, Any], size: tuple[int, ...]
) -> Plane | None:
    file = _depth_file(path)
    if file is None:
        return None
    with of_file(path.with_suffix(".json")):
        stated = recorded_convention(metadata)
    # A rendered plate of older versions says so by its camera: there, 0 is nothing hit.
    if stated is None and "fx" in metadata:
        stated = ZERO_IS_FAR
    disparity = depth_to_disparity(read_depth(file, convention=stated or EXCHANGE))
    if disparity.shape != tuple(size):
        raise CleanplateError(
            f"is {disparity.shape[1]} x {disparity.shape[0]}, its plate {size[1]} x {size[0]}",
            file=file,
            cure="A plate's depth has the plate's size.",
        )
    if stated == ZERO_IS_FAR:  # of floats, too, as it always was
        disparity = np.ascontiguousarray(disparity, np.float32)
        cv2.patchNaNs(disparity, 0)
    warn_of_doubts(file, disparity)
    return np.ascontiguousarray(disparity, np.float32)


def _resize_nearest(plane: Plane, size: tuple[int, ...]) -> Plane:
    """Take the nearest pixel: a mean of two depths is a depth where nothing is."""
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(int)
        for new, old in zip(size, plane.shape, strict=True)
    )
    return np.ascontiguousarray(plane[np.ix_(rows, columns)])


def _cutout_depth(path: Path, alpha: Plane, *, filled: bool) -> Plane:
    file = path.with_name(f"{path.stem}_depth.png")
    if not file.exists():
        return np.zeros(alpha.shape, np.float32)
    # Stored as (metres + 5) * 10000, read as millimetres.
    depth = read_depth(file, convention=EXCHANGE) / np.float32(10) - np.float32(5)
    if depth.shape != alpha.shape:
        raise CleanplateError("differs in size from its cutout", file=file)
    if not filled:
        return depth
    known = np.isfinite(depth) & (alpha > 0.9)
    if not known.any():
        known = np.isfinite(depth)
    return np.asarray(np.nan_to_num(fill_outside(depth, known), nan=0.0), np.float32)
