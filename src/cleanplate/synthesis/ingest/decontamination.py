"""Edge colour decontamination: remove the background's share from soft pixels of a cutout."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Bytes, Plane
from cleanplate.formats.pictures import to_uint8
from cleanplate.matte import solve_foreground
from cleanplate.matte.fill import fill_outside

_SOFT_RANGE = (0.1, 0.9)
_MIN_SOFT_PIXELS = 40
"""With fewer soft pixels nothing is decided."""
_MAX_MISFIT_RATIO = 0.7
"""A background colour must explain soft pixels better than straight colour by this ratio,"""
_MIN_MISFIT_GAIN = 3.0
"""and by at least this many levels of 255,"""
_MIN_POSSIBLE_SHARE = 0.97
"""and be possible at all in this share of the soft pixels."""
_TRUSTED_ALPHA = np.float32(0.3)
"""Alpha from which the division alone decides, as in `matte.solve_foreground`."""

BACKGROUNDS = {"black": 0.0, "white": 255.0}
"""Background colours that files are mixed with; black is called premultiplied."""


class StraightColour(NamedTuple):
    """Straight colour (H, W, 3) uint8, and what was removed from it: a key of `BACKGROUNDS`."""

    colour: Bytes
    background: str | None


def unmix_background(colour: Bytes, alpha: Plane) -> StraightColour:
    """Detect whether colour is mixed with black or white, and undo it.

    At a soft pixel, straight colour resembles the nearest opaque colour F; mixed colour resembles
    `alpha F + (1 - alpha) K` and cannot be darker than its share of K alone. Both are tested over
    the soft pixels, in coded values, which is how such files are made.

    Args:
        colour: (H, W, 3) uint8 as stored.
        alpha: (H, W) in [0, 1].
    """
    soft = (alpha > _SOFT_RANGE[0]) & (alpha < _SOFT_RANGE[1])
    solid = alpha > 0.98
    if soft.sum() < _MIN_SOFT_PIXELS or not solid.any():
        return StraightColour(colour, None)
    near = _opaque_colour(colour, solid)
    share = alpha[soft][:, None]
    stored, own = colour[soft].astype(np.float32), near[soft].astype(np.float32)
    straight = _misfit(stored, own)
    best: tuple[float, str] | None = None
    for name, level in BACKGROUNDS.items():
        behind = (1 - share) * level
        room = share * 255
        held = (stored >= behind - 2.5) & (stored <= behind + room + 2.5)
        if held.all(1).mean() < _MIN_POSSIBLE_SHARE:
            continue
        mixed = _misfit(stored, share * own + behind)
        if mixed < _MAX_MISFIT_RATIO * straight and mixed < straight - _MIN_MISFIT_GAIN:
            best = min(best or (mixed, name), (mixed, name))
    if best is None:
        return StraightColour(colour, None)
    return StraightColour(_unmix(colour, alpha, BACKGROUNDS[best[1]], near), best[1])


def decontaminate(photo: Bytes, alpha: Plane) -> Bytes:
    """Remove the background's share from a subject's soft edge, given a photograph and its matte.

    The background behind a soft pixel is unknown and taken from the nearest pixel outside the
    matte; then the compositing equation is solved (`matte.solve_foreground`).

    Args:
        photo: (H, W, 3) uint8.
        alpha: (H, W) in [0, 1].
    """
    outside = alpha < 0.01
    soft = (alpha >= 0.01) & (alpha < 0.99)
    if not outside.any() or not soft.any():
        return photo
    behind = np.asarray(fill_outside(photo, outside), np.uint8)
    return to_uint8(solve_foreground(photo, behind, alpha))


def _opaque_colour(colour: Bytes, solid: npt.NDArray[np.bool_]) -> Bytes:
    """Mean colour of the opaque pixels around; outside of them that of the nearest."""
    # Opaque pixels at the edge are often mixed too: take those one pixel further in.
    inner = cv2.erode(solid.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    known = inner if inner.any() else solid
    weight = cv2.blur(known.astype(np.float32), (5, 5))
    total = cv2.blur(colour.astype(np.float32) * known[..., None], (5, 5))
    mean = total / np.maximum(weight, np.float32(1e-6))[..., None]
    return np.asarray(fill_outside(np.rint(mean).astype(np.uint8), known), np.uint8)


def _misfit(stored: npt.NDArray[np.float32], expected: npt.NDArray[np.float32]) -> float:
    """Mean absolute difference in levels, clipped at 64, so that outliers do not dominate."""
    return float(np.minimum(np.abs(stored - expected), 64).mean())


def _unmix(colour: Bytes, alpha: Plane, background: float, near: Bytes) -> Bytes:
    """Solve `stored = alpha F + (1 - alpha) background` for F; `near` where alpha is small."""
    a = alpha[..., None].astype(np.float32)
    solved = (colour.astype(np.float32) - (1 - a) * np.float32(background)) / np.maximum(a, 1e-3)
    np.clip(solved, 0, 255, out=solved)
    trust = np.minimum(a / _TRUSTED_ALPHA, 1) ** 2
    mixed = near + trust * (solved - near)
    return np.rint(np.where(a >= 1, colour, mixed)).astype(np.uint8)
