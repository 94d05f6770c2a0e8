"""Textures of wall decoration: pictures, screens, and the view through windows."""

from __future__ import annotations

import cv2
import numpy as np

from cleanplate.synthesis.procedural.textures import (
    SIDE,
    Texture,
    fractal_noise,
    muted_colour,
    with_mipmaps,
)


def wall_picture(rng: np.random.Generator, *, dark: bool = False) -> Texture:
    """Draw a picture or, if `dark`, a screen: fields of colour, shapes, a noise landscape."""
    side = SIDE
    base = muted_colour(rng) * np.float32(0.1 if dark else 1)
    colour = np.broadcast_to(base, (side, side, 3)).astype(np.float32).copy()
    if rng.random() < 0.5:
        height = np.linspace(0, 1, side)[:, None] + 0.5 * (fractal_noise(rng) - 0.5)
        for edge in np.sort(rng.uniform(0.1, 0.9, int(rng.integers(1, 4)))):
            colour[height > edge] = muted_colour(rng)
    for _ in range(int(rng.integers(0, 8))):
        tone = tuple(float(c) for c in muted_colour(rng))
        centre = tuple(int(c) for c in rng.integers(0, side, 2))
        axes = tuple(int(c) for c in rng.integers(6, side // 3, 2))
        if rng.random() < 0.5:
            cv2.ellipse(colour, centre, axes, rng.uniform(0, 180), 0, 360, tone, -1)
        else:
            corner = (centre[0] + axes[0], centre[1] + axes[1])
            cv2.rectangle(colour, centre, corner, tone, -1)
    return with_mipmaps(
        colour * (0.85 + 0.3 * fractal_noise(rng)[..., None]), rng.uniform(0.6, 1.8)
    )


def window_view(rng: np.random.Generator) -> Texture:
    """Draw the view through a window: bright, with bars."""
    bright = 0.5 + 0.5 * fractal_noise(rng)[..., None] * np.asarray([0.9, 1.0, 1.1], np.float32)
    bar = (np.abs((np.arange(SIDE) / SIDE * rng.integers(1, 4)) % 1 - 0.5) > 0.46).astype(float)
    bars = np.maximum(bar[:, None], bar[None, :])[..., None]
    return with_mipmaps(
        (bright * (1 - bars) + 0.3 * bars).astype(np.float32), rng.uniform(0.8, 1.6)
    )
