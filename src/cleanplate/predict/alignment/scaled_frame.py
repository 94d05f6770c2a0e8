"""The frame at full size, at working size, and smaller ones of it that are made when needed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from cleanplate.arrays import Coded, Picture
from cleanplate.formats.pictures import as_uint8, shrink, to_float
from cleanplate.predict.alignment.thumbnail import THUMBNAIL_SIZE, Uint8Image
from cleanplate.predict.frame_pixels import FramePixels
from cleanplate.predict.size import Size
from cleanplate.predict.size import working_size as size_within


@dataclass(frozen=True, eq=False)
class ScaledFrame:
    """A frame, with its smaller copies.

    pixels: of the frame itself.
    small: (h, w, 3) at working size, of the type of the frame.
    """

    pixels: FramePixels
    small: Coded | Picture

    @classmethod
    def of(cls, pixels: FramePixels, working_size: Size) -> ScaledFrame:
        """Shrink a frame; `working_size` is (height, width)."""
        return cls(pixels, pixels.shrunk(working_size))

    @cached_property
    def working(self) -> Picture:
        """(h, w, 3) float32 sRGB in [0, 1]: what the network compares."""
        return to_float(self.small)

    @cached_property
    def thumbnail(self) -> Uint8Image:
        """(h', w', 3) uint8: what plate health is measured on."""
        size = size_within(self.pixels.size, THUMBNAIL_SIZE)
        if self.small.shape[:2] == size:  # as it is by default
            return as_uint8(self.small)
        return as_uint8(self.pixels.shrunk(size))

    def reduced(self, size: Size) -> Uint8Image:
        """Shrink it to `size`, by way of the working size where that is larger."""
        source = self.small if self.small.shape[1] >= size[1] else self.thumbnail
        return as_uint8(shrink(source, size))
