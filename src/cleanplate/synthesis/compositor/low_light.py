"""Low light: dark plate and frame, subjects of matching brightness, and sensor noise."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Picture
from cleanplate.light import linear_to_srgb, srgb_to_linear
from cleanplate.synthesis.compositor.camera_effects import CameraParams
from cleanplate.synthesis.compositor.layer import Layer
from cleanplate.synthesis.compositor.shadow import LUMINANCE


def match_brightness(
    rng: np.random.Generator, layer: Layer, colour: Picture, behind: Picture
) -> Picture:
    """Scale the subject to about the brightness of what it hides."""
    solid = (layer.alpha > 0.5).astype(np.uint8)
    own, here = (
        float(cv2.mean(np.asarray(cv2.transform(light, LUMINANCE[None])), solid)[0]) + 1e-4
        for light in (colour, behind)
    )
    gain = np.float32(np.exp(rng.normal(0, 0.35)) * here / own)
    return np.asarray(np.minimum(colour * gain, 1), np.float32)


def low_light_curve(
    rng: np.random.Generator, picture: npt.NDArray[np.uint8], tone_curve: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Give a tone curve (256, 3) that darkens a picture to night, from an earlier curve."""
    codes = np.rint(tone_curve).astype(np.uint8)
    mean = float(cv2.mean(cv2.LUT(picture[::4, ::4], codes[:, None, :]))[0]) / 255
    linear = float(srgb_to_linear(np.float32(mean))) + 1e-3
    wanted = float(np.exp(rng.uniform(np.log(0.005), np.log(0.04))))
    light = srgb_to_linear(tone_curve / np.float32(255)) * np.float32(min(1.0, wanted / linear))
    tint = np.exp(rng.normal(0, 0.08, 3)).astype(np.float32)
    dark = np.minimum(light * tint, 1)
    return np.asarray(255 * linear_to_srgb(dark), np.float32)


def with_low_light_noise(
    rng: np.random.Generator, plate: CameraParams, frame: CameraParams
) -> tuple[CameraParams, CameraParams]:
    """Add the noise of one sensor in low light to the parameters of plate and frame."""
    read, coarse_share = float(np.exp(rng.uniform(np.log(1.2), np.log(6.0)))), rng.uniform(0, 0.8)
    one, other = (
        replace(params, read_noise=max(params.read_noise, read), coarse_share=float(coarse_share))
        for params in (plate, frame)
    )
    return one, other
