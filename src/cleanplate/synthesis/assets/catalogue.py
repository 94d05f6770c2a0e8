"""Folders of plates and cutouts, decoded when they are first used.

A plate is a picture, optionally with `<stem>_depth.png` (or .npy, .exr, .tif) and `<stem>.json`;
a cutout is a picture with alpha (its own, or `<stem>_alpha.png`), optionally with
`<stem>_depth.png` and `<stem>.json`. Plain photographs and plain RGBA files are valid folders.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from cleanplate.arrays import Bytes, Plane
from cleanplate.depth import Intrinsics, depth_to_disparity, read_depth
from cleanplate.depth.depth_codec import EXCHANGE, ZERO_IS_FAR, recorded_convention
from cleanplate.depth.depth_files import of_file, warn_of_doubts
from cleanplate.depth.foot_depth import decode_foot_depth
from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import (
    as_uint8,
    read_alpha,
    read_image,
    read_rgba,
    resize,
    to_uint8,
)
from cleanplate.matte.fill import fill_outside
from cleanplate.synthesis.assets.asset_folder import (
    MAX_BYTES,
    AssetFolder,
    AssetSource,
    depth_file,
    list_assets,
)
from cleanplate.synthesis.assets.cutout import Cutout
from cleanplate.synthesis.assets.plate import Camera, Plate
from cleanplate.synthesis.assets.sidecar import read_sidecar

_MAX_SIDE = 1280
"""Pixels of the longer side; larger plates are reduced on reading, because samples are small."""
_DEFAULT_HEIGHT = 1.0
"""Metres assumed for a cutout without a stated size; only its ratio to the scene depends on it."""


class PlateFolder(AssetFolder[Plate]):
    """The plates of a folder; `folder[i]` is a `Plate`.

    Raises:
        CleanplateError: if there is no such folder or it holds no picture.
    """

    @classmethod
    def open(cls, folder: str | Path) -> PlateFolder:
        """List a folder's plates without reading them."""
        return cls(list_assets(folder, "plates"))

    def read(self, path: Path) -> Plate:
        """Read a plate with its depth and camera, where they are given.

        Raises:
            CleanplateError: naming the file that cannot be used.
        """
        metadata = read_sidecar(path.with_suffix(".json"))
        whole = as_uint8(read_image(path))
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
    """The cutouts of a folder; `folder[i]` is a `Cutout`.

    Raises:
        CleanplateError: if there is no such folder or it holds no picture.
    """

    def __init__(
        self, files: list[Path], memory: int = MAX_BYTES, cache: AssetSource | None = None
    ):
        super().__init__(files, memory, cache)
        self._kinds: dict[str, list[int]] | None = None

    @classmethod
    def open(cls, folder: str | Path) -> CutoutFolder:
        """List a folder's cutouts without reading them."""
        return cls(list_assets(folder, "cutouts"))

    @property
    def kinds(self) -> dict[str, list[int]]:
        """Indices by kind and framing (`person`, `person-half`, ...), from the JSON files."""
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
        """Read a cutout; colour and depth are extended under the transparent pixels.

        Raises:
            CleanplateError: naming the file that cannot be used.
        """
        return self._read(path, filled=True)

    def read_unfilled(self, path: Path) -> Cutout:
        """Read a cutout to test that it is usable: nothing is extended, in half the time.

        Raises:
            CleanplateError: as `read`.
        """
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
        colour = as_uint8(coded)
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


def _joined_text(value: Any) -> str:
    """Give one text; the items of a list joined by semicolons."""
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


def _limit_size(picture: Bytes, long_side: int = _MAX_SIDE) -> tuple[Bytes, float]:
    height, width = picture.shape[:2]
    scale = min(1.0, long_side / max(height, width))
    if scale == 1:
        return picture, 1.0
    return resize(picture, (max(1, round(height * scale)), max(1, round(width * scale)))), scale


def _plate_disparity(
    path: Path, metadata: Mapping[str, Any], size: tuple[int, ...]
) -> Plane | None:
    file = depth_file(path)
    if file is None:
        return None
    with of_file(path.with_suffix(".json")):
        stated = recorded_convention(metadata)
    # Plates of older renderings state no convention but have a camera: 0 is no surface.
    if stated is None and "fx" in metadata:
        stated = ZERO_IS_FAR
    disparity = depth_to_disparity(read_depth(file, convention=stated or EXCHANGE))
    if disparity.shape != tuple(size):
        raise CleanplateError(
            f"is {disparity.shape[1]} x {disparity.shape[0]}, its plate {size[1]} x {size[0]}",
            file=file,
            cure="A plate's depth has the plate's size.",
        )
    if stated == ZERO_IS_FAR:  # for float files too, as in older versions
        disparity = np.ascontiguousarray(disparity, np.float32)
        cv2.patchNaNs(disparity, 0)
    warn_of_doubts(file, disparity)
    return np.ascontiguousarray(disparity, np.float32)


def _resize_nearest(plane: Plane, size: tuple[int, ...]) -> Plane:
    """Resize by nearest neighbour: the mean of two depths is a depth where there is no surface."""
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(int)
        for new, old in zip(size, plane.shape, strict=True)
    )
    return np.ascontiguousarray(plane[np.ix_(rows, columns)])


def _cutout_depth(path: Path, alpha: Plane, *, filled: bool) -> Plane:
    file = path.with_name(f"{path.stem}_depth.png")
    if not file.exists():
        return np.zeros(alpha.shape, np.float32)
    depth = decode_foot_depth(read_depth(file, convention=EXCHANGE))
    if depth.shape != alpha.shape:
        raise CleanplateError("differs in size from its cutout", file=file)
    if not filled:
        return depth
    known = np.isfinite(depth) & (alpha > 0.9)
    if not known.any():
        known = np.isfinite(depth)
    return np.asarray(np.nan_to_num(fill_outside(depth, known), nan=0.0), np.float32)
