"""The plate as one frame's camera would have seen it: registered, and in the frame's exposure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cleanplate.arrays import Coded, Mask, Picture, Plane
from cleanplate.formats.pictures import resize, shrink, to_float
from cleanplate.predict.alignment.exposure import Exposure
from cleanplate.predict.alignment.health import Health
from cleanplate.predict.alignment.homography import Matrix, covered, warp
from cleanplate.predict.alignment.registration import Registration
from cleanplate.predict.size import Size


@dataclass(frozen=True, eq=False)
class AlignedPlate:
    """A plate, not copied, with what was measured of it against one frame.

    plate: (H, W, 3) as it was taken.
    health: whether the plate fits the frame, with the exposure drift between them.
    registration: how the plate lies in the frame; None if it was not registered.
    """

    plate: Coded | Picture
    health: Health
    registration: Registration | None = None

    @property
    def size(self) -> Size:
        """(height, width) in pixels."""
        height, width = self.plate.shape[:2]
        return height, width

    @property
    def exposure(self) -> Exposure:
        """The drift from the plate's exposure to the frame's."""
        return self.health.exposure

    @property
    def matrix(self) -> Matrix | None:
        """(3, 3) plate pixels to frame pixels; None if the plate is used where it lies."""
        found = self.registration
        return found.matrix if found is not None and found.moves else None

    def full(self) -> Coded | Picture:
        """Give the plate, (H, W, 3), moved and in the frame's exposure; dtype as it was taken.

        It is kept: frames of a clip share an aligned plate as long as nothing changes.
        """
        return self._full

    def part(self, rows: slice, columns: slice) -> Coded | Picture:
        """Give `full()[rows, columns]`; what lies outside is not computed where that can be."""
        if "_full" in self.__dict__ or self.matrix is not None:
            return self._full[rows, columns]
        return self.exposure.apply(self.plate[rows, columns])

    def moved_part(self, rows: slice, columns: slice) -> Coded | Picture:
        """Give a part of the plate, moved, in its own exposure."""
        return self._moved[rows, columns]

    @cached_property
    def _full(self) -> Coded | Picture:
        return self.exposure.apply(self._moved)

    def small(self, size: Size) -> tuple[Picture, Mask | None]:
        """Give the same at (height, width) `size`, and where the plate shows something.

        Returns:
            (h, w, 3) float32 sRGB in [0, 1], and (h, w) bool; None = everywhere.
        """
        picture = self.exposure.apply_float(to_float(shrink(self._moved, size)))
        if self.matrix is None:
            return picture, None
        share = resize(covered(self.size, self.matrix).astype(np.float32), size)
        return picture, share > 0.999

    def moved_disparity(self, disparity: Plane) -> Plane:
        """Register disparity (H, W) of the plate; nan where unknown or not covered."""
        if self.matrix is None:
            return disparity
        moved = warp(disparity, self.matrix, nearest=True)
        return np.where(covered(self.size, self.matrix), moved, np.float32(np.nan))

    @cached_property
    def _moved(self) -> Coded | Picture:
        return self.plate if self.matrix is None else warp(self.plate, self.matrix)
