"""Depth, disparity and relative disparity: arithmetic on arrays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cleanplate.depth import (
    Intrinsics,
    Normalisation,
    colour_map,
    depth_to_disparity,
    disparity_to_depth,
    fit_scale_shift,
    point_cloud,
)
from cleanplate.errors import CleanplateError

NAN, INF = np.nan, np.inf
few = settings(deadline=None, max_examples=30)
planes = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=9),
    elements=st.floats(0.0625, 64, width=32),
)


# --- camera ----------------------------------------------------------------------------------


def seen(camera: Intrinsics, point: tuple[float, float, float]) -> tuple[float, float]:
    x, y, z = point
    return camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy


def test_a_camera_follows_its_picture():
    """Each change of the picture moves the image of a point as it moves the pixels."""
    camera, point = Intrinsics(300, 310, 159.5, 121), (0.4, -0.2, 2.0)
    u, v = seen(camera, point)
    assert seen(camera.scaled(2, 0.5), point) == pytest.approx((2 * u, 0.5 * v))
    assert seen(camera.cropped(10, 20), point) == pytest.approx((u - 10, v - 20))
    mirrored = (-point[0], *point[1:])
    assert seen(camera.flipped(320), mirrored) == pytest.approx((320 - u, v))
    assert camera.flipped(320).flipped(320) == camera


# --- depth and disparity ---------------------------------------------------------------------


def test_depth_to_disparity_of_known_values():
    depth = np.float32([[2, 0.5, INF, NAN, 0, -1, -INF]])
    expected = np.float32([[0.5, 2, 0, NAN, NAN, NAN, NAN]])
    out = depth_to_disparity(depth)
    assert out.dtype == np.float32
    np.testing.assert_array_equal(out, expected)


def test_disparity_to_depth_of_known_values():
    disparity = np.float32([[0.5, 2, 0, -0.0, NAN, -1, INF]])
    expected = np.float32([[2, 0.5, INF, INF, NAN, NAN, 0]])
    out = disparity_to_depth(disparity)
    assert out.dtype == np.float32
    np.testing.assert_array_equal(out, expected)


@few
@given(planes)
def test_depth_and_back(depth):
    np.testing.assert_allclose(disparity_to_depth(depth_to_disparity(depth)), depth, rtol=3e-7)


# --- relative disparity ----------------------------------------------------------------------


def test_median_and_spread_of_known_values():
    found = Normalisation.of(np.float32([[1, 2, 4, 9, NAN, INF]]))
    assert found == Normalisation(median=3.0, spread=(2 + 1 + 1 + 6) / 4)
    masked = Normalisation.of(np.float32([[1, 2, 4, 9]]), np.array([[True, True, True, False]]))
    assert masked == Normalisation(median=2.0, spread=1.0)


def test_relative_disparity_has_median_0_and_spread_1():
    disparity = np.random.default_rng(0).random((30, 40), dtype=np.float32) * 3
    relative = Normalisation.of(disparity).apply(disparity)
    assert relative.dtype == np.float32
    assert np.median(relative) == pytest.approx(0, abs=1e-6)
    assert np.abs(relative).mean() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(("value", "spread"), [(0.5, 5e-4), (0.0, 1e-6)])
def test_a_flat_plate_can_be_normalised(value, spread):
    found = Normalisation.of(np.full((3, 4), value, np.float32))
    assert found.spread == pytest.approx(spread)
    np.testing.assert_array_equal(found.apply(np.full((3, 4), value, np.float32)), 0)


@few
@given(planes)
def test_relative_and_back(disparity):
    found = Normalisation.of(disparity)
    again = found.invert(found.apply(disparity))
    assert again.dtype == np.float32
    np.testing.assert_allclose(again, disparity, rtol=1e-5, atol=1e-5)


def test_unknown_stays_unknown():
    relative = Normalisation(1.0, 2.0).apply(np.float32([[NAN, 3]]))
    np.testing.assert_array_equal(relative, [[NAN, 1]])


def test_no_known_pixel_cannot_be_normalised():
    with pytest.raises(CleanplateError, match="not known at any pixel"):
        Normalisation.of(np.full((2, 2), NAN, np.float32))
    with pytest.raises(CleanplateError, match="not known at any pixel"):
        Normalisation.of(np.ones((2, 2), np.float32), np.zeros((2, 2), bool))


def test_scale_and_shift_of_a_known_line():
    x = np.float32([[0, 1, 2], [3, 4, 5]])
    assert fit_scale_shift(x, 2 * x - 3) == pytest.approx((2, -3))


@few
@given(planes, st.integers(0, 1000))
def test_scale_and_shift_are_least_squares(prediction, seed):
    """The same as numpy's solver, which uses a singular value decomposition."""
    assume(np.ptp(prediction) > 0.1)
    rng = np.random.default_rng(seed)
    target = rng.normal(size=prediction.shape).astype(np.float32)
    mask = rng.random(prediction.shape) < 0.7
    assume(np.ptp(prediction[mask]) > 0.1 if mask.sum() > 1 else False)
    target[0, 0] = NAN
    known = mask & np.isfinite(target)
    assume(known.sum() > 2)
    assume(np.ptp(prediction[known]) > 0.1)
    columns = np.stack([prediction[known], np.ones(known.sum())], axis=1).astype(float)
    expected = np.linalg.lstsq(columns, target[known].astype(float), rcond=None)[0]
    np.testing.assert_allclose(fit_scale_shift(prediction, target, mask), expected, atol=1e-6)


def test_a_large_mean_does_not_hurt_the_fit():
    x = (1000 + np.linspace(0, 0.01, 200)).reshape(10, 20)
    scale, shift = fit_scale_shift(x, 5 * x - 4990)
    assert scale == pytest.approx(5, rel=1e-6)
    assert scale * 1000 + shift == pytest.approx(10, rel=1e-6)


def test_a_constant_prediction_fits_the_mean():
    target = np.float32([[1, 2], [3, 6]])
    assert fit_scale_shift(np.full((2, 2), 0.7, np.float32), target) == (0.0, 3.0)


def test_nothing_to_fit_is_an_error():
    with pytest.raises(CleanplateError, match="no pixel"):
        fit_scale_shift(np.ones((2, 2)), np.full((2, 2), NAN))


# --- colours and points ----------------------------------------------------------------------


def test_near_is_bright_and_unknown_is_grey():
    disparity = np.linspace(0, 1, 50, dtype=np.float32).reshape(5, 10)
    disparity[0, 0] = NAN
    valid = np.ones((5, 10), bool)
    valid[4, 9] = False
    colours = colour_map(disparity, valid, low=0, high=1)
    assert colours.dtype == np.uint8
    assert colours[0, 0].tolist() == colours[4, 9].tolist() == [128, 128, 128]
    light = (colours @ [0.2126, 0.7152, 0.0722]).ravel()[1:-1]
    assert (np.diff(light) > 0).all()


def test_the_colours_are_those_of_inferno():
    """First, middle and last colour as matplotlib 3 lists them, in red, green, blue."""
    colours = colour_map(np.float32([[0, 0.5, 1]]), low=0, high=1)
    expected = [[0, 0, 4], [188, 55, 84], [252, 255, 164]]
    assert np.abs(colours[0].astype(int) - expected).max() <= 3


def test_the_range_ignores_outliers_and_can_be_given():
    disparity = np.linspace(0, 1, 1000, dtype=np.float32).reshape(25, 40)
    with_outlier = disparity.copy()
    with_outlier[0, 0] = 1e6
    difference = colour_map(disparity).astype(int) - colour_map(with_outlier)
    assert np.abs(difference).reshape(-1, 3)[1:].max() < 12
    clipped = colour_map(np.float32([[-5, 0, 1, 9]]), low=0, high=1)
    assert clipped[0, 0].tolist() == clipped[0, 1].tolist()
    assert clipped[0, 2].tolist() == clipped[0, 3].tolist()


def test_flat_and_unknown_maps_have_colours():
    assert len(np.unique(colour_map(np.full((3, 4), 2.0, np.float32)).reshape(-1, 3), axis=0)) == 1
    assert (colour_map(np.full((3, 4), NAN, np.float32)) == 128).all()


def test_points_project_back_to_their_pixels():
    rng = np.random.default_rng(1)
    depth = rng.uniform(0.5, 9, (6, 8)).astype(np.float32)
    depth[0, :4] = NAN, INF, 0, -1
    picture = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    camera = Intrinsics(7.0, 8.0, 4.2, 2.9)
    points, colours = point_cloud(depth, picture, camera)
    assert points.dtype == np.float32
    assert points.shape == colours.shape == (6 * 8 - 4, 3)
    for point, colour in zip(points, colours, strict=True):
        u, v = seen(camera, point)
        assert (u % 1, v % 1) == pytest.approx((0.5, 0.5), abs=1e-4)
        assert depth[int(v), int(u)] == point[2]
        np.testing.assert_array_equal(picture[int(v), int(u)], colour)


def test_points_need_a_picture_of_the_same_size():
    with pytest.raises(ValueError, match="depth is"):
        point_cloud(np.ones((2, 3), np.float32), np.ones((3, 2, 3)), Intrinsics(1, 1, 1, 1))
