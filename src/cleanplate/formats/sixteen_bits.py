"""16-bit PNG and TIFF decoding, cross-checked between Pillow and OpenCV.

Pillow decodes 16-bit grey in full, but only the upper 8 bits of 16-bit colour; OpenCV decodes both
in full. Each of them decodes some rare but valid files wrongly without an error, so the two results
are compared on a grid of pixels.
"""

from __future__ import annotations

import io
import struct
from contextlib import suppress
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from cleanplate.errors import CleanplateError

_GRID = 256
"""Number of pixels compared along each axis, about."""
_LEVELS = 3
"""Tolerance in 8-bit levels, for rounding and division by alpha."""
_OPAQUE = 128
"""8-bit alpha below which unpremultiplied colours are not compared."""

_PLANAR, _PHOTOMETRIC, _WHITE_IS_ZERO = 284, 262, 0  # TIFF 6.0, sections 8 and 18

Samples = npt.NDArray[np.uint16]
"""16-bit samples, (H, W) or (H, W, 3)."""


class Deep(NamedTuple):
    """Decoded 16-bit colour: (H, W, 3) straight RGB, and (H, W) alpha or None, uint16."""

    rgb: Samples
    alpha: Samples | None


def refuse_planar(image: Image.Image, raw: str, name: str) -> None:
    """Raise an error on a planar 16-bit TIFF; neither decoder supports every variant of it.

    Args:
        image: opened by Pillow, not loaded.
        raw: Pillow's raw mode, the sample layout in the file.
        name: file name, for the error.

    Raises:
        CleanplateError: if the file is a planar 16-bit TIFF.
    """
    if image.format != "TIFF" or _tiff_tag(image, _PLANAR) != 2:
        return
    bits = _tiff_tag(image, 258)
    if ";16" in raw or (isinstance(bits, tuple) and max(bits) > 8):
        raise CleanplateError(
            "is a 16-bit TIFF that stores its channels one after the other (planar)",
            file=name,
            cure="Save it with interleaved channels (in Photoshop: Pixel Order; "
            "`tiffcp -p contig IN.tif OUT.tif`), or as PNG.",
        )


def refuse_planar_tiff(data: bytes, name: str) -> None:
    """Raise an error on a planar 16-bit TIFF, given as bytes, before OpenCV decodes it.

    Args:
        data: the whole file; other formats and damaged files pass.
        name: file name, for the error.

    Raises:
        CleanplateError: if the file is a planar 16-bit TIFF.
    """
    with suppress(OSError, SyntaxError), Image.open(io.BytesIO(data), formats=["TIFF"]) as image:
        refuse_planar(image, "", name)


def colour(data: npt.NDArray[np.uint8], image: Image.Image, raw: str, name: str) -> Deep:
    """Decode 16-bit colour, or 16-bit grey with alpha, with OpenCV.

    Args:
        data: the whole file, (N,).
        image: the same file, loaded by Pillow in 8 bits, which proves that it is complete.
        raw: Pillow's raw mode, the sample layout in the file.
        name: file name, for errors.

    Raises:
        CleanplateError: if OpenCV cannot decode the file in 16 bits, or differs from Pillow.
        cv2.error: if the file is damaged.
    """
    bgr = _decoded(data)
    size = (image.height, image.width)
    if bgr is None or bgr.dtype != np.uint16 or bgr.shape[:2] != size or bgr.ndim != 3:
        raise CleanplateError(
            "cannot be decoded in 16 bits", file=name, cure="Save it again as PNG, or in 8 bits."
        )
    alpha = None
    rgb: Samples = np.ascontiguousarray(bgr[..., 2::-1], np.uint16)
    if bgr.shape[2] == 4 and not raw.startswith("RGBX"):
        alpha = np.ascontiguousarray(bgr[..., 3], np.uint16)
        if raw.startswith("RGBa"):
            rgb = _straight(rgb, alpha)
    _check_colour(rgb, alpha, image, name)
    return Deep(rgb, alpha)


def grey(
    data: npt.NDArray[np.uint8], image: Image.Image, name: str
) -> tuple[Samples, Samples | None]:
    """Convert 16-bit grey, loaded by Pillow, to (H, W) uint16, and (H, W) uint16 alpha or None.

    Args:
        data: the whole file, (N,).
        image: the same file, loaded by Pillow.
        name: file name, for errors.

    Raises:
        CleanplateError: if the samples are 32-bit integers, or OpenCV differs from Pillow.
        cv2.error: if the file is damaged.
    """
    samples = np.asarray(image)
    if samples.itemsize != 2 and image.format not in ("PNG", "PPM", "JPEG2000"):
        raise CleanplateError(
            "has 32-bit integer samples, whose range is not known",
            file=name,
            cure="Save it as 8 or 16 bits, sRGB.",
        )
    samples = samples.astype(np.uint16)
    check_grey(data, samples, image, name)
    if image.format == "TIFF" and _tiff_tag(image, _PHOTOMETRIC) == _WHITE_IS_ZERO:
        samples = np.uint16(65535) - samples  # Pillow inverts 8-bit samples only
    hidden = image.info.get("transparency")
    alpha = np.where(samples == hidden, 0, 65535).astype(np.uint16) if hidden is not None else None
    return samples, alpha


def check_grey(
    data: npt.NDArray[np.uint8], samples: npt.NDArray[Any], image: Image.Image, name: str
) -> None:
    """Check that Pillow and OpenCV decode the same 16-bit grey from a PNG or TIFF.

    Args:
        data: the whole file, (N,); decoded by OpenCV.
        samples: (H, W), as decoded by Pillow.
        image: the same file, opened by Pillow.
        name: file name, for the error.

    Raises:
        CleanplateError: if the two differ.
    """
    if image.format not in ("PNG", "TIFF"):
        return  # in other formats the two scale samples of fewer than 16 bits differently
    second = _decoded(data)
    if second is None or second.dtype != np.uint16 or second.shape[:2] != samples.shape:
        return  # nothing to compare with
    if second.ndim == 3:
        second = second[..., 0]
    _demand_alike(_grid(samples) >> 8, _grid(second) >> 8, name)


def _decoded(data: npt.NDArray[np.uint8]) -> npt.NDArray[Any] | None:
    """Decode with OpenCV; None if it fails, or if a PNG chunk is longer than the file.

    OpenCV allocates the stated length of each PNG chunk, up to 2 GB, so the lengths are checked
    before decoding.
    """
    if data[:4].tobytes() == b"\x89PNG":
        at, kind = 8, b""
        while at + 8 <= data.size and kind != b"IEND":
            length, kind = struct.unpack(">I4s", data[at : at + 8].tobytes())
            at += 12 + length
            if at - 4 > data.size:
                return None
    decoded: npt.NDArray[Any] | None = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    return decoded


def _check_colour(rgb: Samples, alpha: Samples | None, image: Image.Image, name: str) -> None:
    small = np.asarray(image)
    # Without an alpha channel, alpha comes from one transparent colour, absent from Pillow's RGB.
    if alpha is not None and small.shape[2] in (2, 4):
        _demand_alike(_grid(alpha) >> 8, _grid(small[..., -1]), name)
    channels = small[..., :3] if small.shape[2] > 2 else np.repeat(small[..., :1], 3, axis=2)
    first, second = _grid(rgb) >> 8, _grid(channels)
    if alpha is not None:
        seen = _grid(alpha) >> 8 >= _OPAQUE
        first, second = first[seen], second[seen]
    _demand_alike(first, second, name)


def _demand_alike(first: npt.NDArray[Any], second: npt.NDArray[Any], name: str) -> None:
    """Raise an error if two 8-bit decodings differ by more than `_LEVELS`."""
    if first.size and int(np.abs(first.astype(int) - second).max()) > _LEVELS:
        raise CleanplateError(
            "holds 16-bit samples that two decoders read differently",
            file=name,
            cure="Save it again as PNG, or as TIFF with interleaved channels.",
        )


def _grid(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    rows, columns = (max(1, side // _GRID) for side in array.shape[:2])
    return array[::rows, ::columns]


def _straight(rgb: Samples, alpha: Samples) -> Samples:
    """Convert premultiplied 16-bit colour to straight colour."""
    straight = rgb.astype(np.float64) * 65535 / np.maximum(alpha, 1)[..., None]
    return np.asarray(np.rint(np.minimum(straight, 65535)), dtype=np.uint16)


def _tiff_tag(image: Image.Image, tag: int) -> Any:
    return getattr(image, "tag_v2", {}).get(tag)
