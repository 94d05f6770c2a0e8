"""Lossy compression of one plate, cutout or pair: JPEG colours, exact alpha, rounded depth.

Depth is rounded to steps below the accuracy that any use needs, because PNG compresses
constant steps well and smooth ramps badly.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.depth.depth_codec import FARTHEST
from cleanplate.errors import CleanplateError
from cleanplate.formats.encoding import encode_jpeg, encode_png
from cleanplate.formats.pictures import check_matte_range, read_image, read_rgba, resize, to_uint8
from cleanplate.matte.fill import fill_outside

_DEPTH_STEPS = 64
"""Depth steps over a cutout's own thickness."""

_jpeg = partial(encode_jpeg, optimize=True)
_png = partial(encode_png, effort="smallest")


class CompressionSettings(NamedTuple):
    """Trade-off between size and accuracy.

    Args:
        quality: of JPEG, 1 to 100.
        depth_step: relative step of depth; 0 keeps it exact.
        long_side: plates and pairs with a longer side are reduced; None = as they are.
    """

    quality: int = 85
    depth_step: float = 0.005
    long_side: int | None = None


NamedBytes = Iterator[tuple[str, bytes]]
"""Pairs of an ending or name, and contents."""


def round_depth(depth: npt.NDArray[np.uint16], step: float) -> npt.NDArray[np.uint16]:
    """Round depth (H, W) to powers of 1 + `step`: relative error at most half a step.

    The codes 0 and 65535, which are no distances, are kept; the finest step is one code (1 mm).
    """
    if step <= 0:
        return depth
    with np.errstate(divide="ignore"):
        power = np.rint(np.log(depth.astype(np.float64)) / np.log1p(step))
    # The last code may mean "no surface": it is kept, and no other value may become it.
    rounded = np.rint(np.exp(power * np.log1p(step))).clip(0, FARTHEST - 1)
    return np.where((depth > 0) & (depth < FARTHEST), rounded, depth).astype(np.uint16)


def compress_plate(folder: Path, name: str, settings: CompressionSettings) -> NamedBytes:
    """Yield endings and contents of a plate's picture and depth.

    Raises:
        CleanplateError: if a file cannot be read.
    """
    picture = _read_uint8(folder / f"{name}.jpg")
    yield (
        ".jpg",
        encode_jpeg(_limit_size(picture, settings.long_side), settings.quality, optimize=True),
    )
    depth = folder / f"{name}_depth.png"
    if depth.exists():
        yield (
            "_depth.png",
            encode_png(_compress_depth(_read_first_channel(depth), settings), "smallest"),
        )


def compress_cutout(folder: Path, name: str, settings: CompressionSettings) -> NamedBytes:
    """Yield endings and contents of a cutout's colour, alpha and depth.

    Raises:
        CleanplateError: if a file cannot be read or has no alpha.
    """
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
    """Yield endings and contents of the parts of a full-scene pair.

    Raises:
        CleanplateError: if a file cannot be read or its alpha is out of range.
    """

    def beside(part: str) -> Path:
        return folder / f"{name}_{part}.png"

    def fitted(plane: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        return _limit_size(plane, settings.long_side)

    yield (
        ".plate.jpg",
        encode_jpeg(fitted(_read_uint8(beside("plate"))), settings.quality, optimize=True),
    )
    yield (
        ".frame.jpg",
        encode_jpeg(fitted(_read_uint8(beside("frame"))), settings.quality, optimize=True),
    )
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
        yield (
            f".{part}.png",
            encode_png(_compress_depth(_read_first_channel(beside(part)), settings), "smallest"),
        )


def _limit_size(plane: npt.NDArray[np.uint8], long_side: int | None) -> npt.NDArray[np.uint8]:
    size = _limited_size(plane.shape[:2], long_side)
    return plane if size == plane.shape[:2] else np.asarray(resize(plane, size), np.uint8)


def _compress_depth(
    depth: npt.NDArray[np.uint16], settings: CompressionSettings
) -> npt.NDArray[np.uint16]:
    """Round depth; when reduced, pixels are taken by nearest neighbour, never averaged."""
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
    """Give a plate's or pair's metadata at its new size; intrinsics scale with the pixels."""
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
    """Extend colours outwards and blur them there, so that JPEG sees no edge."""
    filled = fill_outside(picture, known)
    smooth = cv2.GaussianBlur(filled, (0, 0), 6)
    return np.where(known[..., None], filled, smooth).astype(np.uint8)
