"""Subjects of glass: vessels that the scene shows through, empty, filled or with a bunch inside.

Their alpha is the share of light that does not come from behind: low where glass is looked at
straight, high at the sides, 1 in highlights. The compositor moves what lies behind
(`cleanplate.synthesis.compositor.refraction`).
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Plane
from cleanplate.matte.fill import fill_outside
from cleanplate.synthesis.procedural.open_shapes import Drawing, draw_bunch

Layer = npt.NDArray[np.float32]
"""(side, side, 4): premultiplied colour in 0 to 255, and alpha in 0 to 1."""

_BUNCH_SHARE = 0.45
"""Of vessels that hold a bunch."""


def draw_vessel(rng: np.random.Generator, side: int) -> Drawing:
    """Draw a vase, a bottle or a tumbler of glass that stands at the lower edge."""
    top = rng.uniform(0.08, 0.5)
    radius, rows = _profile(rng, side, top)
    layer = _glass(rng, side, radius, rows)
    if rng.random() < _BUNCH_SHARE:
        bunch = draw_bunch(rng, side)
        cover = bunch.alpha.astype(np.float32)[..., None] / 255
        layer = _over(layer, np.concatenate([bunch.colour * cover, cover], axis=-1))
    alpha = layer[..., 3]
    straight = fill_outside(layer[..., :3] / np.maximum(alpha, 1 / 255)[..., None], alpha > 0)
    return Drawing(
        np.clip(straight, 0, 255).astype(np.uint8),
        np.rint(np.clip(alpha, 0, 1) * 255).astype(np.uint8),
    )


def _profile(rng: np.random.Generator, side: int, top: float) -> tuple[Plane, slice]:
    """Give the radius in pixels at each row, smooth, and the rows that the vessel covers."""
    knots = rng.uniform(0.08, 0.3, int(rng.integers(2, 6)))
    if rng.random() < 0.35:  # a tumbler: nearly straight
        knots[:] = knots.mean() * np.linspace(1, rng.uniform(0.7, 1), len(knots))
    rows = slice(round(top * side), round(0.96 * side))
    count = rows.stop - rows.start
    curve = cv2.resize(knots.astype(np.float32)[:, None], (1, count), interpolation=cv2.INTER_CUBIC)
    radius = np.zeros(side, np.float32)
    radius[rows] = np.clip(curve[:, 0], 0.05, 0.4) * side
    return radius, rows


def _glass(rng: np.random.Generator, side: int, radius: Plane, rows: slice) -> Layer:
    y, x = np.mgrid[:side, :side].astype(np.float32)
    reach = np.maximum(radius, 1e-3)[:, None]
    across = (x + 0.5 - side / 2) / reach
    inside = np.clip((1 - np.abs(across)) * reach + 0.5, 0, 1) * (radius > 0)[:, None]
    u = np.minimum(np.abs(across), 1)
    clear, dense = rng.uniform(0.03, 0.35), rng.uniform(0.45, 1)
    alpha = clear + (dense - clear) * u ** rng.uniform(3, 14)
    tint = rng.uniform(20, 235) + rng.normal(0, 18, 3)
    colour = np.broadcast_to(tint, (side, side, 3)) + (rng.normal(0, 40) * u)[..., None]

    if rng.random() < 0.6:  # filled to a level
        level = rng.uniform(rows.start, rows.stop)
        below = np.clip(y - level, 0, 1)
        deep = rng.uniform(0.02, 0.6) * (rng.random() < 0.5) + rng.uniform(0, 0.08)
        liquid = tint + rng.normal(0, 50, 3)
        colour = colour + (below * deep / (deep + alpha))[..., None] * (liquid - colour)
        alpha = alpha + below * deep * (1 - alpha)
        alpha = np.maximum(alpha, rng.uniform(0.2, 0.9) * np.exp(-(((y - level) / 1.5) ** 2)))
    thick = rng.uniform(0.005, 0.06) * side  # of the base
    alpha = np.maximum(alpha, rng.uniform(0.3, 1) * (y > rows.stop - thick))
    alpha = np.maximum(alpha, rng.uniform(0.3, 1) * (y < rows.start + rng.uniform(1, 3)))
    alpha = np.clip(alpha + _clouds(rng, side) * rng.uniform(0, 0.12), 0, 1)
    for _ in range(int(rng.integers(0, 5))):
        shine = _highlight(rng, across, y, rows)
        colour = colour + (shine / np.maximum(np.maximum(alpha, shine), 1e-6))[..., None] * (
            255 - colour
        )
        alpha = np.maximum(alpha, shine)
    alpha = (alpha * inside)[..., None]
    return np.concatenate([np.clip(colour, 0, 255) * alpha, alpha], axis=-1).astype(np.float32)


def _highlight(rng: np.random.Generator, across: Plane, y: Plane, rows: slice) -> Plane:
    """Draw a bright streak that follows the vessel's side, (side, side) in [0, 1]."""
    place, wide = rng.uniform(-0.85, 0.85), rng.uniform(0.02, 0.14)
    middle, long = rng.uniform(rows.start, rows.stop), rng.uniform(0.03, 0.4) * len(y)
    near = np.maximum(np.abs(across - place) / wide, np.abs(y - middle) / long)
    return np.asarray(np.clip((1 - near) * 4, 0, 1) * rng.uniform(0.3, 1), np.float32)


def _clouds(rng: np.random.Generator, side: int) -> Plane:
    coarse = rng.normal(0, 1, (5, 5)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC), np.float32)


def _over(front: Layer, back: Layer) -> Layer:
    return np.asarray(front + (1 - front[..., 3:]) * back, np.float32)
