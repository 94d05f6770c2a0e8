"""Refraction: the scene behind a vessel of glass, moved and turned over as by a lens."""

from __future__ import annotations

import cv2
import numpy as np

from cleanplate.arrays import Picture, Plane

_CLEAR, _DENSE = 0.015, 0.9
"""Alpha of the pixels that show the vessel: more than outside of it, less than of solids in it."""


def add_refraction(
    rng: np.random.Generator, background: Picture, box: tuple[slice, slice], alpha: Plane
) -> Picture:
    """Move the scene behind a vessel along each row about the vessel's axis. Linear light.

    A full vessel is a cylindrical lens and turns the scene over from left to right (a scale below
    zero), an empty one leaves it nearly as it is (1). Alpha stays: it says how much of the light
    comes from behind, not from where.

    Args:
        rng: draws the scale and a shift along the axis.
        background: (H, W, 3).
        box: rows and columns of the vessel in it.
        alpha: (h, w) visible coverage of the vessel and of what is in it.
    """
    inside = (alpha > _CLEAR) & (alpha < _DENSE)
    if inside.sum() < 16:
        return background
    scale = np.float32(rng.uniform(-1.2, 1.1))
    sag = np.float32(rng.uniform(-0.06, 0.06) * inside.shape[0])
    y, x = np.mgrid[box].astype(np.float32)
    weight = inside.astype(np.float32) + np.float32(1e-6)
    total = weight.sum(1, keepdims=True)
    # The axis may lean: smooth along rows, so that a stalk's soft edge does not shift a row.
    axis = cv2.GaussianBlur((x * weight).sum(1, keepdims=True), (1, 0), 0, sigmaY=4)
    axis = axis / cv2.GaussianBlur(total, (1, 0), 0, sigmaY=4)
    source_x = axis + scale * (x - axis)
    moved = cv2.remap(
        background, source_x, y + sag, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    # The mask ends softly within the vessel's own soft outline.
    cover = np.clip(alpha / np.float32(_CLEAR) - 1, 0, 1)[..., None]
    out = background.copy()
    out[box] += cover * (moved - out[box])
    return out
