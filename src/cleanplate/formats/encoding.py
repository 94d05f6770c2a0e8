"""Picture encoding: arrays to the bytes of PNG, JPEG, TIFF, WebP and BMP files.

OpenCV encodes PNG, JPEG and TIFF: it supports 16-bit colour, is several times faster than Pillow,
and gives the same JPEG bytes. Pillow encodes WebP and BMP. `depth_codec` converts depth to the
integers that are encoded here.
"""

from __future__ import annotations

import io
from typing import Any, Literal, get_args

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from cleanplate.arrays import Coded

Effort = Literal["fastest", "fast", "usual", "small", "smallest"]
"""PNG compression effort, from fastest to smallest; see `encode_png`."""

_FULL_COLOUR = 0x111111
"""JPEG sampling factors of 4:4:4: no chroma subsampling."""
_LEVEL = {"fast": 3, "small": 9}
"""zlib levels. Level 3 gives files a tenth larger than level 6, in a third of the time."""
_STRATEGIES = (
    cv2.IMWRITE_PNG_STRATEGY_DEFAULT,
    cv2.IMWRITE_PNG_STRATEGY_FILTERED,
    cv2.IMWRITE_PNG_STRATEGY_RLE,
)
# Options of "fastest". Pictures: run-length matching with the Up filter takes a fraction of the
# time of full matching at about the same size, because pictures are noise or uniform, and a row
# equal to the row above becomes a run of zeros. Depth in millimetres: full matching without a
# filter, because whole sequences repeat, and differences would destroy the repetition.
_SMOOTH = [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
_STEPPED = [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_DEFAULT]
_FILTER = getattr(cv2, "IMWRITE_PNG_FILTER", None)
if _FILTER is not None:
    _SMOOTH += [_FILTER, getattr(cv2, "IMWRITE_PNG_FILTER_UP")]  # noqa: B009
    _STEPPED += [cv2.IMWRITE_PNG_COMPRESSION, 1]
    _STEPPED += [_FILTER, getattr(cv2, "IMWRITE_PNG_FILTER_NONE")]  # noqa: B009
# Before 4.12 OpenCV has only the Sub filter and none of these names.


def encode_png(picture: Coded, effort: Effort = "fast") -> bytes:
    """Encode a picture as PNG, lossless.

    Args:
        picture: (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA; uint8 or uint16.
        effort: "fastest" for data set samples, which are encoded in large numbers (tuned for
            pictures in uint8 and depth in uint16); "fast" (level 3) for single files; "usual" =
            OpenCV's default; "small" = level 9; "smallest" = level 9 with the best of three
            strategies.

    Raises:
        ValueError: if OpenCV cannot encode it, or the effort is unknown.
    """
    if effort not in get_args(Effort):
        raise ValueError(f"expected an effort of {get_args(Effort)}, got {effort!r}")
    turned = _turned(picture)
    if effort == "smallest":
        level = [cv2.IMWRITE_PNG_COMPRESSION, 9, cv2.IMWRITE_PNG_STRATEGY]
        return min((_encoded(".png", turned, [*level, way]) for way in _STRATEGIES), key=len)
    if effort == "fastest":
        return _encoded(".png", turned, _STEPPED if picture.dtype == np.uint16 else _SMOOTH)
    options = [cv2.IMWRITE_PNG_COMPRESSION, _LEVEL[effort]] if effort in _LEVEL else []
    return _encoded(".png", turned, options)


def encode_jpeg(
    picture: npt.NDArray[np.uint8],
    quality: int,
    *,
    full_colour: bool = False,
    optimize: bool = False,
) -> bytes:
    """Encode a picture as JPEG.

    Args:
        picture: (H, W) grey or (H, W, 3) RGB, uint8.
        quality: 1 to 100.
        full_colour: no chroma subsampling (4:4:4); else 4:2:0.
        optimize: compute optimal Huffman tables: smaller files, slower.

    Raises:
        ValueError: if OpenCV cannot encode it, for example above 65500 pixels in a row or column.
    """
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    if optimize:
        options += [cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    if full_colour and picture.ndim == 3:
        options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, _FULL_COLOUR]
    return _encoded(".jpg", _turned(picture), options)


def encode_picture(picture: Coded, suffix: str, quality: int) -> bytes:
    """Encode a picture in the format of a file suffix.

    Args:
        picture: (H, W) grey, (H, W, 3) RGB or (H, W, 4) straight RGBA, uint8 or uint16, as far as
            the format supports it.
        suffix: .png, .jpg, .jpeg, .webp, .tif, .tiff or .bmp.
        quality: 1 to 100, of JPEG (4:4:4 from 90 on) and WebP.

    Raises:
        ValueError: if it cannot be encoded.
    """
    if suffix == ".png":
        return encode_png(picture)
    if suffix in (".tif", ".tiff"):
        return _encoded(suffix, _turned(picture), [])
    if suffix in (".jpg", ".jpeg"):
        return encode_jpeg(np.asarray(picture, np.uint8), quality, full_colour=quality >= 90)
    buffer = io.BytesIO()
    chosen: dict[str, Any] = {"quality": quality} if suffix == ".webp" else {}
    Image.fromarray(picture).save(buffer, Image.registered_extensions()[suffix], **chosen)
    return buffer.getvalue()


def _turned(picture: Coded) -> npt.NDArray[Any]:
    """Convert RGB to OpenCV's channel order, BGR."""
    if picture.ndim == 2:
        return np.ascontiguousarray(picture)
    code = cv2.COLOR_RGB2BGR if picture.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
    return np.asarray(cv2.cvtColor(picture, code))


def _encoded(ending: str, picture: npt.NDArray[Any], options: list[int]) -> bytes:
    try:
        done, data = cv2.imencode(ending, picture, options)
    except cv2.error as error:
        raise ValueError(f"a picture of {picture.shape} cannot be encoded as {ending}") from error
    if not done:
        raise ValueError(f"a picture of {picture.shape} cannot be encoded as {ending}")
    return data.tobytes()
