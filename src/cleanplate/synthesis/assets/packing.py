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
from cleanplate.formats.encoding import encode_jpeg, encode_png
from cleanplate.formats.pictures import check_matte_range, read_image, read_rgba, resize, to_uint8
from cleanplate.matte.fill import fill_outside
from cleanplate.synthesis.assets.licensing import CATALOGUE
from cleanplate.synthesis.assets.sidecar import facts_in

_LEVELS = 64
"""Steps of depth over a cutout's own thickness."""


class Coding(NamedTuple):
    """How much is given up for size.

    Args:
        quality: of JPEG, 1 to 100.
        depth_step: two depths closer than this share may become one; 0 keeps them.
        long_side: plates and pairs with a longer side are made smaller; None = as they are.
    """

    quality: int = 85
    depth_step: float = 0.005
    long_side: int | None = None


_OF_FOLDERS = frozenset({"catalogue", "render"})
"""Stems of files that tell of a whole folder: a list of assets, the plan of a rendering."""
_CREDIT = frozenset({"license", "source", "attribution"})
"""Keys of `catalogue.json` that hold for each item."""

Members = Iterator[tuple[str, bytes]]
Item = Callable[[Path, str, Coding], Members]
"""From a folder and an item's name in it to the endings and contents of its files.

A name is not a path: `room.001` would lose its number to `Path.with_suffix`.
"""


def pack_plates(folder: Path, archive: Path, coding: Coding | None = None) -> int:
    """Write a folder of plates as a `.tar.gz`; give the number of plates.

    Raises:
        CleanplateError: if there is no whole plate, or a file cannot be read or written.
    """
    coding = coding or Coding()
    return _pack(folder, archive, _plate, folder.name, coding)


def pack_cutouts(folder: Path, archive: Path, coding: Coding | None = None) -> int:
    """Write a folder of cutouts as a `.tar.gz`; give the number of cutouts.

    Raises:
        CleanplateError: if there is no whole cutout, or a file cannot be read or written.
    """
    coding = coding or Coding()
    return _pack(folder, archive, _cutout, folder.name, coding)


def pack_pairs(folder: Path, shard: Path, coding: Coding | None = None) -> int:
    """Write full-scene pairs (as `data/pairs` has them) as a WebDataset shard.

    A sample's name ends at its first dot there, so dots in the names of pairs become underscores.

    Raises:
        CleanplateError: if there is no whole pair, two get one name, or a file cannot be read or
            written.
    """
    coding = coding or Coding()
    return _pack(folder, shard, _pair, None, coding)


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


def records_of(folder: Path) -> list[Path]:
    """Give the `.json` of every item in a folder, in order; not those of the folder itself.

    Hidden files are passed over.
    """
    return sorted(
        file
        for file in folder.glob("*.json")
        if file.stem not in _OF_FOLDERS and not is_hidden(file.name)
    )


def _pack(folder: Path, archive: Path, item: Item, prefix: str | None, coding: Coding) -> int:
    records = records_of(folder)
    if not records:
        raise CleanplateError("holds no item with its .json", file=folder)
    names = {record: record.name.removesuffix(".json") for record in records}
    if prefix is None:
        names = _sample_names(names)
    catalogue = folder / CATALOGUE
    # A shard has no place for a file of the whole folder: each sample says what that says.
    told = facts_in(catalogue)
    told.setdefault("license", told.pop("licence", None))
    whole = {key: text for key, text in told.items() if key in _CREDIT and text}
    members = _members(names, item, coding, whole if prefix is None else {})
    with replacing(archive) as path, path.open("wb") as raw:
        if prefix is None:
            _fill(raw, members)
        else:
            if catalogue.exists():
                members = chain([(catalogue.name, catalogue.read_bytes())], members)
            # Without time and name in its head, the same items are the same bytes.
            with gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed:
                _fill(packed, ((f"{prefix}/{name}", content) for name, content in members))
    return len(records)


def _sample_names(names: dict[Path, str]) -> dict[Path, str]:
    """Give each pair a name without dots, as WebDataset wants it.

    Raises:
        CleanplateError: if two would have the same.
    """
    taken: dict[str, Path] = {}
    for record, name in names.items():
        first = taken.setdefault(name.replace(".", "_"), record)
        if first != record:
            raise CleanplateError(
                f"would have the same name in the shard as {first.name}: a dot there ends a name "
                "and becomes an underscore",
                file=record,
                cure="Rename one of the two pairs.",
            )
    return {record: name for name, record in taken.items()}


def _members(
    names: dict[Path, str], item: Item, coding: Coding, whole: Mapping[str, Any]
) -> Members:
    for record, name in names.items():
        for ending, content in item(record.parent, record.name.removesuffix(".json"), coding):
            yield f"{name}{ending}", content
        facts = facts_in(record)
        if "licence" in facts:  # the key's old spelling
            facts.setdefault("license", facts.pop("licence"))
        facts = {**whole, **facts}
        told = json.dumps(_resized(facts, coding.long_side), separators=(",", ":"))
        yield f"{name}.json", told.encode()


def _fill(out: Any, members: Members) -> None:
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in members:
            _add(tar, name, content)


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def _plate(folder: Path, name: str, coding: Coding) -> Members:
    picture = _picture(folder / f"{name}.jpg")
    yield ".jpg", encode_jpeg(_fitted(picture, coding.long_side), coding.quality, optimize=True)
    depth = folder / f"{name}_depth.png"
    if depth.exists():
        yield "_depth.png", encode_png(_depth(_grey(depth), coding), "smallest")


def _cutout(folder: Path, name: str, coding: Coding) -> Members:
    picture = folder / f"{name}.png"
    colour, alpha = read_rgba(picture)
    if alpha is None:
        raise CleanplateError("has no alpha channel", file=picture)
    spread = _spread(np.asarray(colour, np.uint8), alpha > 0.2)
    yield ".jpg", encode_jpeg(spread, coding.quality, optimize=True)
    yield "_alpha.png", encode_png(to_uint8(alpha), "smallest")
    file = folder / f"{name}_depth.png"
    if file.exists():
        depth = _grey(file)
        known = depth[depth > 0].astype(np.float64)
        low, high = np.percentile(known, [2, 98]) if known.size else (0.0, 0.0)
        step = max(1.0, (high - low) / _LEVELS)
        stairs = np.rint(np.rint(depth / step) * step).clip(1, 65535)
        yield "_depth.png", encode_png(np.where(depth > 0, stairs, 0).astype(np.uint16), "smallest")


def _pair(folder: Path, name: str, coding: Coding) -> Members:
    def beside(part: str) -> Path:
        return folder / f"{name}_{part}.png"

    def fitted(plane: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        return _fitted(plane, coding.long_side)

    yield (
        ".plate.jpg",
        encode_jpeg(fitted(_picture(beside("plate"))), coding.quality, optimize=True),
    )
    yield (
        ".frame.jpg",
        encode_jpeg(fitted(_picture(beside("frame"))), coding.quality, optimize=True),
    )
    alpha = _grey(beside("alpha"))
    check_matte_range(alpha, beside("alpha"))
    yield ".alpha.png", encode_png(fitted(alpha), "smallest")
    if beside("foreground").exists():
        picture = _picture(beside("foreground"))
        spread = fitted(_spread(picture, alpha > 51))
        yield ".foreground.jpg", encode_jpeg(spread, coding.quality, optimize=True)
    if beside("shadow").exists():
        shadow = read_image(beside("shadow"))[..., 0]
        yield ".shadow.png", encode_png(fitted(_eight_bits(shadow)), "smallest")
    for part in ("plate_depth", "depth"):
        yield f".{part}.png", encode_png(_depth(_grey(beside(part)), coding), "smallest")


def _fitted(plane: npt.NDArray[np.uint8], long_side: int | None) -> npt.NDArray[np.uint8]:
    size = _size(plane.shape[:2], long_side)
    return plane if size == plane.shape[:2] else np.asarray(resize(plane, size), np.uint8)


def _depth(depth: npt.NDArray[np.uint16], coding: Coding) -> npt.NDArray[np.uint16]:
    """Round depth; where it is made smaller, each pixel keeps one depth, never a mean of two."""
    size = _size(depth.shape[:2], coding.long_side)
    if size != depth.shape[:2]:
        nearest = cv2.resize(depth, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
        depth = np.asarray(nearest, np.uint16)
    return round_depth(depth, coding.depth_step)


def _size(size: tuple[int, ...], long_side: int | None) -> tuple[int, int]:
    height, width = size
    if long_side is None or max(size) <= long_side:
        return height, width
    return round(height * long_side / max(size)), round(width * long_side / max(size))


def _resized(facts: dict[str, Any], long_side: int | None) -> dict[str, Any]:
    """Give a plate's or pair's facts at its new size: intrinsics are in pixels of it."""
    if long_side is None or not {"width", "height"} <= facts.keys():
        return facts
    height, width = _size((facts["height"], facts["width"]), long_side)
    across, down = width / facts["width"], height / facts["height"]
    scales = {"fx": across, "cx": across, "fy": down, "cy": down}
    lens = {key: facts[key] * scale for key, scale in scales.items() if key in facts}
    return {**facts, **lens, "width": width, "height": height}


def _picture(file: Path) -> npt.NDArray[np.uint8]:
    """Read a picture as (H, W, 3) uint8."""
    return np.asarray(_eight_bits(read_image(file)), np.uint8)


def _eight_bits(coded: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    if coded.dtype == np.uint16:
        return np.asarray(np.rint(coded / np.float32(257)), np.uint8)
    return np.asarray(coded, np.uint8)


def _grey(file: Path) -> npt.NDArray[Any]:
    return np.asarray(read_image(file))[..., 0]


def _spread(picture: npt.NDArray[np.uint8], known: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """Carry colours outwards, then smooth them out there: no edge is left for JPEG to ring at."""
    filled = fill_outside(picture, known)
    smooth = cv2.GaussianBlur(filled, (0, 0), 6)
    return np.where(known[..., None], filled, smooth).astype(np.uint8)
