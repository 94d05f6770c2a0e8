"""Arrays to the bytes of picture files: the one encoder of PNG and JPEG.

OpenCV writes both: 16-bit colour, several times Pillow's speed, and JPEG of the same bytes. Pillow
writes WebP and BMP. `depth_codec` turns depth into the numbers that are encoded here.
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
"""How much time a PNG may take to become small."""

_FULL_COLOUR = 0x111111
"""Of JPEG's sampling factors: no channel is halved (4:4:4)."""
_LEVEL = {"fast": 3, "small": 9}
"""Level 3 is a tenth larger than level 6, in a third of its time."""
_STRATEGIES = (
    cv2.IMWRITE_PNG_STRATEGY_DEFAULT,
    cv2.IMWRITE_PNG_STRATEGY_FILTERED,
    cv2.IMWRITE_PNG_STRATEGY_RLE,
)
# The quickest deflation, and what serves it best. Runs are found in a fraction of the time that
# matches take, and lose nothing: pictures are noise or even, and a row like the one above becomes
# a run of zeros. Depth in millimetres repeats whole stretches, which no difference would.
_SMOOTH = [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
_STEPPED = [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_DEFAULT]
_FILTER = getattr(cv2, "IMWRITE_PNG_FILTER", None)
if _FILTER is not None:
    _SMOOTH += [_FILTER, getattr(cv2, "IMWRITE_PNG_FILTER_UP")]  # noqa: B009
    _STEPPED += [cv2.IMWRITE_PNG_COMPRESSION, 1]
    _STEPPED += [_FILTER, getattr(cv2, "IMWRITE_PNG_FILTER_NONE")]  # noqa: B009
# Before 4.12 OpenCV knows no filter but differences along the row, and none of these names.


def encode_png(picture: Coded, effort: Effort = "fast") -> bytes:
    """Encode a picture without loss.

    Args:
        picture: (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA; uint8 or uint16.
        effort: "fastest" for a set's samples, which are coded a million times over (uint8 as a
            picture, uint16 as depth); "fast" for files; "usual" as OpenCV has it; "small" at the
            highest level; "smallest" by the best of three strategies.

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
    """Encode a picture with loss.

    Args:
        picture: (H, W) grey or (H, W, 3) RGB, uint8.
        quality: 1 to 100.
        full_colour: keep colour at full size (4:4:4); else it is halved both ways (4:2:0).
        optimize: compute the Huffman tables of this picture: smaller, and slower.

    Raises:
        ValueError: if OpenCV cannot encode it, as above 65500 pixels in a row or column.
    """
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    if optimize:
        options += [cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    if full_colour and picture.ndim == 3:
        options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, _FULL_COLOUR]
    return _encoded(".jpg", _turned(picture), options)


def encode_picture(picture: Coded, suffix: str, quality: int) -> bytes:
    """Encode a picture for a file of a given ending.

    Args:
        picture: (H, W) grey, (H, W, 3) RGB or (H, W, 4) straight RGBA, uint8 or uint16, as the
            format takes it.
        suffix: .png, .jpg, .jpeg, .webp, .tif, .tiff or .bmp.
        quality: 1 to 100, of JPEG (colour at full size from 90 on) and WebP.

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
    """Put colour in OpenCV's order, blue first."""
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
