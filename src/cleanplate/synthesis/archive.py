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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.errors import CleanplateError
from cleanplate.files import replacing
from cleanplate.pictures import read_image, read_rgba, to_uint8
from cleanplate.synthesis.assets import fill_outside

_LEVELS = 64
"""Steps of depth over a cutout's own thickness."""


class Coding(NamedTuple):
    """How much is given up for size.

    Args:
        quality: of JPEG, 1 to 100.
        depth_step: two depths closer than this share may become one; 0 keeps them.
    """

    quality: int = 85
    depth_step: float = 0.005


Members = Iterator[tuple[str, bytes]]


def pack_plates(folder: Path, archive: Path, coding: Coding | None = None) -> int:
    """Write a folder of plates as a `.tar.gz`; give the number of plates.

    Raises:
        CleanplateError: if there is no whole plate, or a file cannot be read or written.
    """
    coding = coding or Coding()
    return _pack(folder, archive, lambda stem: _plate(folder / stem, coding), folder.name)


def pack_cutouts(folder: Path, archive: Path, coding: Coding | None = None) -> int:
    """Write a folder of cutouts as a `.tar.gz`; give the number of cutouts.

    Raises:
        CleanplateError: if there is no whole cutout, or a file cannot be read or written.
    """
    coding = coding or Coding()
    return _pack(folder, archive, lambda stem: _cutout(folder / stem, coding), folder.name)


def pack_pairs(folder: Path, shard: Path, coding: Coding | None = None) -> int:
    """Write full-scene pairs (as `data/pairs` has them) as a WebDataset shard.

    Raises:
        CleanplateError: if there is no whole pair, or a file cannot be read or written.
    """
    coding = coding or Coding()
    return _pack(folder, shard, lambda stem: _pair(folder / stem, coding), None)


def round_depth(depth: npt.NDArray[np.uint16], step: float) -> npt.NDArray[np.uint16]:
    """Round depth (H, W) to powers of 1 + `step`; 0 stays 0, each changes by half a step at most.

    One code (a millimetre) is the finest step there is.
    """
    if step <= 0:
        return depth
    with np.errstate(divide="ignore"):
        power = np.rint(np.log(depth.astype(np.float64)) / np.log1p(step))
    rounded = np.rint(np.exp(power * np.log1p(step))).clip(0, 65535)
    return np.where(depth > 0, rounded, 0).astype(np.uint16)


def _pack(folder: Path, archive: Path, item: Callable[[str], Members], prefix: str | None) -> int:
    stems = sorted(file.stem for file in folder.glob("*.json") if file.stem != "catalogue")
    if not stems:
        raise CleanplateError("holds no item with its .json", file=folder)
    with replacing(archive) as path, path.open("wb") as raw:
        if prefix is None:
            _fill(raw, folder, stems, item, prefix)
        else:
            # Without time and name in its head, the same items are the same bytes.
            with gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed:
                _fill(packed, folder, stems, item, prefix)
    return len(stems)


def _fill(
    out: Any,
    folder: Path,
    stems: list[str],
    item: Callable[[str], Members],
    prefix: str | None,
) -> None:
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        catalogue = folder / "catalogue.json"
        if prefix is not None and catalogue.exists():
            _add(tar, f"{prefix}/catalogue.json", catalogue.read_bytes())
        for stem in stems:
            facts = json.loads((folder / f"{stem}.json").read_text(encoding="utf-8"))
            for ending, content in item(stem):
                name = f"{stem}{ending}" if prefix is None else f"{prefix}/{stem}{ending}"
                _add(tar, name, content)
            record = json.dumps(facts, separators=(",", ":")).encode()
            _add(tar, f"{stem}.json" if prefix is None else f"{prefix}/{stem}.json", record)


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def _plate(stem: Path, coding: Coding) -> Members:
    yield ".jpg", _jpeg(_picture(stem.with_suffix(".jpg")), coding.quality)
    depth = stem.with_name(f"{stem.name}_depth.png")
    if depth.exists():
        yield "_depth.png", _png(round_depth(_grey(depth), coding.depth_step))


def _cutout(stem: Path, coding: Coding) -> Members:
    colour, alpha = read_rgba(stem.with_suffix(".png"))
    if alpha is None:
        raise CleanplateError("has no alpha channel", file=stem.with_suffix(".png"))
    spread = _spread(np.asarray(colour, np.uint8), alpha > 0.2)
    yield ".jpg", _jpeg(spread, coding.quality)
    yield "_alpha.png", _png(to_uint8(alpha))
    file = stem.with_name(f"{stem.name}_depth.png")
    if file.exists():
        depth = _grey(file)
        known = depth[depth > 0].astype(np.float64)
        low, high = np.percentile(known, [2, 98]) if known.size else (0.0, 0.0)
        step = max(1.0, (high - low) / _LEVELS)
        stairs = np.rint(np.rint(depth / step) * step).clip(1, 65535)
        yield "_depth.png", _png(np.where(depth > 0, stairs, 0).astype(np.uint16))


def _pair(stem: Path, coding: Coding) -> Members:
    def beside(part: str) -> Path:
        return stem.with_name(f"{stem.name}_{part}.png")

    yield ".plate.jpg", _jpeg(_picture(beside("plate")), coding.quality)
    yield ".frame.jpg", _jpeg(_picture(beside("frame")), coding.quality)
    alpha = _grey(beside("alpha"))
    yield ".alpha.png", _png(alpha)
    if beside("foreground").exists():
        picture = _picture(beside("foreground"))
        yield ".foreground.jpg", _jpeg(_spread(picture, alpha > 51), coding.quality)
    if beside("shadow").exists():
        shadow = read_image(beside("shadow"))[..., 0]
        yield ".shadow.png", _png(_eight_bits(shadow))
    for part in ("plate_depth", "depth"):
        yield f".{part}.png", _png(round_depth(_grey(beside(part)), coding.depth_step))


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


def _jpeg(picture: npt.NDArray[np.uint8], quality: int) -> bytes:
    flags = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    return _encoded(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), flags)


def _png(plane: npt.NDArray[Any]) -> bytes:
    """Code a plane by whichever of zlib's strategies makes it smallest."""
    return min(
        (
            _encoded(
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


def _encoded(ending: str, array: npt.NDArray[Any], flags: list[int]) -> bytes:
    fine, coded = cv2.imencode(ending, array, flags)
    assert fine
    return coded.tobytes()
