"""Picture files to arrays and back.

Read: upright (EXIF), in sRGB (ICC), 8 or 16 bits as stored. Written: whole or not at all.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Coded, Plane
from cleanplate.errors import CleanplateError
from cleanplate.files.atomic import replacing
from cleanplate.formats.decoding import MAX_PIXELS, Source, decode, name_of, pixel_limit
from cleanplate.formats.encoding import encode_picture
from cleanplate.light import coded_from_linear, linear_from_uint8, linear_to_srgb, srgb_to_linear

__all__ = [
    "MAX_PIXELS",
    "check_matte_range",
    "coded_from_linear",
    "linear_from_uint8",
    "linear_to_srgb",
    "pixel_limit",
    "read_alpha",
    "read_grey",
    "read_image",
    "read_rgba",
    "resize",
    "srgb_to_linear",
    "to_float",
    "to_uint8",
    "to_uint16",
    "write_alpha",
    "write_image",
]


def read_image(source: Source, *, max_pixels: int | None = None) -> Coded:
    """Read a picture as (H, W, 3) RGB, sRGB-coded, uint8 or uint16, upright.

    Grey becomes three equal channels. Of a picture with alpha this is the straight colour
    as stored, whatever the alpha; `read_rgba` gives both. Of an animation, the first frame.
    A colour profile is converted to sRGB (relative colorimetric); one that cannot be read
    is ignored with a logged warning. 16-bit samples stay 16-bit, except under a profile
    made of look-up tables, which is applied in 8 bits.

    Args:
        source: a path, or an open binary file.
        max_pixels: refuse larger pictures before they are decoded. None = the environment
            variable CLEANPLATE_MAX_PIXELS, else 134 million. Above 2^30 only 8-bit pictures
            and 16-bit grey can be read, because OpenCV has that limit.

    Raises:
        CleanplateError: if there is no such file, or it may not be read, is empty, cut
            short, too large, not a picture, or of samples that have no sRGB meaning.
    """
    return decode(source, max_pixels)[0]


def read_rgba(source: Source, *, max_pixels: int | None = None) -> tuple[Coded, Plane | None]:
    """Read a picture and its alpha: (H, W, 3) as `read_image`, and (H, W) in [0, 1] or None.

    The colour is straight, not multiplied by alpha. Alpha is None where the file has none.

    Raises:
        CleanplateError: as `read_image`, and if alpha is stored as 0 and 1.
    """
    rgb, alpha = decode(source, max_pixels)
    if alpha is not None:
        check_matte_range(alpha, name_of(source))
    return rgb, None if alpha is None else to_float(alpha)


def read_alpha(source: Source, *, max_pixels: int | None = None) -> Plane:
    """Read a matte as (H, W) float32 in [0, 1]: a grey picture, or the alpha of one that has it.

    The grey values are taken as they are: no colour profile and no curve. 0 is outside, the
    largest value of the file's depth (255 or 65535) inside; all 0 is an empty matte.

    Raises:
        CleanplateError: as `read_image`, if the picture is in colour without alpha, and if its
            values are those of a 0/1 mask or of 8 bits in a 16-bit file.
    """
    samples = _one_channel(source, max_pixels, "a matte")
    check_matte_range(samples, name_of(source))
    return to_float(samples)


def read_grey(source: Source, *, max_pixels: int | None = None) -> Plane:
    """Read a grey picture that is no matte, such as relative depth, as (H, W) float32 in [0, 1].

    As `read_alpha`, but any range of values is taken.

    Raises:
        CleanplateError: as `read_image`, and if the picture is in colour without alpha.
    """
    return to_float(_one_channel(source, max_pixels, "a grey picture"))


def _one_channel(source: Source, max_pixels: int | None, noun: str) -> npt.NDArray[Any]:
    rgb, alpha = decode(source, max_pixels, managed=False)
    if alpha is not None:
        return alpha
    red, green, blue = (rgb[..., i] for i in range(3))
    if not (np.array_equal(red, green) and np.array_equal(red, blue)):
        raise CleanplateError(
            f"is in colour, not {noun}",
            file=name_of(source),
            cure="Give a grey picture or one with an alpha channel.",
        )
    return red


def check_matte_range(matte: npt.NDArray[Any], name: str | Path | None = None) -> None:
    """Refuse a stored matte, (H, W) uint8 or uint16, whose values cannot be shares of its range.

    Masks of other tools often hold 0 and 1 (or, in 16-bit files, 0 to 255); taken as shares of
    255 they would be all but empty. All 0 is a matte without a subject.

    Args:
        matte: as stored.
        name: of its file, for the error; None if whoever calls names it.

    Raises:
        CleanplateError: if the largest value is 1, or in 16 bits at most 255.
    """
    largest = int(matte.max(initial=0))
    if largest == 1:
        raise CleanplateError(
            "its largest value is 1: a 0/1 mask?",
            file=name,
            cure=f"Multiply it by {np.iinfo(matte.dtype).max}, or save it as a 1-bit picture.",
        )
    if matte.dtype == np.uint16 and 0 < largest <= 255:
        raise CleanplateError(
            f"its largest value is {largest} of 65535: an 8-bit mask in a 16-bit file?",
            file=name,
            cure="Multiply it by 257, or save it with 8 bits.",
        )


def write_image(path: str | Path, array: npt.NDArray[Any], *, quality: int = 95) -> None:
    """Write a picture, whole or not at all; the suffix decides the format.

    Args:
        path: ends in .png, .jpg, .jpeg, .webp, .tif, .tiff or .bmp.
        array: (H, W, 3) RGB, (H, W, 4) straight RGBA or (H, W) grey; uint8, uint16 (PNG and
            TIFF only), or float in [0, 1], which is written with 8 bits.
        quality: 1 to 100, of JPEG and WebP.

    Raises:
        CleanplateError: if the file cannot be written or its format cannot hold the array.
        TypeError, ValueError: if the array is not a picture.
    """
    if array.dtype.kind == "f":
        array = to_uint8(array)
    if array.dtype not in (np.uint8, np.uint16):
        raise TypeError(f"expected uint8, uint16 or float, got {array.dtype}")
    if array.size == 0 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))):
        raise ValueError(f"expected (H, W), (H, W, 3) or (H, W, 4), got {array.shape}")
    data = _encode(path, array, quality)
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def _encode(path: str | Path, array: npt.NDArray[Any], quality: int) -> bytes:
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"):
        raise CleanplateError(
            f"cannot be written as {suffix!r}", file=path, cure="Use .png, .jpg, .webp or .tif."
        )
    if suffix not in (".png", ".tif", ".tiff"):
        if array.dtype == np.uint16:
            raise CleanplateError(
                f"{suffix} cannot hold 16 bits", file=path, cure="Use .png or .tif."
            )
        if array.ndim == 3 and array.shape[2] == 4 and suffix != ".webp":
            raise CleanplateError(
                f"{suffix} cannot hold transparency", file=path, cure="Use .png, .webp or .tif."
            )
    try:
        return encode_picture(array, suffix, quality)
    except (ValueError, OSError) as error:
        raise CleanplateError(f"cannot be written ({error})", file=path) from error


def write_alpha(path: str | Path, alpha: Plane, *, bits: int = 8) -> None:
    """Write a matte, (H, W) in [0, 1], as a grey picture of 8 or 16 bits.

    Raises:
        CleanplateError: as `write_image`.
        ValueError: if `bits` is neither 8 nor 16 or the array is not (H, W).
    """
    if bits not in (8, 16):
        raise ValueError(f"expected 8 or 16 bits, got {bits}")
    if alpha.ndim != 2:
        raise ValueError(f"expected (H, W), got {alpha.shape}")
    write_image(path, to_uint8(alpha) if bits == 8 else to_uint16(alpha))


def to_float(coded: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Scale uint8 or uint16 to float32 in [0, 1]; floats are only made float32.

    Raises:
        TypeError: on any other dtype.
    """
    if coded.dtype == np.uint8:
        return np.asarray(coded * np.float32(1 / 255))
    if coded.dtype == np.uint16:
        return np.asarray(coded * np.float32(1 / 65535))
    if coded.dtype.kind != "f":
        raise TypeError(f"expected uint8, uint16 or float, got {coded.dtype}")
    return coded.astype(np.float32, copy=False)


def to_uint8(values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Round floats in [0, 1] to uint8 (any shape), clipping what is outside; NaN becomes 0."""
    return _quantised(values, 255).astype(np.uint8)


def to_uint16(values: npt.NDArray[Any]) -> npt.NDArray[np.uint16]:
    """Round floats in [0, 1] to uint16 (any shape), clipping what is outside; NaN becomes 0."""
    return _quantised(values, 65535).astype(np.uint16)


def _quantised(values: npt.NDArray[Any], top: int) -> npt.NDArray[np.float32]:
    if values.dtype.kind != "f":
        raise TypeError(f"expected float, got {values.dtype}")
    scaled: npt.NDArray[np.float32] = np.multiply(values, np.float32(top), dtype=np.float32)
    scaled += np.float32(0.5)
    np.fmax(scaled, 0, out=scaled)  # fmax, not clip: NaN must not reach the cast
    np.fmin(scaled, top, out=scaled)
    return scaled


def resize(array: npt.NDArray[Any], size: tuple[int, int]) -> npt.NDArray[Any]:
    """Resample (H, W) or (H, W, C) to `size` = (height, width); the dtype stays.

    Area average along an axis that shrinks, linear interpolation along one that grows.
    uint8, uint16, float32 or float64.

    Raises:
        TypeError, ValueError: on another dtype or an empty size.
    """
    if array.dtype not in (np.uint8, np.uint16, np.float32, np.float64):
        raise TypeError(f"expected uint8, uint16, float32 or float64, got {array.dtype}")
    height, width = size
    if min(height, width) < 1 or array.size == 0:
        raise ValueError(f"cannot resize {array.shape} to {size}")
    if array.ndim == 3 and array.shape[2] > 4:  # more than OpenCV averages at once
        parts = [resize(array[..., i : i + 4], size) for i in range(0, array.shape[2], 4)]
        return np.concatenate(parts, axis=2)
    out = array
    small = (min(height, array.shape[0]), min(width, array.shape[1]))
    if small != out.shape[:2]:
        out = cv2.resize(out, small[::-1], interpolation=cv2.INTER_AREA)
    if (height, width) != out.shape[:2]:
        out = cv2.resize(out, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.array(out).reshape(height, width, *array.shape[2:])
