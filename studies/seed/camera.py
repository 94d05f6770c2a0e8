"""What happens to a pair between the scene and the file: colours that drift, noise, a knock."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.synthesis.compositor.camera_effects import jpeg_round_trip
from studies.seed.sets import Pairs
from studies.seed.settings import Camera

Pictures = npt.NDArray[np.uint8]

_SHIFT = 6 / 480
"""Of the picture's width: as the `drift` variant of the validation pairs."""
_TURN = 0.6
_JITTER = 0.15
"""Of brightness, contrast, saturation and hue: the report's."""
_GREY = np.array([0.299, 0.587, 0.114], np.float32)


def through(pairs: Pairs, camera: Camera, seed: int) -> Pairs:
    """Send every pair through a camera that changes between plate and frame.

    exposure: gain within 16 %, white balance within 5 % a channel, gamma within 6 %, frame only.
    noise: sigma 2 to 6 codes in both. shift: the plate moves by up to 1/80 of the width and turns
    by up to 0.6 degrees. jpeg: the frame is saved at quality 35, as the report's was, the plate is
    not. all: exposure, then shift, then noise.
    """
    if camera == "none":
        return pairs
    plates, frames = [], []
    for number, (plate, frame) in enumerate(zip(pairs.plate, pairs.frame, strict=True)):
        rng = np.random.default_rng([seed, number, 0xCA])
        if camera in ("exposure", "all"):
            frame = _exposed(frame, rng)  # noqa: PLW2901
        if camera in ("shift", "all"):
            plate = _moved(plate, rng)  # noqa: PLW2901
        if camera in ("noise", "all"):
            sigma = rng.uniform(2, 6)
            plate, frame = (_noisy(one, rng, sigma) for one in (plate, frame))  # noqa: PLW2901
        if camera == "jpeg":
            frame = jpeg_round_trip(frame, 35)  # noqa: PLW2901
        plates.append(plate)
        frames.append(frame)
    return replace(pairs, plate=np.stack(plates), frame=np.stack(frames))


def _exposed(picture: Pictures, rng: np.random.Generator) -> Pictures:
    gain = rng.uniform(0.84, 1.16) * rng.uniform(0.95, 1.05, 3)
    light = (picture / np.float32(255)) ** rng.uniform(0.94, 1.06) * gain
    return _coded(light.astype(np.float32))


def _moved(picture: Pictures, rng: np.random.Generator) -> Pictures:
    side = picture.shape[1]
    middle = (side - 1) / 2
    matrix = cv2.getRotationMatrix2D((middle, middle), rng.uniform(-_TURN, _TURN), 1)
    matrix[:, 2] += rng.uniform(-_SHIFT, _SHIFT, 2) * side
    moved = cv2.warpAffine(picture, matrix, (side, side), borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(moved, np.uint8)


def _noisy(picture: Pictures, rng: np.random.Generator, sigma: float) -> Pictures:
    noise = rng.standard_normal(picture.shape, np.float32) * np.float32(sigma)
    return np.clip(np.rint(picture + noise), 0, 255).astype(np.uint8)


def _coded(light: npt.NDArray[np.float32]) -> Pictures:
    return np.rint(np.clip(light, 0, 1) * 255).astype(np.uint8)


def jitter(
    plates: Pictures, frames: Pictures, rng: np.random.Generator, *, joint: bool
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Draw brightness, contrast, saturation and hue within 0.15 for each pair of a batch.

    As ColorJitter of torchvision, in this order. Joint: plate and frame get the same draw.

    Returns:
        Plates and frames, (N, H, W, 3) float32 in [0, 1].
    """
    done: tuple[list[npt.NDArray[np.float32]], ...] = ([], [])
    for pair in zip(plates, frames, strict=True):
        draw = rng.uniform(-_JITTER, _JITTER, (2, 4))
        for side, picture in enumerate(pair):
            done[side].append(_jittered(picture, draw[0 if joint else side]))
    return np.stack(done[0]), np.stack(done[1])


def _jittered(picture: Pictures, draw: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    brightness, contrast, saturation, hue = (np.float32(d) for d in draw)
    light = np.clip(picture / np.float32(255) * (1 + brightness), 0, 1)
    light = np.clip(light + contrast * (light - (light @ _GREY).mean()), 0, 1)
    light = np.clip(light + saturation * (light - (light @ _GREY)[..., None]), 0, 1)
    hsv = cv2.cvtColor(light.astype(np.float32), cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0] + 360 * hue) % 360
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), np.float32)
