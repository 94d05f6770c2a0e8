"""Fast background replacement for video, without foreground estimation.

With the frame `I = a F + (1 - a) s P`, the composite `a F + (1 - a) B` is
`I - (1 - a) s P + (1 - a) B`, so the foreground F need not be solved. Only pixels with alpha
between 0 and 1 are computed; the others are copied.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Bytes, Plane
from cleanplate.bilinear import interpolated
from cleanplate.light import coded_from_linear, linear_from_uint8
from cleanplate.matte.compositing import MixingSpace

_OPAQUE = 255
"""Alpha that is 0 or 1 after rounding to 8 bits counts as that: a value changes by half a level."""


def replace_background(
    frame: Bytes,
    plate: Bytes,
    alpha: Plane,
    background: Bytes,
    shadow: Plane | None = None,
    *,
    space: MixingSpace = "linear",
) -> Bytes:
    """Composite the subject of a frame over a background.

    Equal to `over(solve_foreground(frame, plate, alpha, shadow), alpha, background)`, except where
    alpha is below 0.3: `solve_foreground` takes colour from the neighbourhood there, this function
    only clips `a F` to [0, a], its possible range.

    Args:
        frame: (H, W, 3) uint8 RGB, sRGB-coded.
        plate: (H, W, 3) uint8, registered, with the frame's exposure.
        alpha: (H, W) float32 in [0, 1].
        background: (H, W, 3) uint8.
        shadow: factor in (0, 1] on the plate's linear light, (H, W), or smaller and then
            interpolated; None = no shadow.
        space: "linear" or "display", the space in which colours are mixed.

    Returns:
        (H, W, 3) uint8, a new array.

    Raises:
        ValueError: if the sizes differ.
    """
    for other in (plate, background, alpha):
        if other.shape[:2] != frame.shape[:2]:
            raise ValueError(f"sizes differ: {frame.shape[:2]} and {other.shape[:2]}")
    out = background.copy()
    levels = np.asarray(cv2.convertScaleAbs(alpha, alpha=255), np.uint8)
    cv2.copyTo(frame, cv2.inRange(levels, _OPAQUE, _OPAQUE), out)
    soft = np.flatnonzero((levels > 0) & (levels < _OPAQUE))
    if soft.size:
        share = alpha.reshape(-1)[soft, None]
        size = (alpha.shape[0], alpha.shape[1])
        dark = None if shadow is None else interpolated(shadow[..., None], size, soft)
        seen, behind, new = (
            np.take(picture.reshape(-1, 3), soft, axis=0) for picture in (frame, plate, background)
        )
        out.reshape(-1, 3)[soft] = _mixed((seen, behind, new), share, dark, space)
    return out


def _mixed(
    pixels: tuple[Bytes, Bytes, Bytes],
    share: npt.NDArray[np.float32],
    dark: npt.NDArray[np.float32] | None,
    space: MixingSpace,
) -> Bytes:
    """Mix (n, 3) pixels of frame, plate and background, with alpha and shadow (n, 1)."""
    seen, behind, new = pixels
    light = linear_from_uint8(behind)
    if dark is not None:
        light *= dark
    if space == "linear":
        subject = linear_from_uint8(seen) - (1 - share) * light
        return coded_from_linear(np.clip(subject, 0, share) + (1 - share) * linear_from_uint8(new))
    scene = coded_from_linear(light).astype(np.float32) if dark is not None else behind
    subject = seen - (1 - share) * scene
    mixed = np.clip(subject, 0, share * 255) + (1 - share) * new
    return np.asarray(np.rint(mixed), np.uint8)
