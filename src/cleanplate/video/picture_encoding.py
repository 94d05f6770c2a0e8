"""One frame's colour and alpha as a PNG or an EXR file."""

from __future__ import annotations

import struct
import zlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.errors import CleanplateError
from cleanplate.files.picture_text import with_seal, with_text
from cleanplate.formats.pictures import to_float, to_uint8, to_uint16
from cleanplate.video.frame_layers import FrameLayers, colour_and_alpha, light_and_alpha, needed
from cleanplate.video.output_presets import Output
from cleanplate.video.output_record import sentence
from cleanplate.video.timecode import fields, is_drop

_HEADER = 33
"""Bytes of a PNG before its second chunk."""
_BT709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)


def rgba(layers: FrameLayers, output: Output) -> npt.NDArray[Any]:
    """Give colour and alpha as (H, W, 4) uint8 or uint16, sRGB-coded."""
    colour, alpha = colour_and_alpha(layers, output)
    coded = to_uint8 if output.bits == 8 else to_uint16
    kind = np.uint8 if output.bits == 8 else np.uint16
    rgb = colour if colour.dtype == kind else coded(to_float(colour))
    return np.concatenate([rgb, coded(alpha)[..., None]], axis=2)


def png(layers: FrameLayers, output: Output) -> bytes:
    """Encode as PNG with the chunk sRGB, a comment on the alpha, and the package's seal."""
    bgra = np.ascontiguousarray(rgba(layers, output)[..., [2, 1, 0, 3]])
    _, coded = cv2.imencode(".png", bgra, [cv2.IMWRITE_PNG_COMPRESSION, 3])
    data = bytes(coded)
    body = b"sRGB\x01"  # relative colorimetric
    chunk = struct.pack(">I", 1) + body + struct.pack(">I", zlib.crc32(body))
    data = data[:_HEADER] + chunk + data[_HEADER:]
    return with_seal(with_text(data, sentence(output)))


def write_exr(
    path: Path,
    layers: FrameLayers,
    output: Output,
    *,
    frame_rate: Fraction,
    timecode: str | None,
    pixel_aspect: Fraction,
) -> None:
    """Write RGBA as half floats without a layer's name, and depth as float32 `Z` if asked for.

    Raises:
        CleanplateError: the file cannot be written.
    """
    import OpenEXR

    light, alpha = light_and_alpha(layers, output)
    channels: dict[str, Any] = {
        "RGBA": np.dstack([light, alpha]).astype(np.float16),
    }
    if output.with_depth:
        depth = needed(layers.depth, "depth")
        channels["Z"] = np.ascontiguousarray(depth, dtype=np.float32)
    packing = {"zip": OpenEXR.ZIP_COMPRESSION, "dwaa": OpenEXR.DWAA_COMPRESSION}
    header: dict[str, Any] = {
        "compression": packing[output.compression],
        "type": OpenEXR.scanlineimage,
        "chromaticities": _BT709,
        "framesPerSecond": frame_rate,
        "pixelAspectRatio": float(pixel_aspect),
        "comments": sentence(output),
        "alpha": "premultiplied" if output.premultiplied else "straight",
    }
    if timecode is not None:
        hours, minutes, seconds, count = fields(timecode)
        rest = [0] * 13
        header["timeCode"] = OpenEXR.TimeCode(
            hours, minutes, seconds, count, int(is_drop(timecode)), *rest
        )
    try:
        OpenEXR.File(header, channels).write(str(path))
    except RuntimeError as error:  # the library does not pass the system's error on
        raise CleanplateError(
            f"cannot be written ({error})", file=path, cure="Is the disk full?"
        ) from error
