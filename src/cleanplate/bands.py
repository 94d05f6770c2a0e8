"""Large pictures in bands of rows, so that temporary arrays stay small."""

from __future__ import annotations

from collections.abc import Iterator

PIXELS = 1 << 18
"""Pixels of a band: few enough that its arrays stay in the processor's cache."""


def bands(shape: tuple[int, ...]) -> Iterator[slice]:
    """Cut (H, W, ...) into slices of rows with about `PIXELS` pixels each, top to bottom."""
    height, width = shape[:2]
    rows = max(1, PIXELS // max(width, 1))
    for top in range(0, height, rows):
        yield slice(top, min(top + rows, height))
