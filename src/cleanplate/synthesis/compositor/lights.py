"""Directional lights and contact shadows, drawn from the seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Light:
    """A directional light.

    Args:
        azimuth: radians; 0 = ahead of the camera, pi / 2 = to its right.
        elevation: radians over the horizon.
        strength: its share of the scene's light, 0 to 1.
        softness: angular radius in radians (the sun has 0.005, a window 0.3).
        colour: (3,) relative strength of the shadow in each channel, around 1.
    """

    azimuth: float
    elevation: float
    strength: float
    softness: float
    colour: tuple[float, float, float] = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class ContactShadow:
    """Ambient occlusion near the ground: `strength` 0 to 1 within about `radius` metres."""

    strength: float
    radius: float


def sample_lights(rng: np.random.Generator) -> list[Light]:
    """Draw the scene's lights: mostly one, of any direction and softness."""
    lights = []
    for k in range(1 if (draw := rng.random()) < 0.66 else 2 if draw < 0.92 else 3):
        strength = rng.beta(2.0, 1.6) * (0.92 if k == 0 else 0.5)
        softness = float(np.exp(rng.uniform(np.log(0.01), np.log(0.45))))
        tint = 1 + rng.normal(0, 0.04, 3)
        lights.append(
            Light(
                float(rng.uniform(0, 2 * np.pi)),
                float(rng.uniform(0.3, 1.35)),
                float(strength),
                softness,
                (float(tint[0]), float(tint[1]), float(tint[2])),
            )
        )
    return lights


def sample_strong_lights(rng: np.random.Generator) -> list[Light]:
    """Draw lights with visible shadows: one with most of the light, or two to four."""
    count = 1 + int(rng.random() < 0.6) * int(rng.integers(1, 4))
    shares = rng.uniform(0.6, 1.0, count)
    shares *= rng.uniform(0.55, 0.85) / shares.sum()
    return [
        Light(
            float(rng.uniform(0, 2 * np.pi)),
            float(rng.uniform(0.2, 1.1)),
            float(share),
            float(np.exp(rng.uniform(np.log(0.006), np.log(0.12)))),
        )
        for share in shares
    ]


def sample_contact_shadow(rng: np.random.Generator) -> ContactShadow:
    """Draw strength and radius of the contact shadow."""
    return ContactShadow(
        float(rng.uniform(0.1, 0.85)), float(np.exp(rng.uniform(np.log(0.5), 0.6)))
    )
