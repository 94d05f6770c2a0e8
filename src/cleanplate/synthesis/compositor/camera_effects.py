"""Camera effects: exposure, lens, sensor noise and JPEG, drawn for plate and frame separately.

Plate and frame are taken at different times, so each has its own parameters. Three regimes are
drawn: nearly identical, as from a fixed camera, and strongly different (drift of exposure and
white balance, a moved camera).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Bytes, Picture
from cleanplate.formats.encoding import encode_jpeg
from cleanplate.light import coded_from_linear, linear_from_uint8, linear_to_srgb

_CODES = np.arange(256, dtype=np.uint8)
_POOL_SIZE = 640
"""Side in pixels of the precomputed noise from which samples crop theirs."""
_COARSE_SHARES = (0.0, 0.25, 0.5, 0.75)
"""Shares of low-frequency noise, with a noise pool for each."""


@dataclass(frozen=True)
class CameraParams:
    """Parameters of one picture's camera.

    Args:
        gain: (3,) exposure and white balance, factors of linear light.
        gamma: exponent of the coded tone curve, 1 = none.
        gain_field: (h, w) coarse grid of factors of linear light over the picture, or None.
        blur_sigma: defocus, standard deviation in pixels.
        sharpen: strength of unsharp masking.
        read_noise: standard deviation in the dark, in 8-bit codes.
        shot_noise: standard deviation at full linear light, in 8-bit codes.
        coarse_share: share of low-frequency noise, 0 to 1.
        jpeg_quality: 1 to 100, or None.
        noise_seed: position of the crop in the noise pool.
    """

    gain: npt.NDArray[np.float32]
    gamma: float = 1.0
    gain_field: npt.NDArray[np.float32] | None = None
    blur_sigma: float = 0.0
    sharpen: float = 0.0
    read_noise: float = 0.0
    shot_noise: float = 0.0
    coarse_share: float = 0.0
    jpeg_quality: int | None = None
    noise_seed: int = 0


def sample_camera_params(
    rng: np.random.Generator, size: tuple[int, int], *, clean: float, drift: float
) -> tuple[CameraParams, CameraParams, npt.NDArray[np.float64] | None]:
    """Draw the camera parameters of plate and frame, and the motion of the plate's camera.

    Args:
        rng: drawn from.
        size: (H, W); lengths scale with it, as if the shorter side had 256 pixels.
        clean: share of pairs that differ by a little noise only.
        drift: share of pairs that differ strongly; the rest differs as with a fixed camera.

    Returns:
        The parameters of plate and frame, and a (2, 3) affine map from the plate's pixels to the
        frame's (centres at + 0.5), or None.
    """
    unit, kind = min(size) / 256, rng.random()
    if kind < clean:
        read = rng.uniform(0.2, 1.6)
        ones = np.ones(3, np.float32)
        quality = int(rng.integers(90, 101)) if rng.random() < 0.2 else None
        shot = rng.uniform(0, 1.5)
        shared = CameraParams(
            ones,
            read_noise=read,
            shot_noise=shot,
            coarse_share=rng.uniform(0, 0.5),
            jpeg_quality=quality,
        )
        return _with_noise_seed(rng, shared), _with_noise_seed(rng, shared), None
    drift = kind > 1 - drift
    shared = _sample_shared_params(rng, size, unit, drift)
    plate, frame = (_sample_picture_params(rng, shared, unit, drift) for _ in range(2))
    if rng.random() < 0.15:  # only one of the two was compressed
        plate, frame = (
            (replace(plate, jpeg_quality=None), frame)
            if rng.random() < 0.5
            else (plate, replace(frame, jpeg_quality=None))
        )
    return plate, frame, _sample_motion(rng, size, unit, drift)


def _with_noise_seed(rng: np.random.Generator, params: CameraParams) -> CameraParams:
    return replace(params, noise_seed=int(rng.integers(1 << 30)))


def _sample_shared_params(
    rng: np.random.Generator, size: tuple[int, int], unit: float, drift: bool
) -> CameraParams:
    """Draw what both pictures have in common: lens, sensor, JPEG quality."""
    field = None
    if rng.random() < 0.35:
        field = _vignette(size, rng.uniform(0.05, 0.5))
    noise = float(np.exp(rng.uniform(np.log(0.5), np.log(6.0 if drift else 3.5))))
    return CameraParams(
        np.ones(3, np.float32),
        gain_field=field,
        blur_sigma=unit * rng.uniform(0.3, 0.9) if rng.random() < 0.3 else 0.0,
        sharpen=rng.uniform(0.2, 1.0) if rng.random() < 0.12 else 0.0,
        read_noise=noise * rng.uniform(0.3, 1),
        shot_noise=noise * rng.uniform(0.3, 1.6),
        coarse_share=rng.uniform(0, 0.8) if rng.random() < 0.4 else rng.uniform(0, 0.2),
        jpeg_quality=int(rng.integers(35 if drift else 60, 100)) if rng.random() < 0.7 else None,
    )


def _sample_picture_params(
    rng: np.random.Generator, shared: CameraParams, unit: float, drift: bool
) -> CameraParams:
    """Draw what differs between the pictures: exposure, white balance, light, focus."""
    exposure = rng.normal(0, 0.075 if drift else 0.022) + (
        rng.uniform(-0.16, 0.16) if drift and rng.random() < 0.3 else 0
    )
    balance = rng.normal(0, 0.022 if drift else 0.008, 3)
    own = replace(
        shared,
        gain=np.exp(exposure + balance).astype(np.float32),
        gamma=float(np.exp(rng.normal(0, 0.035 if drift else 0.01))),
        read_noise=shared.read_noise * rng.uniform(0.8, 1.25),
    )
    if rng.random() < (0.4 if drift else 0.15):
        light = _low_frequency_gain(rng, rng.uniform(0.02, 0.16 if drift else 0.07))
        if own.gain_field is not None:
            wide = cv2.resize(light, own.gain_field.shape[::-1], interpolation=cv2.INTER_CUBIC)
            light = own.gain_field * np.asarray(wide, np.float32)
        own = replace(own, gain_field=light)
    if rng.random() < (0.4 if drift else 0.1):
        own = replace(own, blur_sigma=float(np.hypot(own.blur_sigma, unit * rng.uniform(0.2, 1.0))))
    if own.jpeg_quality is not None and rng.random() < 0.3:
        own = replace(
            own, jpeg_quality=int(np.clip(own.jpeg_quality + rng.integers(-20, 21), 30, 100))
        )
    return _with_noise_seed(rng, own)


def _vignette(size: tuple[int, int], strength: float) -> npt.NDArray[np.float32]:
    """Light falloff towards the corners, on a grid of 17 x 17."""
    height, width = size
    y, x = np.mgrid[-1:1:17j, -1:1:17j]
    radius = (y * y * height**2 + x * x * width**2) / (height**2 + width**2)
    return np.asarray(1 - strength * radius, np.float32)


def _low_frequency_gain(rng: np.random.Generator, strength: float) -> npt.NDArray[np.float32]:
    """Draw a smooth change of light over the picture (cloud, door, screen), or horizontal bands."""
    if rng.random() < 0.2:
        phase, count = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 3)
        rows = np.sin(phase + 2 * np.pi * count * np.linspace(0, 1, 17))
        return np.asarray(1 + 0.6 * strength * np.repeat(rows[:, None], 17, 1), np.float32)
    grid = rng.normal(0, strength, (int(rng.integers(2, 5)), int(rng.integers(2, 5))))
    return np.clip(np.exp(grid), 0.75, 1.3).astype(np.float32)


def _sample_motion(
    rng: np.random.Generator, size: tuple[int, int], unit: float, drift: bool
) -> npt.NDArray[np.float64] | None:
    if rng.random() < 0.3:
        return None
    height, width = size
    if drift:
        shift = rng.normal(0, 0.9, 2) * unit
        angle, grow = rng.normal(0, 0.0022), rng.normal(0, 0.002)
    else:
        shift = rng.uniform(-0.75, 0.75, 2) * unit
        angle, grow = (rng.normal(0, 0.0006) if rng.random() < 0.3 else 0.0), 0.0
    shift = np.clip(shift, -3 * unit, 3 * unit)
    cos, sin = (1 + grow) * np.cos(angle), (1 + grow) * np.sin(angle)
    motion = np.array([[cos, -sin, 0], [sin, cos, 0]])
    centre = np.array([width / 2, height / 2])
    motion[:, 2] = centre + shift - motion[:, :2] @ centre
    return motion


def sample_crop_motion(rng: np.random.Generator, size: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Draw a shift and zoom of up to 1 %, as a motion of `sample_camera_params`."""
    height, width = size
    grow = 1 + rng.uniform(-0.01, 0.01)
    motion = np.array([[grow, 0.0, 0.0], [0.0, grow, 0.0]])
    centre = np.array([width / 2, height / 2])
    shift = rng.uniform(-0.01, 0.01, 2) * (width, height)
    motion[:, 2] = centre + shift - motion[:, :2] @ centre
    return motion


def apply_camera(picture: Picture | Bytes, params: CameraParams) -> Bytes:
    """Apply camera parameters to a picture; give (H, W, 3) uint8 sRGB.

    Args:
        picture: (H, W, 3) float32 linear light or uint8 codes; codes are linearised only where
            the parameters need it.
        params: gain field and defocus act on linear light, as does the gain (through the tone
            curve, so that clipped white becomes the gain's white); noise and JPEG act on codes.
    """
    if params.gain_field is not None or params.blur_sigma > 0:
        light = np.asarray(picture, np.float32)
        if picture.dtype == np.uint8:
            light = linear_from_uint8(np.asarray(picture, np.uint8))
        height, width = light.shape[:2]
        if params.gain_field is not None:
            # Merged to three channels before resizing, which is faster than after.
            field = cv2.merge([params.gain_field] * 3)
            factor = cv2.resize(field, (width, height), interpolation=cv2.INTER_LINEAR)
            light = np.asarray(cv2.multiply(light, factor, dst=factor), np.float32)
        if params.blur_sigma > 0:
            edge = cv2.BORDER_REFLECT_101
            soft = cv2.GaussianBlur(light, (0, 0), params.blur_sigma, borderType=edge)
            light = np.asarray(soft, np.float32)
        picture = light
    if picture.dtype == np.uint8:
        coded = np.asarray(picture, np.uint8)
    else:
        coded = coded_from_linear(np.asarray(picture, np.float32))
    value = np.asarray(cv2.LUT(coded, camera_tone_curve(params)[:, None, :]), np.float32)
    if params.sharpen:
        soft = cv2.GaussianBlur(value, (0, 0), 1.0)
        sharp = cv2.addWeighted(value, 1 + params.sharpen, soft, -params.sharpen, 0)
        value = np.asarray(sharp, np.float32)
    out: npt.ArrayLike
    if params.read_noise or params.shot_noise:
        deviation = cv2.LUT(
            coded, np.sqrt(params.read_noise**2 + params.shot_noise**2 * _shot_noise_variance())
        )
        noise = cv2.multiply(_crop_noise(params, coded.shape[:2]), deviation, dst=deviation)
        out = cv2.add(value, noise, dtype=cv2.CV_8U)  # rounds and clips to [0, 255]
    else:
        out = cv2.convertScaleAbs(np.maximum(value, 0, out=value))
    if params.jpeg_quality is not None:
        out = jpeg_round_trip(np.asarray(out, np.uint8), params.jpeg_quality)
    return np.asarray(out, np.uint8)


def camera_tone_curve(params: CameraParams) -> npt.NDArray[np.float32]:
    """Give the curve (256, 3) of codes after gain, white balance and gamma, in [0, 255]."""
    light = linear_from_uint8(_CODES)[:, None] * params.gain
    coded = linear_to_srgb(np.minimum(light, 1))
    return np.asarray(255 * coded ** np.float32(params.gamma), np.float32)


@cache
def _shot_noise_variance() -> npt.NDArray[np.float32]:
    """Variance of shot noise (256,) at each code, relative to that at full light.

    In linear light the standard deviation of shot noise is proportional to the square root of the
    light; the slope of the sRGB curve converts it to codes.
    """
    light = linear_from_uint8(_CODES)
    slope = np.minimum(12.92, 0.44 * np.maximum(light, 1e-4) ** -0.583) / 0.44
    return np.asarray(light * slope**2, np.float32)


def jpeg_round_trip(picture: Bytes, quality: int) -> Bytes:
    """Encode as JPEG 4:2:0 and decode again."""
    data = np.frombuffer(encode_jpeg(picture, quality), np.uint8)
    again = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
    return np.asarray(cv2.cvtColor(again, cv2.COLOR_BGR2RGB), np.uint8)


def _crop_noise(params: CameraParams, shape: tuple[int, ...]) -> Picture:
    """Crop unit noise (H, W, 3) from the pool at the position given by the seed."""
    kind = int(np.abs(np.array(_COARSE_SHARES) - params.coarse_share).argmin())
    return _crop_pool(_noise_pool(kind), params.noise_seed, shape)


def _crop_pool(pool: Picture, seed: int, shape: tuple[int, ...]) -> Picture:
    height, width = shape[0], shape[1]
    if height <= _POOL_SIZE and width <= _POOL_SIZE:
        y, x = seed % (_POOL_SIZE - height + 1), seed // _POOL_SIZE % (_POOL_SIZE - width + 1)
        return pool[y : y + height, x : x + width]
    y, x = seed % _POOL_SIZE, seed // _POOL_SIZE % _POOL_SIZE
    rows, columns = np.arange(y, y + height) % _POOL_SIZE, np.arange(x, x + width) % _POOL_SIZE
    return np.asarray(pool[np.ix_(rows, columns)])


@cache
def _noise_pool(kind: int) -> Picture:
    """Periodic noise (640, 640, 3) of unit deviation, with the share of `_COARSE_SHARES[kind]`."""
    rng = np.random.default_rng(0xCA11)
    grey = rng.standard_normal((_POOL_SIZE, _POOL_SIZE, 1), np.float32)
    own = rng.standard_normal((_POOL_SIZE, _POOL_SIZE, 3), np.float32)
    fine = np.float32(0.75) * grey + np.float32(0.66) * own
    wide = cv2.copyMakeBorder(own, 16, 16, 16, 16, cv2.BORDER_WRAP)
    coarse_share = np.asarray(cv2.GaussianBlur(wide, (0, 0), 1.6)[16:-16, 16:-16])
    share = np.float32(_COARSE_SHARES[kind])
    mixed = (
        fine / fine.std() * np.sqrt(1 - share * share) + coarse_share / coarse_share.std() * share
    )
    return np.asarray(mixed / mixed.std(), np.float32)
