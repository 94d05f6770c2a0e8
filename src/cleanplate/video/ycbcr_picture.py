"""A frame as 4:2:0 planes of 8 bits, which are decoded when they are needed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from cleanplate.arrays import Bytes
from cleanplate.bilinear import Indices
from cleanplate.predict.size import Size
from cleanplate.video.ycbcr import YCbCr, to_420, to_rgb


@dataclass(frozen=True, eq=False)
class YCbCrPicture:
    """Planes of one frame.

    luma: (H, W) uint8.
    blue, red: Cb and Cr, (ceil(H / 2), ceil(W / 2)) uint8.
    coding: of 8 bits.
    """

    luma: Bytes
    blue: Bytes
    red: Bytes
    coding: YCbCr

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
        return np.asarray(to_rgb(self.luma, self.blue, self.red, self.coding), np.uint8)

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
