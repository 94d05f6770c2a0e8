"""The plate as one frame's camera would have seen it: moved, and in that frame's light."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cleanplate.arrays import Coded, Mask, Picture, Plane
from cleanplate.formats.pictures import resize, to_float
from cleanplate.predict.alignment.exposure import Exposure
from cleanplate.predict.alignment.registration import Matrix, covered, warp
from cleanplate.predict.size import Size

REACH = 3
"""Where a moved plate ends, the matte within so many working pixels is taken from further in."""


@dataclass(frozen=True)
class PlateView:
    """A plate, not copied, with what must be done to it for one frame.

    matrix: plate pixels to frame pixels; None = the camera stood still.
    """

    plate: Coded | Picture
    matrix: Matrix | None = None
    exposure: Exposure = field(default_factory=Exposure)

    @property
    def size(self) -> Size:
        """(height, width)."""
        height, width = self.plate.shape[:2]
        return height, width

    def full(self) -> Coded | Picture:
        """Make the plate as the frame's camera would have seen it, at full size."""
        return self.exposure.apply(self._moved())

    def small(self, size: Size) -> tuple[Picture, Mask | None]:
        """Make it smaller, and say where the plate shows something (None: everywhere)."""
        picture = to_float(resize(self._moved(), size))
        light = self.exposure.apply_float(picture)
        if self.matrix is None:
            return light, None
        share = resize(covered(self.size, self.matrix).astype(np.float32), size)
        return light, share > 0.999

    def moved_disparity(self, disparity: Plane) -> Plane:
        """Bring disparity (H, W) to the frame's view; nan where unknown or not covered."""
        if self.matrix is None:
            return disparity
        moved = warp(disparity, self.matrix, nearest=True)
        return np.where(covered(self.size, self.matrix), moved, np.float32(np.nan))

    def _moved(self) -> Coded | Picture:
        return self.plate if self.matrix is None else warp(self.plate, self.matrix)
