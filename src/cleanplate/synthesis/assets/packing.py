"""Plates, cutouts and pairs as one small file each, to be kept beside the code.

Colours become JPEG, alpha stays exact, depth is rounded to steps that no use of it sees, because
smooth ramps compress badly and stairs well. Plates and cutouts go into a `.tar.gz` that unpacks to
a folder for the catalogue (a cutout then is `NAME.jpg` + `NAME_alpha.png`); pairs go into a
WebDataset shard, which is read as it is.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.depth.depth_codec import FARTHEST
from cleanplate.errors import CleanplateError
from cleanplate.files.atomic import replacing
from cleanplate.files.listing import is_hidden
from cleanplate.formats.pictures import check_matte_range, read_image, read_rgba, resize, to_uint8
from cleanplate.matte.fill import fill_outside
from cleanplate.synthesis.assets.licensing import CATALOGUE
from cleanplate.synthesis.assets.sidecar import read_sidecar

_DEPTH_STEPS = 64
"""Steps of depth over a cutout's own thickness."""


class CompressionSettings(NamedTuple):
    """How much is given up for size.

    Args:
        quality: of JPEG, 1 to 100.
        depth_step: two depths closer than this share may become one; 0 keeps them.
        long_side: plates and pairs with a longer side are made smaller; None = as they are.
    """

    quality: int = 85
    depth_step: float = 0.005
    long_side: int | None = None


_FOLDER_FILES = frozenset({"catalogue", "render"})
"""Stems of files that tell of a whole folder: a list of assets, the plan of a rendering."""
_CREDIT_KEYS = frozenset({"license", "source", "attribution"})
"""Keys of `catalogue.json` that hold for each item."""

NamedBytes = Iterator[tuple[str, bytes]]
Compressor = Callable[[Path, str, CompressionSettings], NamedBytes]
"""From a folder and an item's name in it to the endings and contents of its files.

A name is not a path: `room.001` would lose its number to `Path.with_suffix`.
"""


def pack_plates(folder: Path, archive: Path, settings: CompressionSettings | None = None) -> int:
    """Write a folder of plates as a `.tar.gz`; give the number of plates.

    Raises:
        CleanplateError: if there is no whole plate, or a file cannot be read or written.
    """
    settings = settings or CompressionSettings()
    return _pack(folder, archive, compress_plate, folder.name, settings)


def pack_cutouts(folder: Path, archive: Path, settings: CompressionSettings | None = None) -> int:
    """Write a folder of cutouts as a `.tar.gz`; give the number of cutouts.

    Raises:
        CleanplateError: if there is no whole cutout, or a file cannot be read or written.
    """
    settings = settings or CompressionSettings()
    return _pack(folder, archive, compress_cutout, folder.name, settings)


def pack_pairs(folder: Path, shard: Path, settings: CompressionSettings | None = None) -> int:
    """Write full-scene pairs (as `data/pairs` has them) as a WebDataset shard.

    A sample's name ends at its first dot there, so dots in the names of pairs become underscores.

    Raises:
        CleanplateError: if there is no whole pair, two get one name, or a file cannot be read or
            written.
    """
    settings = settings or CompressionSettings()
    return _pack(folder, shard, compress_pair, None, settings)


def round_depth(depth: npt.NDArray[np.uint16], step: float) -> npt.NDArray[np.uint16]:
    """Round depth (H, W) to powers of 1 + `step`: each changes by half a step at most.

    The codes 0 and 65535, which are no distances, stay. One code (a millimetre) is
    the finest step there is.
    """
    if step <= 0:
        return depth
    with np.errstate(divide="ignore"):
        power = np.rint(np.log(depth.astype(np.float64)) / np.log1p(step))
    # The last code may stand for nothing hit: it stays, and no other becomes it.
    rounded = np.rint(np.exp(power * np.log1p(step))).clip(0, FARTHEST - 1)
    return np.where((depth > 0) & (depth < FARTHEST), rounded, depth).astype(np.uint16)


def sidecars_of(folder: Path) -> list[Path]:
    """Give the `.json` of every item in a folder, in order; not those of the folder itself.

    Hidden files are passed over.
    """
    return sorted(
        file
        for file in folder.glob("*.json")
        if file.stem not in _FOLDER_FILES and not is_hidden(file.name)
    )


def _pack(
    folder: Path,
    archive: Path,
    compress: Compressor,
    prefix: str | None,
    settings: CompressionSettings,
) -> int:
    sidecars = sidecars_of(folder)
    if not sidecars:
        raise CleanplateError("holds no item with its .json", file=folder)
    names = {sidecar_file: sidecar_file.name.removesuffix(".json") for sidecar_file in sidecars}
    if prefix is None:
        names = _sample_names(names)
    catalogue = folder / CATALOGUE
    # A shard has no place for a file of the whole folder: each sample says what that says.
    sidecar = read_sidecar(catalogue)
    sidecar.setdefault("license", sidecar.pop("licence", None))
    shared = {key: text for key, text in sidecar.items() if key in _CREDIT_KEYS and text}
    members = _members(names, compress, settings, shared if prefix is None else {})
    with replacing(archive) as path, path.open("wb") as raw:
        if prefix is None:
            _write_tar(raw, members)
        else:
            if catalogue.exists():
                members = chain([(catalogue.name, catalogue.read_bytes())], members)
            # Without time and name in its head, the same items are the same bytes.
            with gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed:
                _write_tar(packed, ((f"{prefix}/{name}", content) for name, content in members))
    return len(sidecars)


def _sample_names(names: dict[Path, str]) -> dict[Path, str]:
    """Give each pair a name without dots, as WebDataset wants it.

    Raises:
        CleanplateError: if two would have the same.
    """
    taken: dict[str, Path] = {}
    for sidecar_file, name in names.items():
        first = taken.setdefault(name.replace(".", "_"), sidecar_file)
        if first != sidecar_file:
            raise CleanplateError(
                f"would have the same name in the shard as {first.name}: a dot there ends a name "
                "and becomes an underscore",
                file=sidecar_file,
                cure="Rename one of the two pairs.",
            )
    return {sidecar_file: name for name, sidecar_file in taken.items()}


def _members(
    names: dict[Path, str],
    compress: Compressor,
    settings: CompressionSettings,
    shared: Mapping[str, Any],
) -> NamedBytes:
    for sidecar_file, name in names.items():
        for ending, content in compress(
            sidecar_file.parent, sidecar_file.name.removesuffix(".json"), settings
        ):
            yield f"{name}{ending}", content
        metadata = read_sidecar(sidecar_file)
        if "licence" in metadata:  # the key's old spelling
            metadata.setdefault("license", metadata.pop("licence"))
        metadata = {**shared, **metadata}
        sidecar = json.dumps(resized_metadata(metadata, settings.long_side), separators=(",", ":"))
        yield f"{name}.json", sidecar.encode()


def _write_tar(out: Any, members: NamedBytes) -> None:
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in members:
            _add_member(tar, name, content)


def _add_member(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def compress_plate(folder: Path, name: str, settings: CompressionSettings) -> NamedBytes:
    """Give the files of a plate, each by its ending: JPEG and depth."""
    picture = _read_uint8(folder / f"{name}.jpg")
    yield ".jpg", _jpeg(_limit_size(picture, settings.long_side), settings.quality)
    depth = folder / f"{name}_depth.png"
    if depth.exists():
        yield "_depth.png", _png(_compress_depth(_read_first_channel(depth), settings))


def compress_cutout(folder: Path, name: str, settings: CompressionSettings) -> NamedBytes:
    """Give the files of a cutout, each by its ending: colour, alpha and depth."""
    picture = folder / f"{name}.png"
    colour, alpha = read_rgba(picture)
    if alpha is None:
        raise CleanplateError("has no alpha channel", file=picture)
    spread = _fill_smoothly(np.asarray(colour, np.uint8), alpha > 0.2)
    yield ".jpg", _jpeg(spread, settings.quality)
    yield "_alpha.png", _png(to_uint8(alpha))
    file = folder / f"{name}_depth.png"
    if file.exists():
        depth = _read_first_channel(file)
        known = depth[depth > 0].astype(np.float64)
        low, high = np.percentile(known, [2, 98]) if known.size else (0.0, 0.0)
        step = max(1.0, (high - low) / _DEPTH_STEPS)
        stairs = np.rint(np.rint(depth / step) * step).clip(1, 65535)
        yield "_depth.png", _png(np.where(depth > 0, stairs, 0).astype(np.uint16))


def compress_pair(folder: Path, name: str, settings: CompressionSettings) -> NamedBytes:
    """Give the files of a pair, each by its ending: pictures, alpha, depth, foreground."""

    def beside(part: str) -> Path:
        return folder / f"{name}_{part}.png"

    def fitted(plane: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        return _limit_size(plane, settings.long_side)

    yield ".plate.jpg", _jpeg(fitted(_read_uint8(beside("plate"))), settings.quality)
    yield ".frame.jpg", _jpeg(fitted(_read_uint8(beside("frame"))), settings.quality)
    alpha = _read_first_channel(beside("alpha"))
    check_matte_range(alpha, beside("alpha"))
    yield ".alpha.png", _png(fitted(alpha))
    if beside("foreground").exists():
        picture = _read_uint8(beside("foreground"))
        spread = fitted(_fill_smoothly(picture, alpha > 51))
        yield ".foreground.jpg", _jpeg(spread, settings.quality)
    if beside("shadow").exists():
        shadow = read_image(beside("shadow"))[..., 0]
        yield ".shadow.png", _png(fitted(_to_uint8(shadow)))
    for part in ("plate_depth", "depth"):
        yield f".{part}.png", _png(_compress_depth(_read_first_channel(beside(part)), settings))


def _limit_size(plane: npt.NDArray[np.uint8], long_side: int | None) -> npt.NDArray[np.uint8]:
    size = _limited_size(plane.shape[:2], long_side)
    return plane if size == plane.shape[:2] else np.asarray(resize(plane, size), np.uint8)


def _compress_depth(
    depth: npt.NDArray[np.uint16], settings: CompressionSettings
) -> npt.NDArray[np.uint16]:
    """Round depth; where it is made smaller, each pixel keeps one depth, never a mean of two."""
    size = _limited_size(depth.shape[:2], settings.long_side)
    if size != depth.shape[:2]:
        nearest = cv2.resize(depth, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
        depth = np.asarray(nearest, np.uint16)
    return round_depth(depth, settings.depth_step)


def _limited_size(size: tuple[int, ...], long_side: int | None) -> tuple[int, int]:
    height, width = size
    if long_side is None or max(size) <= long_side:
        return height, width
    return round(height * long_side / max(size)), round(width * long_side / max(size))


def resized_metadata(metadata: dict[str, Any], long_side: int | None) -> dict[str, Any]:
    """Give a plate's or pair's facts at its new size: intrinsics are in pixels of it."""
    if long_side is None or not {"width", "height"} <= metadata.keys():
        return metadata
    height, width = _limited_size((metadata["height"], metadata["width"]), long_side)
    across, down = width / metadata["width"], height / metadata["height"]
    scales = {"fx": across, "cx": across, "fy": down, "cy": down}
    lens = {key: metadata[key] * scale for key, scale in scales.items() if key in metadata}
    return {**metadata, **lens, "width": width, "height": height}


def _read_uint8(file: Path) -> npt.NDArray[np.uint8]:
    """Read a picture as (H, W, 3) uint8."""
    return np.asarray(_to_uint8(read_image(file)), np.uint8)


def _to_uint8(coded: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    if coded.dtype == np.uint16:
        return np.asarray(np.rint(coded / np.float32(257)), np.uint8)
    return np.asarray(coded, np.uint8)


def _read_first_channel(file: Path) -> npt.NDArray[Any]:
    return np.asarray(read_image(file))[..., 0]


def _fill_smoothly(
    picture: npt.NDArray[np.uint8], known: npt.NDArray[np.bool_]
) -> npt.NDArray[np.uint8]:
    """Carry colours outwards, then smooth them out there: no edge is left for JPEG to ring at."""
    filled = fill_outside(picture, known)
    smooth = cv2.GaussianBlur(filled, (0, 0), 6)
    return np.where(known[..., None], filled, smooth).astype(np.uint8)


def _jpeg(picture: npt.NDArray[np.uint8], quality: int) -> bytes:
    flags = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    return _encode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), flags)


def _png(plane: npt.NDArray[Any]) -> bytes:
    """Code a plane by whichever of zlib's strategies makes it smallest."""
    return min(
        (
            _encode(
                ".png",
                plane,
                [cv2.IMWRITE_PNG_COMPRESSION, 9, cv2.IMWRITE_PNG_STRATEGY, strategy],
            )
            for strategy in (
                cv2.IMWRITE_PNG_STRATEGY_DEFAULT,
                cv2.IMWRITE_PNG_STRATEGY_FILTERED,
                cv2.IMWRITE_PNG_STRATEGY_RLE,
            )
        ),
        key=len,
    )


def _encode(ending: str, array: npt.NDArray[Any], flags: list[int]) -> bytes:
    fine, coded = cv2.imencode(ending, array, flags)
    assert fine
    return coded.tobytes()
