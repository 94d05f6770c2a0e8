"""A frame as 4:2:0 planes of 8 bits, which are decoded when they are needed."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import cv2
import numpy as np

from cleanplate.arrays import Bytes
from cleanplate.bilinear import Indices
from cleanplate.formats.pictures import shrink
from cleanplate.predict.frame_pixels import FramePixels
from cleanplate.predict.size import Size
from cleanplate.video.ycbcr import YCbCr, to_420, to_rgb


class _Part(NamedTuple):
    """R'G'B' of some rows and columns."""

    rows: slice
    columns: slice
    rgb: Bytes

    def holds(self, rows: slice, columns: slice) -> bool:
        """Tell whether other rows and columns lie within."""
        spans = ((self.rows, rows), (self.columns, columns))
        return all(out.start <= one.start and one.stop <= out.stop for out, one in spans)

    def part(self, rows: slice, columns: slice) -> Bytes:
        """Give rows and columns of the whole picture that lie within."""
        high, wide = (
            slice(one.start - out.start, one.stop - out.start)
            for out, one in ((self.rows, rows), (self.columns, columns))
        )
        return self.rgb[high, wide]


@dataclass(frozen=True, eq=False)
class YCbCrPicture(FramePixels):
    """Planes of one frame.

    luma: (H, W) uint8.
    blue, red: Cb and Cr, (ceil(H / 2), ceil(W / 2)) uint8.
    coding: of 8 bits.
    """

    luma: Bytes
    blue: Bytes
    red: Bytes
    coding: YCbCr
    _kept: list[_Part] = field(default_factory=list, init=False, repr=False)

    @classmethod
    def of(cls, rgb: Bytes, coding: YCbCr) -> YCbCrPicture:
        """Code (H, W, 3) R'G'B'."""
        luma, blue, red = to_420(rgb, coding)
        return cls(luma, blue, red, coding)

    @property
    def size(self) -> Size:
        """(height, width)."""
        return self.luma.shape[0], self.luma.shape[1]

    @cached_property
    def rgb(self) -> Bytes:
        """(H, W, 3) uint8 R'G'B', decoded on first use."""
        height, width = self.size
        return np.ascontiguousarray(self.part(slice(0, height), slice(0, width)))

    def part(self, rows: slice, columns: slice) -> Bytes:
        """Give `rgb[rows, columns]`, within a level; the last part that was decoded is kept."""
        if not (self._kept and self._kept[0].holds(rows, columns)):
            self._kept[:] = [self._decoded(rows, columns)]
        return self._kept[0].part(rows, columns)

    def _decoded(self, rows: slice, columns: slice) -> _Part:
        """Decode a part, with its neighbours, between which chroma is interpolated."""
        high, wide = (
            _with_neighbours(one, limit)
            for one, limit in zip((rows, columns), self.size, strict=True)
        )
        half = (_halved(high), _halved(wide))
        rgb = to_rgb(self.luma[high, wide], self.blue[half], self.red[half], self.coding)
        with_border = _Part(high, wide, np.asarray(rgb, np.uint8))
        return _Part(rows, columns, with_border.part(rows, columns))

    def shrunk(self, size: Size) -> Bytes:
        """Give it smaller, uint8: the planes are, and only then decoded.

        The mean of codes decodes to the mean of R'G'B'; up to clipping, it is what `shrink` makes
        of `rgb`.
        """
        if size == self.size:
            return self.rgb
        planes = (self.luma, self._centred(self.blue), self._centred(self.red))
        luma, blue, red = (np.asarray(shrink(one, size)) for one in planes)
        return np.asarray(to_rgb(luma, blue, red, self.coding), np.uint8)

    def _centred(self, chroma: Bytes) -> Bytes:
        """Move samples by a quarter of a sample to the middle of the pixels that they are for."""
        if not self.coding.co_sited or chroma.shape[1] == 1:
            return chroma
        right = np.asarray(cv2.copyMakeBorder(chroma[:, 1:], 0, 0, 0, 1, cv2.BORDER_REPLICATE))
        return np.asarray(cv2.addWeighted(chroma, 0.75, right, 0.25, 0), np.uint8)

    def chroma_sites(self, points: Indices) -> Indices:
        """Give flat indices (n) into the planes of chroma for those of pixels."""
        row = points // self.luma.shape[1]
        column = points - row * self.luma.shape[1]
        sites: Indices = (row >> 1) * self.blue.shape[1] + (column >> 1)
        return sites

    def at_chroma(self, sites: Indices) -> Bytes:
        """Decode where chroma lies, at flat indices (n) into its planes: (n, 3) uint8.

        Luma there is the mean that `ycbcr.halved` counts.
        """
        height, width = self.size
        row = sites // self.blue.shape[1]
        column = 2 * (sites - row * self.blue.shape[1])
        above, below = 2 * row * width, np.minimum(2 * row + 1, height - 1) * width
        right = np.minimum(column + 1, width - 1)
        columns = [(column, 1), (right, 1)]
        if self.coding.co_sited:
            columns = [(np.maximum(column - 1, 0), 1), (column, 2), (right, 1)]
        luma, parts = self.luma.reshape(-1), 2 * sum(weight for _, weight in columns)
        codes = np.zeros((1, len(sites), 3), np.uint16)
        for place, weight in columns:
            for line in (above, below):
                codes[0, :, 0] += weight * np.take(luma, line + place).astype(np.uint16)
        for channel, plane in ((1, self.blue), (2, self.red)):
            codes[0, :, channel] = np.take(plane.reshape(-1), sites)
        codes[..., 1:] *= parts
        if not codes.size:
            return np.empty((0, 3), np.uint8)
        matrix = self.coding.decoding() * (255 * 128)  # rounded once, as in `to_rgb`
        matrix[:, :3] /= parts
        levels = cv2.transform(codes, matrix.astype(np.float32))
        rgb: Bytes = np.asarray(cv2.convertScaleAbs(levels, alpha=1 / 128), np.uint8)[0]
        return rgb


def _with_neighbours(span: slice, limit: int) -> slice:
    """Widen a span of pixels to whole samples of chroma, and by one on each side."""
    first, last = span.start // 2 * 2 - 2, (span.stop + 1) // 2 * 2 + 2
    return slice(max(0, first), min(limit, last))


def _halved(span: slice) -> slice:
    return slice(span.start // 2, (span.stop + 1) // 2)
