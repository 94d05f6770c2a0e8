"""Composites made in planes beside those made in R'G'B'."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import pytest

from cleanplate.matte.background_replacement import replace_background
from cleanplate.video.clip import ClipFrame
from cleanplate.video.planar_composite import Steady, composite_of, replace_in_planes
from cleanplate.video.ycbcr import BT709, YCbCr
from cleanplate.video.ycbcr_picture import YCbCrPicture
from tests.video.test_ycbcr_picture import smooth

HEIGHT, WIDTH = 120, 160


@pytest.fixture(scope="module")
def scene():
    """Frame, plate, background (H, W, 3), alpha (H, W) with a soft edge, a shadow."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    alpha = np.clip((40 - np.hypot(y - 60, x - 80)) / 7, 0, 1).astype(np.float32)
    plate, subject, background = (smooth(HEIGHT, WIDTH, seed) for seed in (1, 2, 3))
    frame = np.rint(plate + alpha[..., None] * (subject.astype(float) - plate)).astype(np.uint8)
    shadow = np.linspace(0.6, 1, WIDTH // 4, dtype=np.float32)[None].repeat(HEIGHT // 4, 0)
    return frame, plate, background, alpha, shadow


def replaced(scene, coding=BT709):
    frame, plate, background, alpha, shadow = scene
    planes = YCbCrPicture.of(frame, coding)
    one = ClipFrame(planes, 0, Fraction(0))
    return planes, composite_of(one, Steady().of(plate), Steady().of(background), alpha, shadow)


def test_codes_are_kept_where_nothing_is_mixed(scene):
    planes, made = replaced(scene)
    assert isinstance(made, YCbCrPicture)
    background, alpha = YCbCrPicture.of(scene[2], BT709), scene[3]
    near = np.ones((5, 5), np.uint8)
    for source, where in (
        (planes, cv2.erode(alpha, near) == 1),
        (background, cv2.dilate(alpha, near) == 0),
    ):
        assert where.sum() > 1000
        assert np.array_equal(made.luma[where], source.luma[where])
        cells = where[::2, ::2]
        assert np.array_equal(made.blue[cells], source.blue[cells])
        assert np.array_equal(made.red[cells], source.red[cells])


def test_between_it_is_the_composite_of_colours(scene):
    _, made = replaced(scene)
    frame, plate, background, alpha, shadow = scene
    seen = YCbCrPicture.of(frame, BT709).rgb
    expected = YCbCrPicture.of(replace_background(seen, plate, alpha, background, shadow), BT709)
    soft = (alpha > 0) & (alpha < 1)
    # Luma is computed from the very pixels; chroma from means over a few of them.
    assert np.abs(made.luma[soft].astype(int) - expected.luma[soft]).max() <= 1
    cells = soft[::2, ::2]
    for name in ("blue", "red"):
        error = getattr(made, name)[cells].astype(int) - getattr(expected, name)[cells]
        assert np.abs(error).mean() < 1.5
        assert abs(error.mean()) < 0.5
    error = np.abs(made.rgb[soft].astype(int) - expected.rgb[soft])
    assert error.mean() < 1.5


def test_other_codings_are_mixed_in_colours(scene):
    _, plate, background, alpha, shadow = scene
    planes, made = replaced(scene, YCbCr("bt470bg", full_range=True))
    assert isinstance(made, np.ndarray)
    expected = replace_background(planes.rgb, plate, alpha, background, shadow)
    assert np.array_equal(made, expected)


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_nothing_and_all(scene, level):
    frame, plate, background, alpha, shadow = scene
    planes = YCbCrPicture.of(frame, BT709)
    made = replace_in_planes(
        planes, Steady().of(plate), Steady().of(background), np.full_like(alpha, level), shadow
    )
    expected = planes if level else YCbCrPicture.of(background, BT709)
    for name in ("luma", "blue", "red"):
        one, other = getattr(made, name), getattr(expected, name)
        assert np.array_equal(one, other)
        assert not np.shares_memory(one, other)


def test_odd_sizes(scene):
    frame, plate, background, alpha, shadow = scene
    frame, plate, background, alpha = (one[:119, :157] for one in scene[:4])
    _, made = replaced((*map(np.ascontiguousarray, (frame, plate, background, alpha)), shadow))
    assert made.luma.shape == (119, 157)
    assert made.blue.shape == (60, 79)


def test_deep_plates_are_converted_once(scene):
    plate = scene[1].astype(np.uint16) * 257
    steady = Steady()
    one = steady.of(plate)
    assert np.array_equal(one.rgb, scene[1])
    assert steady.of(plate) is one
    assert steady.of(plate.copy()) is not one
