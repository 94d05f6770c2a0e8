"""Abstract subjects: textured blobs, polygons and lines; bunches, lattices and glass."""

from __future__ import annotations

import cv2
import numpy as np

from cleanplate.arrays import Bytes
from cleanplate.synthesis.assets.cutout import Cutout
from cleanplate.synthesis.procedural.glass_shapes import draw_vessel
from cleanplate.synthesis.procedural.open_shapes import draw_bunch, draw_lattice

_SIDE = 128
"""Pixels along a side of closed shapes."""
_OPEN_SHARE = 0.75
"""Of shapes that are open: the scene shows through."""
_OPEN_SIDE = 288
"""Pixels along a side of open ones, whose parts are thin."""
_OPEN_KINDS = (draw_bunch, draw_vessel, draw_lattice)
_OPEN_SHARES = (0.45, 0.35, 0.2)


def sample_shape(rng: np.random.Generator) -> Cutout:
    """Draw an abstract subject: a blob, a polygon, a few lines or something open or of glass.

    It has no recognisable class; only the comparison with the plate shows it.
    """
    draw = None
    if rng.random() < _OPEN_SHARE:
        draw = _OPEN_KINDS[int(rng.choice(len(_OPEN_KINDS), p=_OPEN_SHARES))]
        colour, alpha = draw(rng, _OPEN_SIDE)
    else:
        alpha = _outline(rng, _SIDE)
        colour = _texture(rng, _SIDE)
    inner = np.minimum(cv2.distanceTransform((alpha > 127).astype(np.uint8), cv2.DIST_L2, 3), 40)
    bulge = float(rng.uniform(0, 0.3)) if rng.random() < 0.7 else 0.0
    depth = np.float32(bulge / 2) - np.sqrt(np.asarray(inner, np.float32) / 40) * np.float32(bulge)
    if bulge:
        light = np.float32(0.75) + np.float32(0.25) * np.sqrt(
            np.asarray(inner, np.float32) / max(inner.max(), 1)
        )
        colour = (colour * light[..., None]).astype(np.uint8)
    solid = alpha > alpha.max() // 2  # glass may have no pixel above a half
    rows = np.flatnonzero(solid.any(1))
    columns = np.flatnonzero(solid[max(0, rows[-1] - 6) :].any(0))
    metres = float(np.exp(rng.uniform(np.log(0.15), np.log(1.8))))
    density = (rows[-1] - rows[0] + 1) / metres
    return Cutout(
        "shape",
        "shape",
        colour,
        alpha,
        np.asarray(depth, np.float32),
        (float(columns.mean()) + 0.5, float(rows[-1]) + 1),
        density,
        (metres, max(bulge, 0.02), metres),
        refracts=draw is draw_vessel,
    )


def _outline(rng: np.random.Generator, side: int) -> Bytes:
    alpha = np.zeros((side, side), np.uint8)
    centre, kind = side / 2, rng.random()
    if kind < 0.75:
        count = 96 if kind < 0.45 else int(rng.integers(3, 9))
        turn = np.sort(rng.random(count) if count < 90 else np.arange(count) / count) * 2 * np.pi
        radius = np.full(count, 0.7)
        for k in range(1, 7):
            radius += rng.normal(0, 0.16 / k) * np.cos(k * turn + rng.uniform(0, 2 * np.pi))
        radius = np.clip(radius, 0.12, 1) * (centre - 4)
        squash = rng.uniform(0.35, 1.0, 2)
        squash /= squash.max()
        points = centre + np.stack([np.cos(turn), np.sin(turn)], -1) * radius[:, None] * squash
        corners = np.rint(points * 16).astype(np.int32)
        cv2.fillPoly(alpha, [corners], (255,), cv2.LINE_AA, 4)
    else:
        for _ in range(int(rng.integers(1, 7))):
            ends = np.rint(rng.uniform(6, side - 6, (2, 2)) * 16).astype(int)
            thick = int(rng.integers(2, 12))
            cv2.line(alpha, ends[0].tolist(), ends[1].tolist(), (255,), thick, cv2.LINE_AA, 4)
    return alpha


def _texture(rng: np.random.Generator, side: int) -> Bytes:
    base, other = rng.uniform(10, 245, 3), rng.uniform(10, 245, 3)
    cells = int(np.exp(rng.uniform(np.log(2), np.log(48))))
    kind = rng.random()
    if kind < 0.4:
        grain = rng.random((cells, cells), np.float32)
        how = cv2.INTER_CUBIC if rng.random() < 0.6 else cv2.INTER_NEAREST
        mix = np.asarray(cv2.resize(grain, (side, side), interpolation=how))
    elif kind < 0.65:
        y, x = np.mgrid[:side, :side] / side
        angle = rng.uniform(0, np.pi)
        mix = 0.5 + 0.5 * np.sin(2 * np.pi * cells / 3 * (x * np.cos(angle) + y * np.sin(angle)))
        mix = (mix > 0.5).astype(float) if rng.random() < 0.5 else mix
    else:
        mix = np.full((side, side), 0.1) * rng.random()
    speckle = rng.normal(0, rng.uniform(1, 10), (side, side, 1))
    colour = base + np.clip(mix, 0, 1)[..., None] * (other - base) + speckle
    return np.clip(colour, 0, 255).astype(np.uint8)
