"""16-bit samples of a picture, each decoding checked against a second decoder.

Pillow holds 16-bit grey but only the upper 8 bits of 16-bit colour, which OpenCV decodes in full.
Each of the two misreads some files that are rare but valid, silently. So what one of them gives is
compared with what the other gives, on a grid of pixels.
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
"""Pixels compared along each side."""
_LEVELS = 3
"""Of 255: so much may two decoders differ by rounding, and by dividing by alpha."""
_OPAQUE = 128
"""Of 255: below this alpha, colours that were divided by it are not compared."""

_PLANAR, _PHOTOMETRIC, _WHITE_IS_ZERO = 284, 262, 0  # TIFF 6.0, sections 8 and 18

Samples = npt.NDArray[np.uint16]


class Deep(NamedTuple):
    """(H, W, 3) RGB and (H, W) alpha or None, uint16, as stored but straight."""

    rgb: Samples
    alpha: Samples | None


def refuse_planar(image: Image.Image, raw: str, name: str) -> None:
    """Refuse 16-bit TIFF with one plane per channel: neither decoder reads every kind of it.

    Args:
        image: opened, not loaded.
        raw: how samples lie in the file, in Pillow's words.
        name: of the file.

    Raises:
        CleanplateError: if it is such a file.
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
    """As `refuse_planar`, of the bytes of a file that OpenCV alone is going to decode."""
    with suppress(OSError, SyntaxError), Image.open(io.BytesIO(data), formats=["TIFF"]) as image:
        refuse_planar(image, "", name)


def colour(data: npt.NDArray[np.uint8], image: Image.Image, raw: str, name: str) -> Deep:
    """Decode 16-bit colour, or grey with alpha, by OpenCV.

    Args:
        data: the file.
        image: the same, loaded by Pillow in 8 bits, which proves it whole.
        raw: how samples lie in the file, in Pillow's words.
        name: of the file.

    Raises:
        CleanplateError: if OpenCV does not decode it, or other pixels than Pillow.
        cv2.error: if it is damaged.
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
    """Give 16-bit grey, loaded by Pillow, as (H, W), and (H, W) alpha or None.

    Args:
        data: the file.
        image: the same, loaded.
        name: of the file.

    Raises:
        CleanplateError: on integers of 32 bits, and if OpenCV decodes other pixels.
        cv2.error: if it is damaged.
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
        samples = np.uint16(65535) - samples  # Pillow does so with 8 bits only
    hidden = image.info.get("transparency")
    alpha = np.where(samples == hidden, 0, 65535).astype(np.uint16) if hidden is not None else None
    return samples, alpha


def check_grey(
    data: npt.NDArray[np.uint8], samples: npt.NDArray[Any], image: Image.Image, name: str
) -> None:
    """Compare 16-bit grey of PNG and TIFF, (H, W) as Pillow loaded it, with OpenCV's.

    Raises:
        CleanplateError: if they differ.
    """
    if image.format not in ("PNG", "TIFF"):
        return  # of the others the two scale samples of fewer than 16 bits differently
    second = _decoded(data)
    if second is None or second.dtype != np.uint16 or second.shape[:2] != samples.shape:
        return  # nothing to compare with
    if second.ndim == 3:
        second = second[..., 0]
    _demand_alike(_grid(samples) >> 8, _grid(second) >> 8, name)


def _decoded(data: npt.NDArray[np.uint8]) -> npt.NDArray[Any] | None:
    """Decode by OpenCV; None if it cannot, or if that would take memory without end.

    For each chunk of a PNG it sets aside what the chunk's length claims, up to 2 GB: the lengths
    are read by hand, before any decoder sees them.
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
    # Without a channel of its own, alpha marks one colour, which Pillow's 8 bits do not tell.
    if alpha is not None and small.shape[2] in (2, 4):
        _demand_alike(_grid(alpha) >> 8, _grid(small[..., -1]), name)
    channels = small[..., :3] if small.shape[2] > 2 else np.repeat(small[..., :1], 3, axis=2)
    first, second = _grid(rgb) >> 8, _grid(channels)
    if alpha is not None:
        seen = _grid(alpha) >> 8 >= _OPAQUE
        first, second = first[seen], second[seen]
    _demand_alike(first, second, name)


def _demand_alike(first: npt.NDArray[Any], second: npt.NDArray[Any], name: str) -> None:
    """Raise where two decodings, in 8 bits, differ by more than rounding."""
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
    """Divide stored-premultiplied 16-bit colour by its alpha."""
    straight = rgb.astype(np.float64) * 65535 / np.maximum(alpha, 1)[..., None]
    return np.asarray(np.rint(np.minimum(straight, 65535)), dtype=np.uint16)


def _tiff_tag(image: Image.Image, tag: int) -> Any:
    return getattr(image, "tag_v2", {}).get(tag)
