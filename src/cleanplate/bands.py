"""Iteration over bands of rows, which keeps temporary arrays of large pictures small."""

from __future__ import annotations

from collections.abc import Iterator

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
