"""Large pictures in bands of rows, so that temporary arrays stay small."""

from __future__ import annotations

from collections.abc import Iterator

PIXELS = 1 << 18
"""Pixels of a band: few enough that its arrays stay in the processor's cache."""


def bands(shape: tuple[int, ...], step: int = 1) -> Iterator[slice]:
    """Cut (H, W, ...) into slices of rows with about `PIXELS` pixels each, top to bottom.

    Every slice but the last has a multiple of `step` rows.
    """
    height, width = shape[:2]
    rows = max(step, PIXELS // max(width, 1) // step * step)
    for top in range(0, height, rows):
        yield slice(top, min(top + rows, height))
