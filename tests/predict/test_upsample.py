"""From working size to full size: bilinear, guided, and outwards from the subject."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanplate.arrays import Picture, Plane
from cleanplate.bilinear import enlarge
from cleanplate.formats.pictures import resize
from cleanplate.predict.frame_pixels import DecodedPixels
from cleanplate.predict.upsample import (
    EPSILON,
    fill_outside,
    guided_model,
    upsample_alpha,
    with_contrast,
)
from tests.predict.conftest import make_pair


def slow_guided(guide: Picture, target: Plane, radius: int, epsilon: float) -> Plane:
    """The guided filter, window by window, by ridge regression on centred colours."""
    height, width = target.shape
    border = ((radius, radius), (radius, radius))
    colours = np.pad(guide.astype(np.float64), (*border, (0, 0)), mode="symmetric")
    values = np.pad(target.astype(np.float64), border, mode="symmetric")
    models = np.zeros((height, width, 4))
    side = 2 * radius + 1
    for y in range(height):
        for x in range(width):
            i = colours[y : y + side, x : x + side].reshape(-1, 3)
            p = values[y : y + side, x : x + side].ravel()
            centred = i - i.mean(axis=0)
            covariance = centred.T @ centred / len(p) + epsilon * np.eye(3)
            a = np.linalg.solve(covariance, centred.T @ (p - p.mean()) / len(p))
            models[y, x] = [*a, p.mean() - a @ i.mean(axis=0)]
    padded = np.pad(models, (*border, (0, 0)), mode="symmetric")
    result = np.zeros((height, width))
    for y in range(height):
        for x in range(width):
            mean = padded[y : y + side, x : x + side].reshape(-1, 4).mean(axis=0)
            result[y, x] = mean[:3] @ guide[y, x] + mean[3]
    return result


@pytest.mark.parametrize("radius", [1, 2, 4])
def test_guided_filter_against_a_slow_one(radius: int) -> None:
    rng = np.random.default_rng(radius)
    guide = rng.random((14, 17, 3), np.float32)
    target = rng.random((14, 17), np.float32)
    model = guided_model(guide, target, radius, 1e-3)
    fast = (model[..., :3] * guide).sum(axis=2) + model[..., 3]
    np.testing.assert_allclose(fast, slow_guided(guide, target, radius, 1e-3), atol=2e-4)


def test_a_flat_guide_gives_the_mean() -> None:
    target = np.random.default_rng(3).random((12, 12), np.float32)
    model = guided_model(np.full((12, 12, 3), 0.5, np.float32), target, 2, EPSILON)
    fast = (model[..., :3] * 0.5).sum(axis=2) + model[..., 3]
    twice = cv2.blur(cv2.blur(target, (5, 5), borderType=cv2.BORDER_REFLECT), (5, 5),
                     borderType=cv2.BORDER_REFLECT)  # fmt: skip
    np.testing.assert_allclose(fast, twice, atol=1e-3)


def test_only_the_asked_windows_are_fitted() -> None:
    pair = make_pair(40, 50)
    where = np.zeros((40, 50), bool)
    where[10:30, 10:40] = True
    whole = guided_model(pair.frame, pair.alpha)
    part = guided_model(pair.frame, pair.alpha, where=where)
    np.testing.assert_allclose(part[13:27, 13:37], whole[13:27, 13:37], rtol=1e-4, atol=1e-4)
    assert np.all(part[:7] == 0)


def test_the_edge_comes_back_sharp() -> None:
    """Guided must recover at least two thirds of what plain enlargement loses at an edge."""
    pair = make_pair(240, 320)
    small = (60, 80)
    coarse = resize(pair.alpha, small)
    fine = upsample_alpha(coarse, resize(pair.frame, small), DecodedPixels(pair.frame))
    error = np.abs(fine - pair.alpha).mean()
    plain = np.abs(enlarge(coarse, (240, 320)) - pair.alpha).mean()
    assert error < plain / 3


def test_texture_does_not_show_where_the_matte_is_certain() -> None:
    pair = make_pair(120, 160)
    for value in (0.0, 1.0):
        coarse = np.full((30, 40), value, np.float32)
        fine = upsample_alpha(coarse, resize(pair.frame, (30, 40)), DecodedPixels(pair.frame))
        assert np.all(fine == value)


@pytest.mark.parametrize("size", [(240, 320), (233, 331)])
def test_a_part_is_enlarged_as_the_whole(size: tuple[int, int]) -> None:
    """Only the surroundings of the subject are computed; with doubt everywhere, all of it is."""
    pair = make_pair(*size)
    coarse, guide = resize(pair.alpha, (72, 96)), resize(pair.frame, (72, 96))
    assert coarse[:10].max() == 0, "the subject does not touch the border"
    part = upsample_alpha(coarse, guide, DecodedPixels(pair.frame))
    doubt = np.zeros_like(coarse)
    doubt[[0, 0, -1, -1], [0, -1, 0, -1]] = 0.5
    whole = upsample_alpha(np.maximum(coarse, doubt), guide, DecodedPixels(pair.frame))
    inside = (slice(40, -40), slice(40, -40))
    np.testing.assert_allclose(part[inside], whole[inside], atol=2e-3)


def test_what_is_nearly_certain_all_around_is_certain() -> None:
    pair = make_pair(120, 160)
    coarse = np.full((30, 40), 0.015, np.float32)
    coarse[:, 20:] = 0.985
    for size in ((120, 160), (30, 40)):
        frame = resize(pair.frame, size)
        fine = upsample_alpha(coarse, resize(frame, (30, 40)), DecodedPixels(frame))
        assert np.all(fine[:, : size[1] // 3] == 0)
        assert np.all(fine[:, -size[1] // 3 :] == 1)


def test_at_its_own_size_the_matte_is_the_networks_but_for_contrast() -> None:
    pair = make_pair(40, 50)
    noisy = np.random.default_rng(0).random((40, 50), np.float32)
    expected = np.interp(noisy, [1 / 12, 11 / 12], [0, 1])
    fine = upsample_alpha(noisy, pair.frame, DecodedPixels(pair.frame))
    np.testing.assert_allclose(fine, expected, atol=1e-6)


def test_contrast_keeps_the_ends_and_the_middle() -> None:
    given = np.array([0, 0.05, 0.25, 0.5, 0.75, 0.95, 1], np.float32)
    np.testing.assert_allclose(with_contrast(given), [0, 0, 0.2, 0.5, 0.8, 1, 1], atol=1e-6)
    assert given[1] == np.float32(0.05), "in a new array"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_integer_frames_give_the_same(dtype: type) -> None:
    pair = make_pair(80, 100)
    top = np.iinfo(dtype).max
    coded = np.rint(pair.frame * top).astype(dtype)
    exact = (coded / np.float32(top)).astype(np.float32)
    coarse, guide = resize(pair.alpha, (20, 25)), resize(pair.frame, (20, 25))
    np.testing.assert_allclose(
        upsample_alpha(coarse, guide, DecodedPixels(coded)),
        upsample_alpha(coarse, guide, DecodedPixels(exact)),
        atol=1e-5,
    )


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 33), st.integers(1, 33), st.integers(0, 10_000))
def test_filling_keeps_the_inside_and_invents_nothing(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.uniform(3, 4, (height, width)).astype(np.float32)
    weight = (rng.random((height, width)) < 0.3).astype(np.float32)
    garbage = np.where(weight > 0, values, np.nan).astype(np.float32)
    filled = fill_outside(garbage, weight)
    assert np.isfinite(filled).all()
    inside = weight > 0
    np.testing.assert_allclose(filled[inside], values[inside], rtol=1e-5)
    if inside.any():
        assert filled.min() >= values[inside].min() - 1e-3
        assert filled.max() <= values[inside].max() + 1e-3
    else:
        assert np.all(filled == 0)
