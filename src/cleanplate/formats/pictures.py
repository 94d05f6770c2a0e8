"""Reading and writing picture files, and conversion between integer and float pictures.

Pictures are read upright (EXIF), converted to sRGB (ICC), with 8 or 16 bits as stored. Files are
written atomically.
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

    Grey is copied to three channels. An alpha channel is ignored: the result is the straight
    colour as stored; `read_rgba` returns both. An animation gives its first frame. An embedded
    colour profile is applied (relative colorimetric); one that cannot be read is ignored with a
    logged warning. 16-bit samples stay 16-bit, except with a profile made of look-up tables,
    which is applied in 8 bits.

    Args:
        source: a path, or an open binary file.
        max_pixels: refuse larger pictures before they are decoded. None = the environment
            variable CLEANPLATE_MAX_PIXELS, else 134 million. Above 2^30 only 8-bit pictures
            and 16-bit grey can be read, because OpenCV has that limit.

    Raises:
        CleanplateError: if the file does not exist, cannot be read, is empty, truncated, too
            large, not a picture, or has samples without a defined range (float, 32-bit integer).
    """
    return decode(source, max_pixels)[0]


def read_rgba(source: Source, *, max_pixels: int | None = None) -> tuple[Coded, Plane | None]:
    """Read a picture and its alpha: (H, W, 3) as `read_image`, and (H, W) in [0, 1] or None.

    The colour is straight (not premultiplied). Alpha is float32; None if the file has none.

    Args:
        source: a path, or an open binary file.
        max_pixels: as in `read_image`.

    Raises:
        CleanplateError: as `read_image` and `check_matte_range`.
    """
    rgb, alpha = decode(source, max_pixels)
    if alpha is not None:
        check_matte_range(alpha, name_of(source))
    return rgb, None if alpha is None else to_float(alpha)


def read_alpha(source: Source, *, max_pixels: int | None = None) -> Plane:
    """Read a matte as (H, W) float32 in [0, 1]: the alpha channel, else a grey picture.

    Values are scaled linearly, without colour profile or transfer function: 0 is outside, the
    maximum of the bit depth (255 or 65535) is inside. All 0 is an empty matte.

    Args:
        source: a path, or an open binary file.
        max_pixels: as in `read_image`.

    Raises:
        CleanplateError: as `read_image` and `check_matte_range`, and if the picture is in colour
            without alpha.
    """
    samples = _one_channel(source, max_pixels, "a matte")
    check_matte_range(samples, name_of(source))
    return to_float(samples)


def read_grey(source: Source, *, max_pixels: int | None = None) -> Plane:
    """Read a grey picture other than a matte, such as relative depth: (H, W) float32 in [0, 1].

    As `read_alpha`, but without `check_matte_range`.

    Args:
        source: a path, or an open binary file.
        max_pixels: as in `read_image`.

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
    """Check that a stored matte uses the full range of its dtype.

    Masks of other tools often have the values 0 and 1 or, in 16-bit files, 0 to 255. Scaled by the
    maximum of the dtype, they would be almost empty. All 0 is valid: a matte without a subject.

    Args:
        matte: (H, W) uint8 or uint16, as stored.
        name: file name for the error; None if the caller adds it.

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
    """Write a picture atomically; the suffix selects the format.

    Args:
        path: ends in .png, .jpg, .jpeg, .webp, .tif, .tiff or .bmp.
        array: (H, W, 3) RGB, (H, W, 4) straight RGBA or (H, W) grey; uint8, uint16 (PNG and
            TIFF only), or float in [0, 1], which is written with 8 bits.
        quality: 1 to 100, of JPEG and WebP.

    Raises:
        CleanplateError: if the file cannot be written or the format does not support the array's
            bit depth or alpha.
        TypeError: on any other dtype.
        ValueError: on any other shape or an empty array.
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
    """Write a matte as a grey picture of 8 or 16 bits.

    Args:
        path: as in `write_image`.
        alpha: (H, W) float in [0, 1]; values outside are clipped.
        bits: 8, or 16 (PNG and TIFF only).

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
    """Convert uint8 or uint16 to float32 in [0, 1]; floats are cast to float32, not scaled.

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
    """Convert floats in [0, 1] of any shape to uint8: rounded and clipped; NaN becomes 0.

    Raises:
        TypeError: on any other dtype.
    """
    return _quantised(values, 255).astype(np.uint8)


def as_uint8(picture: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Convert a picture of any dtype to uint8; one that is uint8 already is given back itself.

    Args:
        picture: any shape; uint8, uint16, or float in [0, 1].

    Raises:
        TypeError: on any other dtype.
    """
    if picture.dtype == np.uint8:
        return np.asarray(picture, np.uint8)
    return to_uint8(to_float(picture))


def to_uint16(values: npt.NDArray[Any]) -> npt.NDArray[np.uint16]:
    """Convert floats in [0, 1] of any shape to uint16: rounded and clipped; NaN becomes 0.

    Raises:
        TypeError: on any other dtype.
    """
    return _quantised(values, 65535).astype(np.uint16)


def _quantised(values: npt.NDArray[Any], top: int) -> npt.NDArray[np.float32]:
    if values.dtype.kind != "f":
        raise TypeError(f"expected float, got {values.dtype}")
    scaled: npt.NDArray[np.float32] = np.multiply(values, np.float32(top), dtype=np.float32)
    scaled += np.float32(0.5)
    np.fmax(scaled, 0, out=scaled)  # fmax, not clip: it turns NaN into 0 before the cast
    np.fmin(scaled, top, out=scaled)
    return scaled


def shrink(picture: npt.NDArray[Any], size: tuple[int, int]) -> npt.NDArray[Any]:
    """Shrink a picture like `resize`, by halves first: a third of the time for large pictures.

    A pixel of the result is the mean of the same area. Where that area cuts a pair of pixels, the
    pair's mean is counted: the centre shifts by a quarter of a large pixel at most. Compare only
    pictures that were shrunk alike.

    Args:
        picture: (H, W) or (H, W, C); uint8, uint16, float32 or float64.
        size: (height, width) of the result in pixels.
    """
    height, width = picture.shape[:2]
    while height >= 2 * size[0] and width >= 2 * size[1] and height % 2 == 0 == width % 2:
        height, width = height // 2, width // 2
        picture = resize(picture, (height, width))
    return picture if (height, width) == tuple(size) else resize(picture, size)


def resize(array: npt.NDArray[Any], size: tuple[int, int]) -> npt.NDArray[Any]:
    """Resize a picture or map; the dtype is kept.

    Area averaging along an axis that shrinks, linear interpolation along one that grows.

    Args:
        array: (H, W) or (H, W, C); uint8, uint16, float32 or float64.
        size: (height, width) of the result in pixels.

    Raises:
        TypeError: on any other dtype.
        ValueError: if the array or the size is empty.
    """
    if array.dtype not in (np.uint8, np.uint16, np.float32, np.float64):
        raise TypeError(f"expected uint8, uint16, float32 or float64, got {array.dtype}")
    height, width = size
    if min(height, width) < 1 or array.size == 0:
        raise ValueError(f"cannot resize {array.shape} to {size}")
    if array.ndim == 3 and array.shape[2] > 4:  # OpenCV averages at most 4 channels at once
        parts = [resize(array[..., i : i + 4], size) for i in range(0, array.shape[2], 4)]
        return np.concatenate(parts, axis=2)
    out = array
    small = (min(height, array.shape[0]), min(width, array.shape[1]))
    if small != out.shape[:2]:
        out = cv2.resize(out, small[::-1], interpolation=cv2.INTER_AREA)
    if (height, width) != out.shape[:2]:
        out = cv2.resize(out, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.array(out).reshape(height, width, *array.shape[2:])
