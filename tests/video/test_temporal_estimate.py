"""The empty scene from frames in which a subject stands: against scenes that are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanplate.video.temporal_estimate import estimate_scene

HEIGHT, WIDTH = 48, 64


def scene(rng):
    return rng.uniform(0.05, 0.95, (HEIGHT, WIDTH, 3))


def covered_in(share, count, rng):
    """(count, H, W) bool: each pixel is covered in exactly this share of the frames."""
    order = rng.permuted(np.tile(np.arange(count)[:, None, None], (1, HEIGHT, WIDTH)), axis=0)
    return order < round(share * count)


def frames_of(empty, subject, covered, sigma, rng):
    clean = np.where(covered[..., None], subject, empty[None])
    noisy = clean + rng.normal(0, sigma / 255, clean.shape)
    return np.clip(np.rint(noisy * 255), 0, 255).astype(np.uint8)


def error(estimate, empty):
    """Largest error over the channels, in 255ths."""
    return np.abs(estimate.picture / 65535 - empty).max(2) * 255


@pytest.mark.parametrize("sigma", [1, 3])
def test_a_subject_in_forty_percent_of_the_frames_leaves_no_trace(sigma):
    rng = np.random.default_rng(1)
    empty = scene(rng)
    subject = rng.uniform(0, 1, (96, HEIGHT, WIDTH, 3))
    frames = frames_of(empty, subject, covered_in(0.4, 96, rng), sigma, rng)
    estimate = estimate_scene(frames)
    sure = estimate.confidence > 0.98
    assert sure.mean() > 0.95
    assert np.quantile(error(estimate, empty)[sure], 0.9995) <= 2
    # The median of the same frames is off by about a standard deviation of the noise.
    median = np.abs(np.median(frames, 0) / 255 - empty).max(2) * 255
    assert np.median(error(estimate, empty)) < 0.5 * np.median(median)


def test_a_subject_that_stands_still_as_long_as_the_scene_is_seen_gives_no_confidence():
    rng = np.random.default_rng(2)
    empty = scene(rng)
    covered = covered_in(0.5, 64, rng)
    estimate = estimate_scene(frames_of(empty, 1 - empty[None], covered, 1, rng))
    assert (estimate.confidence < 0.98).all()


def test_noise_that_the_mean_cannot_remove_gives_no_confidence():
    rng = np.random.default_rng(3)
    empty = rng.uniform(0.3, 0.7, (HEIGHT, WIDTH, 3))
    nothing = np.zeros((6, HEIGHT, WIDTH), bool)
    estimate = estimate_scene(frames_of(empty, 0, nothing, 10, rng))
    # Six samples of standard deviation 10/255: the mean's is 4/255, twice the precision.
    assert (estimate.confidence < 0.98).all()


def test_noise_is_measured():
    rng = np.random.default_rng(4)
    nothing = np.zeros((64, HEIGHT, WIDTH), bool)
    estimate = estimate_scene(frames_of(scene(rng), 0, nothing, 3, rng))
    assert estimate.noise * 255 == pytest.approx(3, rel=0.25)


def test_pixels_that_no_sample_covers_are_unknown_and_others_go_by_those_that_do():
    rng = np.random.default_rng(5)
    empty = scene(rng)
    known = np.ones((32, HEIGHT, WIDTH), bool)
    known[:, :, :8] = False
    known[:16, :, 8:16] = False
    frames = frames_of(empty, 0, np.zeros_like(known), 1, rng)
    frames[~known] = 0
    estimate = estimate_scene(frames, known)
    assert (estimate.confidence[:, :8] == 0).all()
    assert (error(estimate, empty)[:, 8:] < 2).all()


@given(
    value=st.integers(0, 65535),
    count=st.integers(3, 12),
    wide=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_a_still_scene_is_given_back(value, count, wide):
    dtype = np.uint16 if wide else np.uint8
    held = value if wide else value // 257
    frames = np.full((count, 3, 5, 3), held, dtype)
    estimate = estimate_scene(frames)
    expected = held if wide else held * 257
    assert np.abs(estimate.picture.astype(int) - expected).max() <= 1
