"""Colour harmonisation: adapt a subject's colours to the plate's light, and tone curves."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Bytes, Picture
from cleanplate.light import linear_from_uint8, srgb_to_linear
from cleanplate.synthesis.compositor.layer import Layer
from cleanplate.synthesis.compositor.settings import CompositorSettings

_CODES = np.arange(256, dtype=np.float32)


def harmonised_light(
    rng: np.random.Generator, layer: Layer, plate: Bytes, settings: CompositorSettings
) -> Picture:
    """Give the layer's colour in linear light (h, w, 3) float32, adapted to the plate.

    Mostly the subject takes on part of the brightness and tint around it; at times it is
    camouflaged in the plate's colours.

    Args:
        rng: drawn from.
        layer: the placed subject.
        plate: (H, W, 3) uint8, the view.
        settings: strengths and shares.
    """
    colour = layer.colour
    if settings.camouflage_share and rng.random() < settings.camouflage_share:
        return _camouflage(rng, layer, plate)
    if not settings.relight:
        return linear_from_uint8(colour)
    if rng.random() < 0.5:
        person = layer.placement.cutout.kind == "person" and rng.random() < 0.9
        matrix = _hue_saturation_matrix(rng, settings.relight, person=person)
        colour = np.asarray(cv2.transform(colour, matrix), np.uint8)
    solid = (layer.alpha > 0.5).astype(np.uint8)
    here = np.asarray(cv2.mean(plate[layer.box], solid)[:3], np.float32) + 4
    own = np.asarray(cv2.mean(colour, solid)[:3], np.float32) + 4
    towards = rng.uniform(0.25, 0.9) if rng.random() < 0.75 else 0.0
    level = (here.mean() / own.mean()) ** (towards * rng.uniform(0.3, 0.8))
    tint = (here / here.mean() / (own / own.mean()) ** 0.5) ** (towards * rng.uniform(0, 0.5))
    gain = level * tint * np.exp(rng.normal(0, 0.16, 3) * 0.3 + rng.normal(0, 0.2))
    gamma = np.exp(rng.normal(0, 0.12))
    gain, gamma = gain**settings.relight, gamma**settings.relight
    curve = 255 * (_CODES[:, None] / 255) ** np.float32(gamma) * np.float32(gain)
    if rng.random() < 0.25:  # haze or glare lifts the blacks
        curve = curve * 0.93 + rng.uniform(0, 18)
    light = linear_by_curve(colour, np.minimum(curve, 255))
    if rng.random() < 0.4:
        slope = _gradient(rng, colour.shape[:2])
        light *= cv2.merge([slope, slope, slope])
        np.minimum(light, 1, out=light)
    return light


def linear_by_curve(colour: Bytes, curve: npt.NDArray[np.float32]) -> Picture:
    """Give linear light (h, w, 3) of codes after a curve (256, 3) of codes in [0, 255]."""
    table = srgb_to_linear(np.asarray(curve, np.float32) / np.float32(255))
    return np.asarray(cv2.LUT(colour, np.ascontiguousarray(table)[:, None, :]), np.float32)


def sample_tone_curve(
    rng: np.random.Generator, picture: Bytes, strength: float
) -> npt.NDArray[np.float32]:
    """Draw a curve (256, 3) of codes that plate and frame share: exposure, tint and gamma.

    Exposure is drawn towards mid-grey, so that dark plates are also seen bright and bright ones
    are not all clipped.
    """
    if not strength:
        return np.repeat(_CODES[:, None], 3, 1)
    now = float(picture[::8, ::8].mean()) / 255 + 0.02
    wanted = np.exp(rng.normal(np.log(0.42), 0.4))
    exposure = np.clip(rng.uniform(0.0, 0.8) * np.log(wanted / now) + rng.normal(0, 0.12), -1, 1.3)
    gain = np.exp(strength * (exposure + rng.normal(0, 0.05, 3)))
    gamma = np.exp(strength * rng.normal(0, 0.14))
    curve = 255 * (_CODES[:, None] / 255) ** np.float32(gamma) * np.float32(gain)
    # A soft shoulder instead of clipping where light is raised.
    high = np.maximum(curve - 190, 0)
    curve = np.minimum(curve, 190) + 65 * (1 - np.exp(-high / 65))
    return np.asarray(np.clip(curve, 0, 255), np.float32)


def _hue_saturation_matrix(
    rng: np.random.Generator, strength: float, *, person: bool
) -> npt.NDArray[np.float32]:
    """Rotate hue and scale saturation about the grey axis; hue of people only slightly."""
    turn = rng.normal(0, 0.12) if person else rng.uniform(-np.pi, np.pi)
    turn, rich = turn * min(strength, 1), np.exp(strength * rng.normal(0, 0.35))
    cos, sin = rich * np.cos(turn), rich * np.sin(turn) / np.sqrt(3)
    third = (1 - cos) / 3
    return np.array(
        [
            [cos + third, third - sin, third + sin],
            [third + sin, cos + third, third - sin],
            [third - sin, third + sin, cos + third],
        ],
        np.float32,
    )


def _gradient(rng: np.random.Generator, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Linear gradient of light over the subject, from one side."""
    low, high = np.exp(rng.normal(0, 0.3, 2))
    corner = rng.uniform(0, 1)
    small = np.asarray(
        [[low, low + (high - low) * corner], [high + (low - high) * corner, high]], np.float32
    )
    if rng.random() < 0.5:
        small = small.T
    return np.asarray(cv2.resize(small, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR))


def _camouflage(rng: np.random.Generator, layer: Layer, plate: Bytes) -> Picture:
    """Colour the subject like the plate behind it, or cover it with another part of the plate."""
    colour, solid = layer.colour, (layer.alpha > 0.5).astype(np.uint8)
    behind = plate[layer.box]
    if rng.random() < 0.35:
        h, w = colour.shape[:2]
        y = int(rng.integers(plate.shape[0] - h + 1))
        x = int(rng.integers(plate.shape[1] - w + 1))
        other = plate[y : y + h, x : x + w]
        share = rng.uniform(0.5, 1.0)
        colour = np.asarray(cv2.addWeighted(other, share, colour, 1 - share, 0), np.uint8)
    here, own = (
        np.asarray(cv2.mean(behind, solid)[:3], np.float32),
        np.asarray(cv2.mean(colour, solid)[:3], np.float32),
    )
    contrast, share = rng.uniform(0.25, 0.9), rng.uniform(0.6, 1.0)
    target = own + share * (here - own) + rng.normal(0, 9, 3)
    curve = (_CODES[:, None] - own) * np.float32(contrast) + target
    return linear_by_curve(colour, np.clip(curve, 0, 255).astype(np.float32))
