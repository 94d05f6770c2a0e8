"""The frame at full size, at working size and as a thumbnail."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cleanplate.arrays import Coded, Picture
from cleanplate.formats.pictures import resize, to_float
from cleanplate.predict.alignment.thumbnail import Uint8Image, thumbnail
from cleanplate.predict.size import Size


@dataclass(frozen=True, eq=False)
class ScaledFrame:
    """A frame, with its smaller copies.

    full: (H, W, 3) sRGB: uint8, uint16, or float32 in [0, 1].
    working: (h, w, 3) float32 sRGB in [0, 1]: what the network compares.
    thumbnail: (h', w', 3) uint8: what plate health is measured on.
    """

    full: Coded | Picture
    working: Picture
    thumbnail: Uint8Image

    @classmethod
    def of(cls, frame: Coded | Picture, working_size: Size) -> ScaledFrame:
        """Shrink a frame; `working_size` is (height, width)."""
        small = thumbnail(frame)
        # The two sizes are the same by default: then the frame is shrunk once.
        reuse = frame.dtype == np.uint8 and small.shape[:2] == working_size
        return cls(frame, to_float(small if reuse else resize(frame, working_size)), small)
