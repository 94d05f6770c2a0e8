"""FFmpeg's frames as arrays: decoded ones to R'G'B', planes into frames to encode."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Coded
from cleanplate.video.pyav import av
from cleanplate.video.ycbcr import Samples, YCbCr, grey_to_rgb, to_rgb
from cleanplate.video.ycbcr_picture import YCbCrPicture

_SUBSAMPLED = {(1, 1): "444", (2, 2): "420", (2, 1): "422", (1, 2): "440", (4, 1): "411"}


def bits_of(frame: av.VideoFrame) -> int:
    """Bits per sample, of a palette those of its colours."""
    return 8 if frame.format.has_palette else int(frame.format.components[0].bits)


def is_rgb(frame: av.VideoFrame) -> bool:
    """Whether samples are R'G'B' (or indices of a palette of them)."""
    return bool(frame.format.is_rgb or frame.format.has_palette)


def is_grey(frame: av.VideoFrame) -> bool:
    """Whether there is luma alone, with or without alpha."""
    name = frame.format.name
    return name.startswith(("gray", "ya8", "ya16", "mono"))


def has_alpha(frame: av.VideoFrame) -> bool:
    """Whether the frame has an alpha channel."""
    return any(part.is_alpha for part in frame.format.components)


def plane(frame: av.VideoFrame, index: int, kind: type[Any]) -> Samples:
    """View a plane as (H, W) samples of type `kind`, without the padding of its rows."""
    part: Any = frame.planes[index]
    rows: Samples = np.frombuffer(part, kind)
    rows = rows.reshape(part.height, part.line_size // rows.itemsize)
    return rows[:, : part.width]


def decoded(frame: av.VideoFrame, coding: YCbCr | None) -> Coded:
    """Give a decoded frame as (H, W, 3) R'G'B', uint8 of 8 bits, else uint16.

    Args:
        frame: in any pixel format that lies in main memory.
        coding: of YCbCr and grey; None of R'G'B'.
    """
    bits = bits_of(frame)
    if coding is None:
        if bits <= 8:
            return np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)
        return _deep_rgb(frame, bits)
    kind = np.uint8 if bits <= 8 else np.uint16
    if is_grey(frame):
        if frame.format.name not in ("gray", f"gray{bits}le"):
            frame = frame.reformat(format="gray" if bits <= 8 else "gray16le")
            coding = YCbCr(coding.matrix, coding.full_range, 8 if bits <= 8 else 16)
        return grey_to_rgb(plane(frame, 0, kind), coding)
    frame = _planar(frame, bits)
    luma, blue, red = (plane(frame, i, kind) for i in range(3))
    return to_rgb(luma, blue, red, coding)


def undecoded(frame: av.VideoFrame, coding: YCbCr) -> YCbCrPicture | None:
    """Give a frame of 8 bits and 4:2:0 as its planes; None if it is of another kind."""
    if coding.bits != 8 or is_grey(frame):
        return None
    frame = _planar(frame, 8)
    if "420" not in frame.format.name:
        return None
    luma, blue, red = (np.ascontiguousarray(plane(frame, i, np.uint8)) for i in range(3))
    return YCbCrPicture(luma, blue, red, coding)


def _planar(frame: av.VideoFrame, bits: int) -> av.VideoFrame:
    """Give YCbCr in separate little-endian planes; repacking does not change values."""
    name = frame.format.name
    ending = "" if bits <= 8 else f"{bits}le"
    chroma = frame.format.components[1]
    factors = (round(frame.width / chroma.width), round(frame.height / chroma.height))
    sampling = _SUBSAMPLED.get(factors, "444")
    if name in (f"{kind}{sampling}p{ending}" for kind in ("yuv", "yuva", "yuvj")):
        return frame
    return frame.reformat(format=f"yuv{sampling}p{ending}")


def _deep_rgb(frame: av.VideoFrame, bits: int) -> npt.NDArray[np.uint16]:
    name = frame.format.name
    if bits >= 16 or not name.startswith("gbr"):
        return np.asarray(frame.to_ndarray(format="rgb48le"), dtype=np.uint16)
    if not name.endswith("le"):
        frame = frame.reformat(format=f"gbrp{bits}le")
    green, blue, red = (plane(frame, i, np.uint16) for i in range(3))
    scale = 65535 / (2**bits - 1)
    merged: Samples = np.stack([red, green, blue], axis=2)
    return np.rint(merged * np.float32(scale)).astype(np.uint16)


def filled(pixel_format: str, planes: list[Samples]) -> av.VideoFrame:
    """Make a frame of `pixel_format` of its planes, each (H, W) of its samples' type."""
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, pixel_format)
    for index, samples in enumerate(planes):
        plane(frame, index, samples.dtype.type)[...] = samples
    return frame


def orientation(frame: av.VideoFrame) -> tuple[int, bool]:
    """Read the display matrix: degrees clockwise to turn, and whether to mirror before that.

    The matrix sends (x, y) to (a x + c y, b x + d y), y down (ISO/IEC 14496-12, 6.2.2); mirroring
    is left to right. Angles that are no quarter turns count as the nearest one.
    """
    sides: Any = frame.side_data
    for side in sides:
        if side.type.name == "DISPLAYMATRIX":
            values = np.frombuffer(bytes(side), np.int32)[:9].astype(np.float64)
            a, b, c, d = values[0], values[1], values[3], values[4]
            mirrored = a * d - b * c < 0
            if mirrored:  # the matrix with its mirror undone: x to -x first
                a, b = -a, -b
            return round(np.degrees(np.arctan2(b, a)) / 90) * 90 % 360, bool(mirrored)
    return 0, False


def upright(rgb: Coded, rotation: int, mirrored: bool) -> Coded:
    """Turn (H, W, 3) as `orientation` says."""
    picture: Samples = rgb
    if mirrored:
        picture = np.asarray(cv2.flip(picture, 1))
    turns = {
        90: cv2.ROTATE_90_CLOCKWISE,
        180: cv2.ROTATE_180,
        270: cv2.ROTATE_90_COUNTERCLOCKWISE,
    }
    if rotation:
        picture = np.asarray(cv2.rotate(picture, turns[rotation]))
    return picture
