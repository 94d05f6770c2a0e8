"""The plate's depth as it is given: from a sensor, a scan, or another network."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from cleanplate.arrays import Mask, Plane
from cleanplate.depth import Normalisation
from cleanplate.errors import CleanplateError
from cleanplate.predict.alignment.homography import Matrix, covered, scaled, warp
from cleanplate.predict.geometry import disparity_fusion
from cleanplate.predict.size import SAME_ASPECT, Size


@dataclass(frozen=True, eq=False)
class PlateDisparity:
    """Disparity of a plate, given or estimated.

    values: (h, w) float32; nan where unknown.
    metric: whether it is in 1/m; else it is relative, larger is nearer.
    source: what it comes from, for the report.
    """

    values: Plane
    metric: bool
    source: dict[str, Any]


@dataclass(frozen=True, eq=False)
class PlateDepth:
    """Metric disparity of a plate, at any resolution of the plate's own view.

    given: (h, w) disparity in 1/m, 0 at infinity, nan where unknown.
    size: (height, width) of the plate.
    normalisation: what turns it into the relative disparity that networks see, and back.
    """

    given: Plane
    size: Size
    normalisation: Normalisation

    @classmethod
    def of(cls, given: Plane, size: Size) -> PlateDepth:
        """Take the disparity of a plate of (height, width) `size`.

        Raises:
            CleanplateError: the shapes differ by more than `SAME_ASPECT`.
        """
        ratio = (given.shape[1] * size[0]) / (given.shape[0] * size[1])
        if max(ratio, 1 / ratio) > 1 + SAME_ASPECT:
            raise CleanplateError(
                f"the plate's depth is {given.shape[1]} x {given.shape[0]} and the plate "
                f"{size[1]} x {size[0]}: the shapes differ",
                cure="give depth of the plate's own view; only its resolution may differ",
            )
        return cls(given, size, Normalisation.of(given))

    @cached_property
    def full(self) -> Plane:
        """(H, W) at the plate's size, nearest pixel."""
        return disparity_fusion.at_size(self.given, self.size)

    @cached_property
    def report(self) -> dict[str, Any]:
        """What is known of it, and what is doubtful; see `disparity_fusion.depth_report`."""
        return disparity_fusion.depth_report(self.given)

    def relative(self, size: Size) -> tuple[Plane, Mask]:
        """Give relative disparity at (height, width) `size`, and where it is known."""
        return disparity_fusion.for_network(self.given, self.normalisation, size)

    def small(self, size: Size, matrix: Matrix | None) -> Plane:
        """Give it at a smaller (height, width) `size`, registered; nan where unknown."""
        disparity = disparity_fusion.at_size(self.given, size)
        if matrix is None:
            return disparity
        coarse = scaled(matrix, size[1] / self.size[1])
        moved = warp(disparity, coarse, nearest=True)
        return np.where(covered(size, coarse), moved, np.float32(np.nan))
