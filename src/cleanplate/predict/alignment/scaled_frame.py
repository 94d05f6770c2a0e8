"""The frame at full size, at working size, and smaller ones of it that are made when needed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from cleanplate.arrays import Coded, Picture
from cleanplate.formats.pictures import as_uint8, shrink, to_float
from cleanplate.predict.alignment.thumbnail import THUMBNAIL_SIZE, Uint8Image, thumbnail
from cleanplate.predict.size import Size
from cleanplate.predict.size import working_size as size_within


@dataclass(frozen=True, eq=False)
class ScaledFrame:
    """A frame, with its smaller copies.

    full: (H, W, 3) sRGB: uint8, uint16, or float32 in [0, 1].
    working: (h, w, 3) float32 sRGB in [0, 1]: what the network compares.
    """

    full: Coded | Picture
    working: Picture

    @classmethod
    def of(cls, frame: Coded | Picture, working_size: Size) -> ScaledFrame:
        """Shrink a frame; `working_size` is (height, width)."""
        return cls(frame, to_float(shrink(frame, working_size)))

    @cached_property
    def thumbnail(self) -> Uint8Image:
        """(h', w', 3) uint8: what plate health is measured on."""
        size = size_within((self.full.shape[0], self.full.shape[1]), THUMBNAIL_SIZE)
        if self.working.shape[:2] == size:  # as it is by default
            return as_uint8(self.working)
        return thumbnail(self.full)

    def reduced(self, size: Size) -> Uint8Image:
        """Shrink it to `size`, by way of the working size where that is larger."""
        source = self.working if self.working.shape[1] >= size[1] else self.thumbnail
        return as_uint8(shrink(source, size))
