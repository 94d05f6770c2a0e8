"""Bilinear enlargement of planes: whole, band by band, and at single pixels.

Pixel centres lie at integers + 0.5 in both sizes and edges are repeated, as in `cv2.resize`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Plane

Size: TypeAlias = tuple[int, int]
Indices: TypeAlias = npt.NDArray[np.intp]


def enlarge(small: Plane, size: Size) -> Plane:
    """Enlarge `small` (h, w) bilinearly to (height, width) `size`; float32."""
    if small.shape == size:
        return small.astype(np.float32)
    small = small.astype(np.float32, copy=False)
    large = cv2.resize(small, size[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(large, np.float32)


def interpolated(small: Plane, size: Size, points: Indices) -> npt.NDArray[np.float32]:
    """Values of single pixels of `enlarge(small, size)`.

    Args:
        small: (h, w, C).
        size: (height, width) of the large plane.
        points: (n) flat indices into the large plane.

    Returns:
        (n, C) float32.
    """
    height, width, channels = small.shape
    y = points // size[1]
    x = points - y * size[1]  # np.divmod takes several times as long
    top, down = _cells(height, size[0])
    left, right = _cells(width, size[1])
    flat = small.reshape(-1, channels)
    corner = top[y] * width + left[x]
    across, along = right[x][:, None], down[y][:, None]
    step, row = min(1, width - 1), width * min(1, height - 1)
    above = _between(flat, corner, corner + step, across)
    below = _between(flat, corner + row, corner + row + step, across)
    below -= above
    below *= along
    above += below
    return above


class Widened:
    """Linear models at each pixel (h, w, C + 1), enlarged across; down at single pixels.

    Model and colour are multiplied before rows are mixed: what is mixed is one number a pixel.
    """

    def __init__(self, models: Plane, size: Size):
        self._size, self._rows = size, models.shape[0]
        wide = cv2.resize(models, (size[1], self._rows), interpolation=cv2.INTER_LINEAR)
        self._wide = np.asarray(wide, np.float32).reshape(-1, models.shape[2])

    def applied(self, points: Indices, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Apply the models of `enlarge(models, size)` to values.

        Args:
            points: (n) flat indices into the large plane.
            values: (n, C) at the points.

        Returns:
            (n) float32: the first C coefficients by the values, plus the last one.
        """
        y = points // self._size[1]
        first, down = _cells(self._rows, self._size[0])
        above = points + (first[y] - y) * self._size[1]
        step = self._size[1] * min(1, self._rows - 1)
        result, below = self._at(above, values), self._at(above + step, values)
        below -= result
        below *= down[y]
        result += below
        return result

    def _at(self, points: Indices, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        models = np.take(self._wide, points, axis=0)
        found: npt.NDArray[np.float32] = np.einsum("ij,ij->i", models[:, :-1], values)
        found += models[:, -1]
        return found


class Enlarged:
    """Bilinear enlargement of a plane (h, w) or (h, w, C), computed band by band.

    Pixel centres lie at integers + 0.5 in both sizes and edges are repeated, as in `cv2.resize`.
    """

    def __init__(self, small: Plane, size: Size):
        self.size = size
        self._rows = small.shape[0]
        flat = small.astype(np.float32, copy=False)
        if small.shape[1] == size[1]:
            self._wide = flat
        else:
            wide = cv2.resize(flat, (size[1], self._rows), interpolation=cv2.INTER_LINEAR)
            self._wide = np.asarray(wide, np.float32).reshape(self._rows, size[1], *small.shape[2:])

    def rows(self, rows: slice) -> Plane:
        """Give some rows of the large plane: (rows, width[, C]) float32."""
        return self.part(rows, slice(None))

    def part(self, rows: slice, columns: slice) -> Plane:
        """Give a part of the large plane: (rows, columns[, C]) float32."""
        above, below, share = self._between(rows)
        wide = self._wide[:, columns]
        result = wide[above]
        result += share.reshape(-1, *[1] * (result.ndim - 1)) * (wide[below] - result)
        return result

    def _between(self, rows: slice) -> tuple[Indices, Indices, npt.NDArray[np.float32]]:
        """For each large row the small rows above and below it, and its place between them."""
        before, share = _cells(self._rows, self.size[0])
        above = before[rows]
        return above, np.minimum(above + 1, self._rows - 1), share[rows]


def _between(
    values: Plane, first: Indices, second: Indices, share: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Interpolate rows of `values` (m, C): (n, C)."""
    start = np.take(values, first, axis=0)
    step = np.take(values, second, axis=0)
    step -= start
    step *= share
    start += step
    return start


@lru_cache(maxsize=16)
def _cells(small: int, large: int) -> tuple[Indices, npt.NDArray[np.float32]]:
    """For each of `large` pixels the small one before it, and its place from there to the next."""
    centres = np.clip((np.arange(large) + 0.5) * (small / large) - 0.5, 0, small - 1)
    before = np.minimum(centres.astype(np.intp), max(0, small - 2))
    return before, (centres - before).astype(np.float32)
