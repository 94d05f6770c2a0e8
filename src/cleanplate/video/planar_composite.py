"""Background replacement in 4:2:0 planes: the subject keeps the codes that the camera gave it.

Where alpha is 1 or 0, codes are copied from the frame or the background, so that a composite costs
no conversion to R'G'B' and back, and no second loss of chroma. Colours are mixed as by
`matte.background_replacement` at the pixels between: once for luma, and at half the size for
chroma, with the mean alpha of what a sample of chroma covers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Bytes, Coded, Picture, Plane
from cleanplate.bilinear import Indices, enlarge
from cleanplate.formats.pictures import as_uint8
from cleanplate.matte.background_replacement import (
    OPAQUE,
    mix_pixels,
    replace_background,
)
from cleanplate.video.clip import ClipFrame
from cleanplate.video.ycbcr import BT709, halved
from cleanplate.video.ycbcr_picture import YCbCrPicture


@dataclass(frozen=True, eq=False)
class SteadyPicture:
    """A plate or background that stays for many frames, with what is computed of it once.

    source: (H, W, 3), as it was given.
    """

    source: Coded | Picture

    @cached_property
    def rgb(self) -> Bytes:
        """(H, W, 3) uint8."""
        return as_uint8(self.source)

    @cached_property
    def planes(self) -> YCbCrPicture:
        """Coded as `BT709`."""
        return YCbCrPicture.of(self.rgb, BT709)

    @cached_property
    def at_chroma(self) -> Bytes:
        """(ceil(H / 2), ceil(W / 2), 3) uint8: R'G'B' where chroma lies."""
        channels = [halved(np.asarray(one), BT709) for one in cv2.split(self.rgb)]
        return np.asarray(cv2.merge(channels), np.uint8)


class Steady:
    """The last picture that it was given, for as long as it is given the same array."""

    def __init__(self) -> None:
        self._last: SteadyPicture | None = None

    def of(self, source: Coded | Picture) -> SteadyPicture:
        """Give the picture, the one of before if `source` is that array."""
        last = self._last
        if last is None or last.source is not source:
            last = self._last = SteadyPicture(source)
        return last


def composite_of(
    frame: ClipFrame,
    plate: SteadyPicture,
    background: SteadyPicture,
    alpha: Plane,
    shadow: Plane,
) -> Bytes | YCbCrPicture:
    """Replace a frame's background: in its planes, if it has them, coded as composites are.

    Args:
        frame: of a clip.
        plate: registered, with the frame's exposure.
        background: of the frame's size.
        alpha: (H, W) in [0, 1].
        shadow: see `replace_background`.
    """
    planes = frame.picture
    if isinstance(planes, YCbCrPicture) and planes.coding == BT709:
        return replace_in_planes(planes, plate, background, alpha, shadow)
    return replace_background(as_uint8(frame.rgb), plate.rgb, alpha, background.rgb, shadow)


def replace_in_planes(
    frame: YCbCrPicture,
    plate: SteadyPicture,
    background: SteadyPicture,
    alpha: Plane,
    shadow: Plane,
) -> YCbCrPicture:
    """Replace the background of a frame that is coded as `BT709`; see `composite_of`."""
    new = background.planes
    made = YCbCrPicture(new.luma.copy(), new.blue.copy(), new.red.copy(), frame.coding)
    levels = np.asarray(cv2.convertScaleAbs(alpha, alpha=OPAQUE), np.uint8)
    inside = _Cells.around(levels)
    if inside is None:
        return made
    rows = frame.coding.encoding()
    rows[:, :3] /= 255
    # Smooth: where chroma lies it is known well enough for the pixels around, too.
    dark = enlarge(shadow, frame.blue.shape).reshape(-1)
    levels = levels[inside.pixels]
    _lay_over(made.luma, frame.luma, levels, inside.pixels)
    soft = _between(levels)
    if soft.size:
        points = _in_whole(soft, inside.pixels, frame.luma.shape[1])
        mixed = mix_pixels(
            _taken(frame.part(*inside.pixels), soft),
            _taken(plate.rgb, points),
            _taken(background.rgb, points),
            np.take(alpha.reshape(-1), points),
            np.take(dark, frame.chroma_sites(points)),
        )
        made.luma.reshape(-1)[points] = _coded(mixed, rows[:1])[:, 0]
    # The share of a chroma sample is counted as chroma itself is.
    shares = np.asarray(halved(levels, frame.coding), np.uint8)
    _lay_over(made.blue, frame.blue, shares, inside.samples)
    _lay_over(made.red, frame.red, shares, inside.samples)
    cells = _between(shares)
    if cells.size:
        sites = _in_whole(cells, inside.samples, frame.blue.shape[1])
        mixed = mix_pixels(
            frame.at_chroma(sites),
            _taken(plate.at_chroma, sites),
            _taken(background.at_chroma, sites),
            np.take(shares.reshape(-1), cells) * np.float32(1 / OPAQUE),
            np.take(dark, sites),
        )
        codes = _coded(mixed, rows[1:])
        made.blue.reshape(-1)[sites] = codes[:, 0]
        made.red.reshape(-1)[sites] = codes[:, 1]
    return made


class _Cells(NamedTuple):
    """A rectangle of whole cells of chroma.

    pixels: its rows and columns in luma.
    samples: likewise in chroma.
    """

    pixels: tuple[slice, slice]
    samples: tuple[slice, slice]

    @classmethod
    def around(cls, levels: Bytes) -> _Cells | None:
        """Enclose what is not 0, with a cell beside it, which chroma's filter reaches; or None."""
        left, top, width, height = cv2.boundingRect(levels)
        if not width:
            return None
        spans = (_span(top, height, levels.shape[0]), _span(left, width, levels.shape[1]))
        (rows, half_rows), (columns, half_columns) = spans
        return cls((rows, columns), (half_rows, half_columns))


def _span(start: int, length: int, limit: int) -> tuple[slice, slice]:
    first, last = max(0, start // 2 - 1), (start + length + 1) // 2 + 1
    pixels = slice(2 * first, min(limit, 2 * last))
    return pixels, slice(first, (pixels.stop + 1) // 2)


def _lay_over(whole: Bytes, own: Bytes, levels: Bytes, part: tuple[slice, slice]) -> None:
    """Copy what is opaque over a part of a plane."""
    cv2.copyTo(own[part], cv2.inRange(levels, OPAQUE, OPAQUE), whole[part])


def _between(levels: Bytes) -> Indices:
    """Give the flat indices of what is neither 0 nor opaque."""
    return np.flatnonzero(np.asarray(cv2.inRange(levels, 1, OPAQUE - 1)).view(np.bool_))


def _in_whole(points: Indices, part: tuple[slice, slice], width: int) -> Indices:
    """Convert flat indices of a part to those of a plane of this width."""
    rows, columns = part
    wide = columns.stop - columns.start
    first = rows.start * width + columns.start
    found: Indices = points + points // wide * (width - wide) + first
    return found


def _taken(picture: Bytes, points: Indices) -> Bytes:
    return np.take(np.ascontiguousarray(picture).reshape(-1, 3), points, axis=0)


def _coded(pixels: Bytes, rows: npt.NDArray[np.float64]) -> Bytes:
    """Code (n, 3) R'G'B' by rows of the encoding matrix: (n, rows)."""
    codes = cv2.transform(pixels[None], rows.astype(np.float32))
    return np.asarray(codes, np.uint8).reshape(len(pixels), len(rows))
