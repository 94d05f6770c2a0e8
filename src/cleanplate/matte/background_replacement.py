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
from cleanplate.bilinear import Indices, interpolated
from cleanplate.light import coded_from_linear, linear_from_uint8
from cleanplate.matte.mixing_space import MixingSpace

OPAQUE = 255
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
    levels, soft = _soft_points(alpha)
    cv2.copyTo(frame, cv2.inRange(levels, OPAQUE, OPAQUE), out)
    if soft.size:
        size = (alpha.shape[0], alpha.shape[1])
        dark = None if shadow is None else interpolated(shadow[..., None], size, soft)[:, 0]
        seen, behind, new = (
            np.take(picture.reshape(-1, 3), soft, axis=0) for picture in (frame, plate, background)
        )
        share = np.take(alpha.reshape(-1), soft)
        out.reshape(-1, 3)[soft] = mix_pixels(seen, behind, new, share, dark, space=space)
    return out


def _soft_points(alpha: Plane) -> tuple[Bytes, Indices]:
    """Round alpha (H, W) to 8 bits; give that, and the flat indices where it is not 0 or 1."""
    levels = np.asarray(cv2.convertScaleAbs(alpha, alpha=OPAQUE), np.uint8)
    soft = np.asarray(cv2.inRange(levels, 1, OPAQUE - 1))
    return levels, np.flatnonzero(soft.view(np.bool_))


def mix_pixels(
    seen: Bytes,
    behind: Bytes,
    new: Bytes,
    share: npt.NDArray[np.float32],
    dark: npt.NDArray[np.float32] | None,
    *,
    space: MixingSpace = "linear",
) -> Bytes:
    """Replace the background in single pixels; see `replace_background`.

    Args:
        seen, behind, new: (n, 3) uint8 of frame, plate and background.
        share: (n) alpha.
        dark: (n) shadow; None = no shadow.
        space: in which colours are mixed.

    Returns:
        (n, 3) uint8.
    """
    rest = 1 - share
    if space == "linear":
        # Of three equal columns: NumPy is slow where one is stretched over three.
        limit, kept = _columns(share), _columns(rest)
        subject = linear_from_uint8(behind)
        subject *= kept if dark is None else _columns(rest * dark)
        np.subtract(linear_from_uint8(seen), subject, out=subject)
        np.maximum(subject, 0, out=subject)
        np.minimum(subject, limit, out=subject)
        kept *= linear_from_uint8(new)
        subject += kept
        return coded_from_linear(subject)
    scene = behind.astype(np.float32)
    if dark is not None:
        scene = coded_from_linear(linear_from_uint8(behind) * dark[:, None]).astype(np.float32)
    subject = np.clip(seen - rest[:, None] * scene, 0, share[:, None] * 255)
    return np.asarray(np.rint(subject + rest[:, None] * new), np.uint8)


def _columns(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.asarray(cv2.merge([values] * 3), np.float32).reshape(-1, 3)
