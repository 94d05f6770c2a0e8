"""Loose hair: locks of fine strands along a subject's upper outline."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.synthesis.compositor.layer import Layer, expand_layer

Floats = npt.NDArray[np.float32]

_FINE = 4
"""Fractional bits of strand coordinates (OpenCV's `shift`)."""


def add_hair(rng: np.random.Generator, layer: Layer, size: tuple[int, int]) -> None:
    """Add locks of semi-transparent curved strands in the outline's colours, in place.

    The layer's box grows as needed, within the picture of `size` (H, W).
    """
    solid = (layer.alpha > 0.5).astype(np.uint8)
    found, _ = cv2.findContours(solid, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not found:
        return
    contour = max(found, key=len)[:, 0, :].astype(np.float32)
    top, bottom = float(contour[:, 1].min()), float(contour[:, 1].max())
    share = rng.uniform(0.08, 0.25)
    crown = contour[contour[:, 1] <= top + share * (bottom - top)]
    wide = float(np.clip(np.ptp(crown[:, 0]), 4, 0.6 * (bottom - top) + 4))
    left, above = expand_layer(layer, round(0.45 * wide) + 2, size)
    crown = crown + np.asarray([left, above], np.float32)
    middle = crown.mean(0) + np.asarray([0, 0.4 * share * (bottom - top)], np.float32)
    clear = np.ones(layer.alpha.shape, np.float32)
    for _ in range(int(rng.integers(5, 20))):
        clear *= 1 - _hair_lock(rng, crown, middle, wide, layer.alpha.shape)
    layer.alpha = np.maximum(layer.alpha, 1 - clear)


def _hair_lock(
    rng: np.random.Generator,
    crown: Floats,
    middle: Floats,
    wide: float,
    shape: tuple[int, ...],
) -> Floats:
    """Draw strands that share root and direction: coverage (h, w)."""
    count, t = int(rng.integers(4, 20)), np.linspace(0, 1, 9)[None, :, None]
    near = int(rng.integers(len(crown))) + rng.integers(-3, 4, count)
    root = crown[near % len(crown)]
    out = root - middle
    out /= np.linalg.norm(out, axis=1, keepdims=True) + 1e-3
    out = out + rng.normal(0, 0.45, 2) + rng.normal(0, 0.2, out.shape)
    side = np.stack([-out[:, 1], out[:, 0]], -1) * rng.normal(0, 0.7)
    length = wide * rng.uniform(0.06, 0.35) * rng.uniform(0.4, 1, (count, 1, 1))
    fall = np.array([0.0, rng.uniform(0, 0.8)]) * t**2
    paths = root[:, None] + length * (t * out[:, None] + t**2 * side[:, None] + fall)
    ink = np.zeros(shape, np.uint8)
    curves = [np.rint(path * 2**_FINE).astype(np.int32) for path in paths]
    cv2.polylines(ink, curves, False, (255,), 1, cv2.LINE_AA, _FINE)
    return np.multiply(ink, np.float32(rng.uniform(0.2, 0.85) / 255), dtype=np.float32)
