"""Open subjects: bunches of stalks, leaves and seed heads, and lattices of bars.

The scene shows through their gaps, which a network that has seen closed subjects alone fills.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Bytes
from cleanplate.matte.fill import fill_outside

Points = npt.NDArray[np.float64]

_SUBSAMPLES = 2
"""Drawn pixels per pixel along each axis; alpha is the share that is covered."""
_FINE = 4
"""Fractional bits of coordinates (OpenCV's `shift`)."""


class Drawing(NamedTuple):
    """(side, side, 3) straight colour, defined everywhere, and (side, side) alpha; uint8."""

    colour: Bytes
    alpha: Bytes


class _Canvas:
    """Colour and coverage, drawn from back to front in pixels of the subsampled size."""

    def __init__(self, side: int):
        self.side = side * _SUBSAMPLES
        self.colour = np.zeros((self.side, self.side, 3), np.uint8)
        self.cover = np.zeros((self.side, self.side), np.uint8)

    def _both(self, colour: Points) -> tuple[tuple[Bytes, tuple[float, ...]], ...]:
        return (self.colour, tuple(np.clip(colour, 0, 255).tolist())), (self.cover, (255.0,))

    def line(self, points: Points, thick: float, colour: Points) -> None:
        path = [np.rint(points * 2**_FINE).astype(np.int32)]
        width = max(1, round(thick))
        for layer, value in self._both(colour):
            cv2.polylines(layer, path, False, value, width, cv2.LINE_8, _FINE)

    def ellipse(
        self, centre: Points, half: tuple[float, float], turn: float, shade: Points
    ) -> None:
        where = tuple(np.rint(centre * 2**_FINE).astype(int).tolist())
        axes = tuple(max(1, round(one * 2**_FINE)) for one in half)
        for layer, value in self._both(shade):
            angle = float(np.degrees(turn))
            cv2.ellipse(layer, where, axes, angle, 0, 360, value, -1, cv2.LINE_8, _FINE)

    def reduced(self) -> Drawing:
        side = self.side // _SUBSAMPLES
        colour = fill_outside(self.colour.astype(np.float32), self.cover > 0)
        small = cv2.resize(colour, (side, side), interpolation=cv2.INTER_AREA)
        alpha = cv2.resize(self.cover, (side, side), interpolation=cv2.INTER_AREA)
        return Drawing(np.clip(small, 0, 255).astype(np.uint8), np.asarray(alpha, np.uint8))


def draw_bunch(rng: np.random.Generator, side: int) -> Drawing:
    """Draw a bunch: stalks that spread from below, with leaves and with heads at their tips."""
    canvas = _Canvas(side)
    size = canvas.side
    base, tips = rng.uniform(20, 220, 3), rng.uniform(20, 240, 3)
    spread, waist = rng.uniform(0.15, 0.75), rng.uniform(0.01, 0.14)
    thick = size * np.exp(rng.uniform(np.log(0.003), np.log(0.014)))
    head = size * rng.uniform(0.008, 0.05) * (rng.random() < 0.7)
    leaf = size * rng.uniform(0.015, 0.06) * (rng.random() < 0.6)
    slender = rng.uniform(0.15, 0.8)
    for _ in range(int(np.exp(rng.uniform(np.log(4), np.log(48))))):
        shade = base + rng.normal(0, 18) + rng.normal(0, 6, 3)
        lean, bend = rng.normal(0, spread) * 0.6, rng.normal(0, 0.25)
        length = size * rng.uniform(0.5, 0.93)
        root = np.array([size * (0.5 + rng.normal(0, waist)), size * 0.97])
        path = _curve(root, lean, bend, length)
        canvas.line(path, thick * rng.uniform(0.5, 1.5), shade)
        if leaf:
            for place in rng.integers(4, len(path) - 1, int(rng.integers(0, 7))):
                turn = rng.uniform(-np.pi, np.pi)
                out = leaf * np.array([np.cos(turn), np.sin(turn)])
                blade = (leaf, leaf * slender * 0.5)
                canvas.ellipse(path[place] + out, blade, turn, shade + rng.normal(0, 15))
        if head:
            along = float(np.arctan2(*(path[-1] - path[-2])[::-1]))
            bloom = tips + rng.normal(0, 15)
            canvas.ellipse(path[-1], (head, head * rng.uniform(0.25, 1)), along, bloom)
    return canvas.reduced()


def _curve(root: Points, lean: float, bend: float, length: float) -> Points:
    """Compute points of a stalk, (n, 2), whose direction turns by `bend` radians on its way."""
    t = np.linspace(0, 1, 14)
    turns = lean + bend * t
    steps = np.stack([np.sin(turns), -np.cos(turns)], -1) * length / (len(t) - 1)
    return root + np.cumsum(steps, 0)


def draw_lattice(rng: np.random.Generator, side: int) -> Drawing:
    """Draw a lattice: bars that cross or stand side by side, as fences, racks and stools have."""
    canvas = _Canvas(side)
    size = canvas.side
    colour = rng.uniform(10, 240, 3)
    thick = size * np.exp(rng.uniform(np.log(0.006), np.log(0.05)))
    low, high = np.sort(rng.uniform(0.04, 0.96, 2))
    low, high = (0.05, 0.95) if high - low < 0.4 else (low, high)
    taper = rng.uniform(0, 0.5)
    for number in range(int(rng.integers(2, 12))):
        place = rng.uniform(low, high)
        ends = np.array([[place, 0.05], [place + taper * (place - 0.5), 0.95]])
        if number % 3 == 2:
            ends = np.array([[low, place], [high, place]])
        shade = colour + rng.normal(0, 14)
        canvas.line(ends * size + rng.normal(0, 0.01 * size, (2, 2)), thick, shade)
    if rng.random() < 0.4:  # a seat or a shelf
        half = (0.5 * (high - low) * size, rng.uniform(0.02, 0.09) * size)
        centre = np.array([0.5 * (low + high), 0.08]) * size
        canvas.ellipse(centre, half, 0.0, colour + rng.normal(0, 25))
    return canvas.reduced()
