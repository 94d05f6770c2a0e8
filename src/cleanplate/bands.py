"""Bands of rows, and the rows or columns that hold something: large pictures in parts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cleanplate.arrays import Mask

PIXELS = 1 << 18
"""Pixels in a band: few enough for its arrays to fit in the processor's cache."""


def bands(shape: tuple[int, ...], step: int = 1) -> Iterator[slice]:
    """Yield slices of rows with about `PIXELS` pixels each, from top to bottom.

    Args:
        shape: (H, W, ...) of the array to slice.
        step: every slice but the last has a multiple of so many rows.
    """
    height, width = shape[:2]
    rows = max(step, PIXELS // max(width, 1) // step * step)
    for top in range(0, height, rows):
        yield slice(top, min(top + rows, height))


def enclosing(holds: Mask, step: int = 1, margin: int = 0) -> slice:
    """Give the rows or columns that hold something, from one multiple of `step` to another.

    Args:
        holds: (n) bool, for each row or column.
        step: both ends are multiples of it, or the end of the picture.
        margin: so many more are taken along on either side.

    Returns:
        A slice with start and stop; an empty one if nothing is held.
    """
    found = np.flatnonzero(holds)
    if not found.size:
        return slice(0, 0)
    first = max(0, int(found[0]) - margin) // step * step
    last = -(-(int(found[-1]) + 1 + margin) // step) * step
    return slice(first, min(len(holds), last))
