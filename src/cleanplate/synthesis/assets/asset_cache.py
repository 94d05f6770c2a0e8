"""Decoded plates and cutouts in a file that all workers and runs share.

Reading an asset from PNG and JPEG takes as long as composing several samples from it, and what
is read fills each process's memory anew. Here a folder's assets are decoded once, with a cutout's
levels and a plate's standing points, into one file that is mapped into memory. Samples made from
it are the same to the byte.

An entry holds as long as the asset's files keep their sizes and times of change; of what has
changed or is new only that is decoded again. Faulty assets are left to whoever needs them, who is
then told as without this file.
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
from cleanplate.synthesis.assets import catalogue
from cleanplate.synthesis.assets import cutout as cutout_module
from cleanplate.synthesis.assets import plate as plate_module
from cleanplate.synthesis.assets.catalogue import CutoutFolder, PlateFolder, asset_files
from cleanplate.synthesis.assets.cutout import BORDER, Cutout, Footprint, PyramidLevel
from cleanplate.synthesis.assets.plate import Camera, Plate, StandingPoints

MAX_BYTES = 4 << 30
"""Bytes that one folder's assets may take; those beyond are read as without a cache."""
_CACHE_SIZE_FACTOR = 4
"""All files of a cache together take at most so many times as much."""
_LOCK_TIMEOUT = 3600.0
"""Seconds that another process may take to fill the cache."""
_SUFFIX = ".assets"
_READERS = (
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
"""Modules whose text decides what an asset decodes to."""
_log = logging.getLogger(__name__)

Asset = TypeVar("Asset", Plate, Cutout)
Folder = TypeVar("Folder", PlateFolder, CutoutFolder)


class AssetCache(Generic[Asset]):
    """The decoded assets of one folder, for `PlateFolder` and `CutoutFolder`.

    Pickled it is its path alone; another process maps the file itself.
    """

    def __init__(self, file: Path):
        self.file = file
        self._arrays = ArrayFile.open(file)

    def __getstate__(self) -> dict[str, Any]:
        return {"file": self.file}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def get(self, path: Path) -> Asset | None:
        """Give the asset whose picture is `path`; None if it is not here as it is now."""
        arrays = self._arrays
        if not _is_current(arrays, path):
            return None
        item = arrays.item(path.name)
        whole: Any = None  # looked at, but faulty or one too many
        if item.arrays:
            whole = _plate_from(item) if item.facts["noun"] == "plate" else _cutout_from(item)
        return whole  # type: ignore[no-any-return]


def with_cache(folder: Folder, cache: Path, limit: int = MAX_BYTES) -> Folder:
    """Let a folder's assets come from the cache in `cache`, which takes in what it lacks first.

    A cache that cannot be used is done without, and the log says so. Two processes do not fill
    it at the same time: the second waits and finds the work done.

    Args:
        folder: of one directory, as `open` gives it.
        cache: made if it is not there.
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
        fill(cache, file, is_complete, write, limit)
    except (OSError, CleanplateError) as error:
        _log.warning("assets are decoded in every process, without a cache: %s", error)
        return folder
    folder.cache = AssetCache(file)
    return folder


@cache
def decoder_version(*readers: ModuleType) -> str:
    """Say what decides how files are decoded: versions, and the text of the modules that read.

    `readers` come on top of those of plates and cutouts.
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
    except OSError:  # it was installed without: the version has to do
        return b""


def fill(
    cache: Path, file: Path, is_complete: Callable[[], bool], write: Callable[[], None], limit: int
) -> None:
    """Let `write` make a file of the cache if it is not whole; one process at a time.

    Raises:
        CleanplateError, OSError: if the cache cannot be used.
    """
    cache.mkdir(parents=True, exist_ok=True)
    if not is_complete():
        with held_alone(cache, _LOCK_TIMEOUT):
            if not is_complete():  # nobody else has done it meanwhile
                write()
                _evict(cache, file, _CACHE_SIZE_FACTOR * limit)
    os.utime(file)  # in use: the last to make room for others


def default_cache() -> Path:
    """Give the folder for decoded assets in this system's place for caches."""
    home = Path.home()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return base / "cleanplate" / "assets"


def _file_stamps(path: Path) -> list[list[Any]]:
    """Names, sizes and times of change of an asset's files."""
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
    """Give all assets, from the earlier file where that is good; beyond the limit only stamps."""
    total = 0
    for path in folder.files:
        try:
            item = before.item(path.name) if _is_current(before, path) else _decode(folder, path)
        except OSError:
            continue  # it has just gone
        total += sum(array.nbytes for array in item.arrays)
        yield item if total <= limit else item._replace(arrays=())


def _decode(folder: PlateFolder | CutoutFolder, path: Path) -> Item:
    stamp = _file_stamps(path)
    try:
        return Item(path.name, stamp, *_to_arrays(folder.read(path)))
    except (CleanplateError, ArithmeticError, LookupError, TypeError, ValueError):
        return Item(path.name, stamp, {}, ())  # whoever needs it will be told


def _evict(cache: Path, keep: Path, limit: int) -> None:
    """Delete what killed processes left, and what was not used for longest until all fits."""
    others = [one for one in cache.glob(f"*{_SUFFIX}") if one != keep]
    found = [(one.stat(), one) for one in others]
    total = keep.stat().st_size + sum(state.st_size for state, _ in found)
    # Hidden ones are half written, and nobody else writes now.
    found.sort(key=lambda pair: (not pair[1].name.startswith("."), pair[0].st_mtime_ns))
    for state, one in found:
        if total <= limit and not one.name.startswith("."):
            return
        with suppress(OSError):  # some systems do not let go of what is mapped
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
