"""Disk cache of decoded plates and cutouts, mapped into memory and shared by all processes.

Decoding an asset from PNG and JPEG takes as long as composing several samples of it. Here the
assets of one folder are decoded once, with a cutout's pyramid levels and a plate's standing
points, into one file. Samples are the same bytes with and without the cache.

An entry is valid while the asset's files keep their sizes and modification times; changed and new
assets alone are decoded again. Assets that cannot be read have an empty entry: the reader of the
folder reports the error.
"""

from __future__ import annotations

import hashlib
import inspect
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeGuard, TypeVar

import cv2
import numpy as np

from cleanplate.depth import Intrinsics, conversion, depth_codec, depth_files
from cleanplate.errors import CleanplateError
from cleanplate.files.array_file import Array, ArrayFile, Item, write_arrays
from cleanplate.files.lock import held_alone
from cleanplate.formats import decoding, pictures
from cleanplate.matte import fill
from cleanplate.synthesis.assets import asset_folder, catalogue
from cleanplate.synthesis.assets import cutout as cutout_module
from cleanplate.synthesis.assets import plate as plate_module
from cleanplate.synthesis.assets.asset_folder import asset_files
from cleanplate.synthesis.assets.catalogue import CutoutFolder, PlateFolder
from cleanplate.synthesis.assets.cutout import BORDER, Cutout, Footprint, PyramidLevel
from cleanplate.synthesis.assets.plate import Camera, Plate, StandingPoints

MAX_BYTES = 4 << 30
"""Bytes of one folder's decoded assets; those beyond it are decoded in each process."""
_CACHE_SIZE_FACTOR = 4
"""All files of a cache folder together hold at most this many times the limit of one."""
_LOCK_TIMEOUT = 3600.0
"""Seconds to wait for another process that fills the cache."""
_SUFFIX = ".assets"
_READERS = (
    asset_folder,
    catalogue,
    conversion,
    cutout_module,
    decoding,
    depth_codec,
    depth_files,
    fill,
    pictures,
    plate_module,
)
"""Modules whose source decides what an asset decodes to."""
_log = logging.getLogger(__name__)

Asset = TypeVar("Asset", Plate, Cutout)
Folder = TypeVar("Folder", PlateFolder, CutoutFolder)


class AssetCache(Generic[Asset]):
    """The decoded assets of one folder, for `PlateFolder` and `CutoutFolder`.

    Pickles as its path; the other process maps the file itself.
    """

    def __init__(self, file: Path):
        self.file = file
        self._arrays = ArrayFile.open(file)

    def __getstate__(self) -> dict[str, Any]:
        return {"file": self.file}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def get(self, path: Path) -> Asset | None:
        """Give the asset whose picture is `path`; None if it has no valid entry."""
        arrays = self._arrays
        if not _is_current(arrays, path):
            return None
        item = arrays.item(path.name)
        whole: Any = None  # an empty entry: unreadable, or beyond the limit
        if item.arrays:
            whole = _plate_from(item) if item.facts["noun"] == "plate" else _cutout_from(item)
        return whole  # type: ignore[no-any-return]


def with_cache(folder: Folder, cache: Path, limit: int = MAX_BYTES) -> Folder:
    """Let a folder read its assets from a cache file, which is updated first.

    If the cache cannot be used, the folder is returned without it and a warning is logged. Only
    one process at a time writes a cache; the others wait for it.

    Args:
        folder: of one directory, as `open` gives it.
        cache: folder of the cache; created if missing.
        limit: bytes that the folder's assets may take.
    """
    place = folder.files[0].parent.resolve() if folder.files else Path()
    asset_type = "plates" if isinstance(folder, PlateFolder) else "cutouts"
    digest = hashlib.sha256(f"{asset_type} {place}".encode("utf-8", "surrogateescape")).hexdigest()
    file = cache / f"{place.name[:40]}-{asset_type}-{digest[:16]}{_SUFFIX}"

    def is_complete() -> bool:
        arrays = ArrayFile.open(file)
        return arrays is not None and all(_is_current(arrays, path) for path in folder.files)

    def write() -> None:
        _log.info("decoding %d %s of %s once", len(folder), asset_type, place)
        write_arrays(file, decoder_version(), _items(folder, ArrayFile.open(file), limit))

    try:
        update_cache_file(cache, file, is_complete, write, limit)
    except (OSError, CleanplateError) as error:
        _log.warning("assets are decoded in every process, without a cache: %s", error)
        return folder
    folder.cache = AssetCache(file)
    return folder


@cache
def decoder_version(*readers: ModuleType) -> str:
    """Give a text that changes whenever files may decode differently: versions and source digest.

    Args:
        readers: further modules that decide the decoding, besides those of plates and cutouts.
    """
    text = hashlib.sha256()
    for module in _READERS:
        text.update(_source(module))
    for module in readers:
        text.update(_source(module))
    versions = f"cleanplate {version('cleanplate')} opencv {cv2.__version__} numpy {np.__version__}"
    return f"{versions} {text.hexdigest()}"


def _source(module: ModuleType) -> bytes:
    try:
        return inspect.getsource(module).encode()
    except OSError:  # installed without source: the version has to do
        return b""


def update_cache_file(
    cache: Path, file: Path, is_complete: Callable[[], bool], write: Callable[[], None], limit: int
) -> None:
    """Call `write` if the cache file is not complete, under the lock of the cache folder.

    Raises:
        CleanplateError, OSError: if the cache cannot be used.
    """
    cache.mkdir(parents=True, exist_ok=True)
    if not is_complete():
        with held_alone(cache, _LOCK_TIMEOUT):
            if not is_complete():  # another process may have written it meanwhile
                write()
                _evict(cache, file, _CACHE_SIZE_FACTOR * limit)
    os.utime(file)  # marks it as recently used


def default_cache() -> Path:
    """Give the folder for decoded assets below the system's cache folder."""
    home = Path.home()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return base / "cleanplate" / "assets"


def _file_stamps(path: Path) -> list[list[Any]]:
    """Give name, size and modification time of each file of an asset."""
    stamps = []
    for file in asset_files(path):
        state = file.stat()
        stamps.append([file.name, state.st_size, state.st_mtime_ns])
    return stamps


def _is_current(arrays: ArrayFile | None, path: Path) -> TypeGuard[ArrayFile]:
    if arrays is None or arrays.made_by != decoder_version() or path.name not in arrays:
        return False
    try:
        return bool(arrays.stamp(path.name) == _file_stamps(path))
    except OSError:
        return False


def _items(
    folder: PlateFolder | CutoutFolder, before: ArrayFile | None, limit: int
) -> Iterator[Item]:
    """Yield all assets, valid ones from the previous file; beyond the limit only their stamps."""
    total = 0
    for path in folder.files:
        try:
            item = before.item(path.name) if _is_current(before, path) else _decode(folder, path)
        except OSError:
            continue  # deleted since the folder was listed
        total += sum(array.nbytes for array in item.arrays)
        yield item if total <= limit else item._replace(arrays=())


def _decode(folder: PlateFolder | CutoutFolder, path: Path) -> Item:
    stamp = _file_stamps(path)
    try:
        return Item(path.name, stamp, *_to_arrays(folder.read(path)))
    except (CleanplateError, ArithmeticError, LookupError, TypeError, ValueError):
        return Item(path.name, stamp, {}, ())  # reported when a sample needs it


def _evict(cache: Path, keep: Path, limit: int) -> None:
    """Delete temporary files of killed processes, then the least recently used, until all fits."""
    others = [one for one in cache.glob(f"*{_SUFFIX}") if one != keep]
    found = [(one.stat(), one) for one in others]
    total = keep.stat().st_size + sum(state.st_size for state, _ in found)
    # Hidden files are temporary ones, and this process holds the lock.
    found.sort(key=lambda pair: (not pair[1].name.startswith("."), pair[0].st_mtime_ns))
    for state, one in found:
        if total <= limit and not one.name.startswith("."):
            return
        with suppress(OSError):  # a mapped file cannot be deleted on Windows
            one.unlink()
            total -= state.st_size


def _to_arrays(asset: Plate | Cutout) -> tuple[dict[str, Any], list[Array]]:
    return _plate_arrays(asset) if isinstance(asset, Plate) else _cutout_arrays(asset)


def _plate_arrays(plate: Plate) -> tuple[dict[str, Any], list[Array]]:
    arrays: list[Array] = [plate.picture]
    if plate.disparity is not None:
        arrays.append(plate.disparity)
    points = plate.points
    camera = plate.camera
    return {
        "noun": "plate",
        "name": plate.name,
        "camera": camera and [*camera.intrinsics, camera.height, camera.pitch],
        "depth": plate.disparity is not None,
        "points": points is not None,
    }, [*arrays, *(points or ())]


def _plate_from(item: Item) -> Plate:
    metadata, arrays = item.facts, list(item.arrays)
    camera = None
    if metadata["camera"]:
        *intrinsics, height, pitch = metadata["camera"]
        camera = Camera(Intrinsics(*intrinsics), height, pitch)
    picture = arrays.pop(0)
    disparity = arrays.pop(0) if metadata["depth"] else None
    plate = Plate(metadata["name"], picture, disparity, camera)
    vars(plate)["points"] = StandingPoints(*arrays) if metadata["points"] else None
    return plate


_SCALAR_FIELDS = ("name", "kind", "foot", "pixels_per_metre", "size", "view_angle", "half")


def _cutout_arrays(cutout: Cutout) -> tuple[dict[str, Any], list[Array]]:
    foot = cutout.footprint
    arrays: list[Array] = [foot.across, foot.cover]
    for level in cutout.levels:
        arrays += level
    return {
        "noun": "cutout",
        **{name: getattr(cutout, name) for name in _SCALAR_FIELDS},
        "cut": sorted(cutout.cut),
        "credit": dict(cutout.credit),
        "ends": [foot.near, foot.far],
    }, arrays


def _cutout_from(item: Item) -> Cutout:
    metadata, (across, cover, *rest) = item.facts, item.arrays
    levels = tuple(PyramidLevel(*pair) for pair in zip(rest[::2], rest[1::2], strict=True))
    inside = slice(BORDER, -BORDER)
    finest = levels[0]
    plain = {name: metadata[name] for name in _SCALAR_FIELDS}
    cutout = Cutout(
        **{**plain, "foot": tuple(plain["foot"]), "size": tuple(plain["size"])},
        colour=finest.rgba[inside, inside, :3],
        alpha=finest.rgba[inside, inside, 3],
        depth=finest.depth[inside, inside],
        cut=frozenset(metadata["cut"]),
        credit=metadata["credit"],
    )
    vars(cutout)["levels"] = levels
    vars(cutout)["footprint"] = Footprint(across, cover, *metadata["ends"])
    return cutout
