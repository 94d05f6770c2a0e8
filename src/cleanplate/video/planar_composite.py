"""Background replacement in 4:2:0 planes: the subject keeps the codes that the camera gave it.

Where alpha is 1 or 0, codes are copied from the frame or the background, so that a composite costs
no conversion to R'G'B' and back, and no second loss of chroma. Colours are mixed as by
`matte.background_replacement` at the pixels between: once for luma, and at half the size for
chroma, with the mean alpha of what a sample of chroma covers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

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
    soft_points,
)
from cleanplate.video.clip import ClipFrame
from cleanplate.video.ycbcr import BT709, Samples, halved
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
    rows = frame.coding.encoding()
    rows[:, :3] /= 255
    # Smooth: where chroma lies it is known well enough for the pixels around, too.
    dark = enlarge(shadow, frame.blue.shape).reshape(-1)
    levels, soft = soft_points(alpha)
    luma = _laid_over(frame.luma, levels, background.planes.luma)
    if soft.size:
        share = np.take(alpha.reshape(-1), soft)
        mixed = mix_pixels(
            _taken(frame.rgb, soft),
            _taken(plate.rgb, soft),
            _taken(background.rgb, soft),
            share,
            np.take(dark, frame.chroma_sites(soft)),
        )
        luma.reshape(-1)[soft] = _coded(mixed, rows[:1])[:, 0]
    # The share of a chroma sample is counted as chroma itself is.
    shares = halved(levels, frame.coding)
    blue, red = (
        _laid_over(own, shares, new)
        for own, new in (
            (frame.blue, background.planes.blue),
            (frame.red, background.planes.red),
        )
    )
    cells = np.flatnonzero(np.asarray(cv2.inRange(shares, 1, OPAQUE - 1)).view(np.bool_))
    if cells.size:
        mixed = mix_pixels(
            frame.at_chroma(cells),
            _taken(plate.at_chroma, cells),
            _taken(background.at_chroma, cells),
            np.take(shares.reshape(-1), cells) * np.float32(1 / OPAQUE),
            np.take(dark, cells),
        )
        codes = _coded(mixed, rows[1:])
        blue.reshape(-1)[cells] = codes[:, 0]
        red.reshape(-1)[cells] = codes[:, 1]
    return YCbCrPicture(luma, blue, red, frame.coding)


def _laid_over(own: Bytes, levels: Samples, new: Bytes) -> Bytes:
    """Copy what is opaque over a new plane."""
    out = new.copy()
    cv2.copyTo(own, cv2.inRange(levels, OPAQUE, OPAQUE), out)
    return out


def _taken(picture: Bytes, points: Indices) -> Bytes:
    return np.take(picture.reshape(-1, 3), points, axis=0)


def _coded(pixels: Bytes, rows: npt.NDArray[np.float64]) -> Bytes:
    """Code (n, 3) R'G'B' by rows of the encoding matrix: (n, rows)."""
    codes = cv2.transform(pixels[None], rows.astype(np.float32))
    return np.asarray(codes, np.uint8).reshape(len(pixels), len(rows))
