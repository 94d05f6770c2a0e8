"""Camera effects, each alone, against known answers."""

from __future__ import annotations

import numpy as np
import pytest

from cleanplate.light import coded_from_linear, linear_from_uint8, srgb_to_linear
from cleanplate.synthesis.compositor.camera_effects import (
    CameraParams,
    apply_camera,
    jpeg_round_trip,
    sample_camera_params,
)
from cleanplate.synthesis.compositor.view import crop_view
from tests.synthesis.known_scenes import HEIGHT, WIDTH, room

ONES = np.ones(3, np.float32)


def grey(code: int, size: tuple[int, int] = (64, 64)) -> np.ndarray:
    return np.full((*size, 3), code, np.uint8)


def test_parameters_without_effects_change_nothing():
    ramp = np.tile(np.arange(256, dtype=np.uint8)[None, :, None], (4, 1, 3))
    assert np.array_equal(apply_camera(ramp, CameraParams(ONES)), ramp)
    assert np.array_equal(apply_camera(linear_from_uint8(ramp), CameraParams(ONES)), ramp)


def test_gain_acts_on_linear_light():
    out = apply_camera(grey(128), CameraParams(np.float32([0.5, 1.0, 2.0])))
    light = srgb_to_linear(128 / 255) * np.array([0.5, 1.0, 2.0])
    assert out[0, 0].tolist() == coded_from_linear(np.asarray(light, np.float32)).tolist()


def test_gamma_acts_on_codes():
    out = apply_camera(grey(128), CameraParams(ONES, gamma=1.1))
    assert out[0, 0, 0] == round(255 * (128 / 255) ** 1.1)


@pytest.mark.parametrize("code", [20, 90, 200])
def test_noise_has_the_deviation_of_its_parameters(code: int):
    out = apply_camera(grey(code, (256, 256)), CameraParams(ONES, read_noise=3.0, noise_seed=7))
    assert out.std() == pytest.approx(3.0, rel=0.08)
    assert out.mean() == pytest.approx(code, abs=0.5)


def test_shot_noise_vanishes_in_the_dark():
    """Root of light times the curve's slope: nearly even, down to where the curve is straight."""
    assert apply_camera(grey(0, (64, 64)), CameraParams(ONES, shot_noise=4.0)).max() == 0
    dark = apply_camera(grey(1, (256, 256)), CameraParams(ONES, shot_noise=4.0)).std()
    bright = apply_camera(grey(150, (256, 256)), CameraParams(ONES, shot_noise=4.0)).std()
    assert dark < 0.8 * bright


def test_other_noise_seeds_give_other_noise():
    a, b = (
        apply_camera(grey(90), CameraParams(ONES, read_noise=3.0, noise_seed=s)).astype(float)
        for s in (1, 123457)
    )
    assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.05


def test_coarse_noise_is_alike_in_neighbours():
    def neighbours(coarse_share: float) -> float:
        out = apply_camera(
            grey(90, (256, 256)), CameraParams(ONES, read_noise=6.0, coarse_share=coarse_share)
        ).astype(float)
        return float(np.corrcoef(out[:, 1:].ravel(), out[:, :-1].ravel())[0, 1])

    assert neighbours(0.0) < 0.1
    assert neighbours(0.75) > 0.3


def test_a_picture_larger_than_the_pool_of_noise():
    out = apply_camera(grey(90, (700, 650)), CameraParams(ONES, read_noise=3.0, noise_seed=600_000))
    assert out.std() == pytest.approx(3.0, rel=0.08)


def test_field_darkens_where_it_says():
    field = np.float32([[1.0, 0.5], [1.0, 0.5]])
    out = apply_camera(grey(128, (8, 64)), CameraParams(ONES, gain_field=field))
    assert out[4, 0, 0] == 128
    half = coded_from_linear(np.float32([srgb_to_linear(128 / 255) / 2]))[0]
    assert out[4, -1, 0] == half


def test_defocus_mixes_light_not_codes():
    """Far from the edge nothing changes; on it lies half the light of white: code 188."""
    edge = grey(0, (16, 64))
    edge[:, 32:] = 255
    out = apply_camera(edge, CameraParams(ONES, blur_sigma=2.0))[8, :, 0].astype(int)
    assert out[0] == 0
    assert out[-1] == 255
    assert out[31] < 188 < out[32]
    assert (out[31] + out[32]) / 2 == pytest.approx(186, abs=6)


def test_sharpening_overshoots_at_an_edge():
    edge = grey(60, (16, 64))
    edge[:, 32:] = 180
    out = apply_camera(edge, CameraParams(ONES, sharpen=1.0))[8, :, 0]
    assert out.min() < 55
    assert out.max() > 185
    assert out[2] == 60


def test_jpeg_keeps_channels_in_order():
    red = grey(0)
    red[..., 0] = 200
    out = jpeg_round_trip(red, 95)
    assert out.shape == red.shape
    assert np.abs(out.astype(int) - red).max() < 8


@pytest.mark.parametrize("shift", [(3.0, 0.0), (0.0, 2.0)])
def test_motion_shows_the_place_it_names(shift: tuple[float, float]):
    plate = room()
    plate.picture[...] = np.random.default_rng(0).integers(0, 256, plate.picture.shape)
    view = crop_view(plate, (0, 0, WIDTH, HEIGHT), (HEIGHT, WIDTH))
    motion = np.array([[1, 0, shift[0]], [0, 1, shift[1]]])
    picture, disparity = view.warped(motion)
    dx, dy = int(shift[0]), int(shift[1])
    inner = np.s_[10:-10, 10:-10]
    rolled = np.roll(plate.picture, (-dy, -dx), (0, 1))
    assert np.array_equal(picture[inner], rolled[inner])
    assert np.array_equal(disparity[inner], np.roll(plate.disparity, (-dy, -dx), (0, 1))[inner])


def test_drawn_parameters_stay_within_range():
    gains, shifts, kinds = [], [], []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        plate, frame, motion = sample_camera_params(rng, (256, 256), clean=0.2, drift=0.3)
        gains.append(float(np.log(frame.gain / plate.gain).mean()))
        kinds.append((plate.jpeg_quality is None) == (frame.jpeg_quality is None))
        if motion is not None:
            centre = motion @ [128, 128, 1] - 128
            shifts.append(float(np.abs(centre).max()))
    share = np.mean(np.abs(gains) < 0.06)
    assert 0.6 < share < 0.95
    assert np.abs(gains).max() < 0.45
    assert np.median(shifts) < 1
    assert 1.5 < max(shifts) <= 3.001
    assert not all(kinds)


def test_clean_pairs_only_get_noise():
    plate, frame, motion = sample_camera_params(
        np.random.default_rng(0), (64, 64), clean=1.0, drift=0.0
    )
    assert motion is None
    assert plate.gain.tolist() == frame.gain.tolist() == [1, 1, 1]
    assert plate.blur_sigma == frame.blur_sigma == 0
    assert plate.noise_seed != frame.noise_seed
