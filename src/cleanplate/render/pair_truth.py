"""Ground truth of a rendered pair: shadow factor, and rejection."""

from __future__ import annotations

import cv2
import numpy as np

from cleanplate.arrays import Picture, Plane
from cleanplate.light import srgb_to_linear

_NOISE = 0.02
"""Relative changes of light below this are noise of the denoiser."""
_DARK_OFFSET = 0.004
"""Linear light; added to both pictures, because a quotient of dark values is noise."""
_MIN_FACTOR = 0.02
MIN_COVERAGE = 0.012
"""Share of the picture that subjects must cover."""


def shadow_factor(plate: Picture, shaded: Picture) -> Plane:
    """Give the factor by which a subject darkens its scene: (H, W) float32 in (0, 1].

    Args:
        plate: (H, W, 3) sRGB-coded picture of the empty scene.
        shaded: the same with the subject hidden from the camera, with the same noise.
    """
    before, after = (srgb_to_linear(p).mean(axis=-1) for p in (plate, shaded))
    factor = (after + _DARK_OFFSET) / (before + _DARK_OFFSET)
    factor = cv2.medianBlur(factor.astype(np.float32), 3)
    # Soft threshold: changes within the noise become none, without a step.
    change = np.maximum(1 - factor - _NOISE, 0) / (1 - _NOISE)
    return np.asarray(np.clip(1 - change, _MIN_FACTOR, 1), np.float32)


def rejection_reason(alpha: Plane, frame: Picture) -> str | None:
    """Give the reason to reject a pair, or None.

    Args:
        alpha: (H, W) coverage of the subjects.
        frame: (H, W, 3) sRGB-coded.
    """
    covered = float(alpha.mean())
    if covered < MIN_COVERAGE:
        return "subject hardly visible"
    if covered > 0.75:
        return "subject too large"
    light = frame.mean(axis=-1)[alpha > 0.5]
    if light.size and light.mean() < 0.03:
        return "subject too dark"
    return None
