"""Auto exposure and tone mapping: linear light to sRGB."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cleanplate.arrays import Picture
from cleanplate.light import linear_to_srgb

_GREY = 0.18
_CLIP = 1.7
"""Linear light that the brightest 3 % may reach."""
TONE_CURVES = ("clip", "film", "soft")


@dataclass(frozen=True)
class ToneMapping:
    """Exposure and tone curve of a picture.

    Args:
        gain: per channel, on linear light.
        curve: clip (straight), film (shoulder) or soft (shoulder and lifted shadows).
    """

    gain: tuple[float, float, float]
    curve: str

    @property
    def exposure(self) -> float:
        """The gain without its white balance."""
        return float(np.mean(self.gain))


def auto_expose(colour: Picture, rng: np.random.Generator) -> ToneMapping:
    """Expose automatically: the 60th percentile to middle grey, the 97th below clipping.

    Windows may clip where the room would otherwise be darker by more than a stop. Draws up to
    half a stop to either side, a white balance within 5 % and the curve.

    Args:
        colour: (H, W, 3) linear light.
        rng: drawn from.
    """
    grey = colour.mean(axis=-1)
    middle, bright = np.percentile(grey, (60, 97))
    wanted = _GREY / max(float(middle), 1e-6)
    gain = max(min(wanted, _CLIP / max(float(bright), 1e-6)), 0.5 * wanted)
    gain *= 2 ** rng.uniform(-0.5, 0.5)
    red, green, blue = (float(gain * rng.uniform(0.95, 1.05)) for _ in range(3))
    return ToneMapping((red, green, blue), str(rng.choice(TONE_CURVES, p=(0.4, 0.4, 0.2))))


def tone_map(colour: Picture, tone: ToneMapping) -> Picture:
    """Tone-map linear light to sRGB: (H, W, 3) float32 in [0, 1]."""
    light = np.maximum(colour * np.asarray(tone.gain, np.float32), 0)
    if tone.curve != "clip":
        light = shoulder(light)
    coded = np.clip(linear_to_srgb(np.clip(light, 0, 1)), 0, 1)
    if tone.curve == "soft":
        coded = 0.02 + 0.96 * coded + 0.02 * np.sin(np.pi * coded)
    return np.asarray(coded, np.float32)


def shoulder(light: Picture) -> Picture:
    """Compress highlights: linear up to 0.5, then asymptotically towards 1."""
    over = np.maximum(light - 0.5, 0)
    return np.where(light > 0.5, 0.5 + 0.5 * (1 - np.exp(-over / 0.5)), light).astype(np.float32)
