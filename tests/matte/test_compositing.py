from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from cleanplate import bands as banding
from cleanplate.formats.pictures import (
    linear_to_srgb,
    srgb_to_linear,
    to_float,
    to_uint8,
    to_uint16,
)
from cleanplate.matte import darken, foreground, over, push_pull, solve_foreground, trimap

few = settings(deadline=None, max_examples=25)
level = 1 / 255


def pictures(height: int, width: int) -> st.SearchStrategy[np.ndarray]:
    values = st.floats(0, 1, width=32)
    return hnp.arrays(np.float32, (height, width, 3), elements=values)


def planes(height: int, width: int) -> st.SearchStrategy[np.ndarray]:
    return hnp.arrays(np.float32, (height, width), elements=st.floats(0, 1, width=32))


def disc(height: int, width: int, soft: float) -> np.ndarray:
    """Alpha of a disc whose edge is `soft` pixels wide."""
    y, x = np.mgrid[:height, :width]
    distance = np.hypot(y - height / 2, x - width / 2) - min(height, width) / 3
    return np.clip(0.5 - distance / soft, 0, 1).astype(np.float32)


def plain(height: int, width: int, *colour: float) -> np.ndarray:
    return np.broadcast_to(np.float32(colour), (height, width, 3)).copy()


# --- over and darken -------------------------------------------------------------------------


def test_half_white_over_black_is_half_the_light():
    white, black = plain(1, 1, 1, 1, 1), plain(1, 1, 0, 0, 0)
    mixed = over(white, np.float32([[0.5]]), black)
    assert mixed[0, 0] == pytest.approx(0.735357, abs=1e-5)  # sRGB of 0.5, not 0.5


def test_over_at_the_ends_is_one_of_the_pictures():
    rng = np.random.default_rng(0)
    front, back = rng.random((2, 5, 6, 3), dtype=np.float32)
    np.testing.assert_allclose(over(front, np.ones((5, 6), np.float32), back), front, atol=2e-6)
    np.testing.assert_allclose(over(front, np.zeros((5, 6), np.float32), back), back, atol=2e-6)


@few
@given(pictures(4, 5), planes(4, 5), pictures(4, 5))
def test_over_lies_between(front, alpha, back):
    mixed = over(front, alpha, back)
    assert mixed.dtype == np.float32
    assert (mixed >= np.minimum(front, back) - 1e-5).all()
    assert (mixed <= np.maximum(front, back) + 1e-5).all()
    np.testing.assert_allclose(over(back, 1 - alpha, front), mixed, atol=1e-4)


@pytest.mark.parametrize("convert", [to_uint8, to_uint16])
def test_integer_pictures_mix_like_floats(convert):
    rng = np.random.default_rng(1)
    front, back = (convert(p) for p in rng.random((2, 5, 6, 3), dtype=np.float32))
    alpha = rng.random((5, 6), dtype=np.float32)
    expected = over(to_float(front), alpha, to_float(back))
    np.testing.assert_allclose(over(front, alpha, back), expected, atol=2e-6)


def test_darkening_takes_away_light():
    grey = plain(1, 2, 0.5, 0.5, 0.5)
    dark = darken(grey, np.float32([[1, 0.5]]))
    assert dark[0, 0] == pytest.approx(0.5, abs=1e-6)
    assert dark[0, 1] == pytest.approx(0.36084, abs=1e-4)  # sRGB of 0.21404 / 2


def test_sizes_must_agree():
    picture, plane = np.zeros((3, 4, 3), np.float32), np.zeros((4, 3), np.float32)
    for call in (
        lambda: over(picture, plane, picture),
        lambda: darken(picture, plane),
        lambda: solve_foreground(picture, picture, plane),
        lambda: solve_foreground(picture, picture, plane.T.copy(), plane),
    ):
        with pytest.raises(ValueError, match="sizes differ"):
            call()


# --- solving for the foreground --------------------------------------------------------------


def subject(height: int, width: int) -> np.ndarray:
    """A textured picture: stripes, a gradient and noise."""
    y, x = np.mgrid[:height, :width]
    rng = np.random.default_rng(2)
    base = np.stack([0.75 + 0.2 * np.sin(x / 3), 0.2 + 0.3 * y / height, 0.3 + 0 * x], axis=2)
    return np.clip(base + rng.normal(0, 0.03, base.shape), 0.02, 1).astype(np.float32)


def test_an_exact_composite_gives_back_the_foreground():
    """To a level where alpha is above 0.3, against a plate with texture and a shadow."""
    rng = np.random.default_rng(3)
    front, alpha = subject(90, 120), disc(90, 120, 20)
    plate = rng.uniform(0.05, 0.95, (90, 120, 3)).astype(np.float32)
    shadow = ndimage.gaussian_filter(rng.uniform(0.2, 1, (90, 120)), 3).astype(np.float32)
    frame = over(front, alpha, darken(plate, shadow))
    solved = solve_foreground(frame, plate, alpha, shadow)
    assert solved.dtype == np.float32
    assert np.abs(solved - front)[alpha > 0.3].max() < level
    # The shadow matters: without it the result is wrong.
    assert np.abs(solve_foreground(frame, plate, alpha) - front)[alpha > 0.3].max() > 20 * level


@pytest.mark.parametrize("convert", [to_uint8, to_uint16])
def test_a_stored_composite_gives_back_the_foreground(convert):
    """Rounding is magnified by 1 / alpha, no more; in 16 bits nothing of it is left."""
    front, alpha = subject(90, 120), disc(90, 120, 20)
    plate = plain(90, 120, 0.1, 0.7, 0.2)
    frame = convert(over(front, alpha, plate))
    solved = solve_foreground(frame, convert(plate), alpha)
    error = np.abs(solved - front).max(axis=2)
    assert error[alpha == 1].max() <= (0.51 * level if convert is to_uint8 else 0.003 * level)
    assert np.sqrt(np.mean(error[alpha > 0.3] ** 2)) < (2 if convert is to_uint8 else 0.1) * level


def test_opaque_pixels_are_the_frame_itself():
    rng = np.random.default_rng(4)
    frame, plate = rng.integers(0, 256, (2, 40, 50, 3), dtype=np.uint8)
    alpha = disc(40, 50, 6)
    solved = solve_foreground(frame, plate, alpha)
    np.testing.assert_array_equal(solved[alpha == 1], to_float(frame)[alpha == 1])


def test_a_red_subject_before_a_green_plate_has_no_green_edge():
    front, plate = plain(80, 100, 0.8, 0.1, 0.1), plain(80, 100, 0.1, 0.8, 0.2)
    alpha = disc(80, 100, 12)
    noise = np.random.default_rng(5).normal(0, 2 * level, (2, 80, 100, 3))
    frame = to_uint8(over(front, alpha, plate) + noise[0])
    solved = solve_foreground(frame, to_uint8(plate + noise[1]), alpha)
    edge = (alpha > 0) & (alpha < 1)
    green = solved[..., 1] - solved[..., 0]
    assert green[edge].max() < 0  # nowhere more green than red, though the frame is
    frame_green = to_float(frame)[..., 1] - to_float(frame)[..., 0]
    assert frame_green[edge & (alpha < 0.3)].min() > 0
    # On white, the composite is what it should be, to a few levels of the noise.
    white = plain(80, 100, 1, 1, 1)
    error = over(solved, alpha, white) - over(front, alpha, white)
    assert np.sqrt(np.mean(error[edge] ** 2)) < 4 * level


def test_noise_at_the_edge_is_less_than_the_bare_formula_gives():
    front, plate, alpha = subject(90, 120), plain(90, 120, 0.2, 0.6, 0.3), disc(90, 120, 25)
    rng = np.random.default_rng(6)
    clean = over(front, alpha, plate)
    frame = np.clip(clean + rng.normal(0, 3 * level, clean.shape), 0, 1).astype(np.float32)
    solved = solve_foreground(frame, plate, alpha)
    thin = (alpha > 0.02) & (alpha < 0.3)
    share = alpha[..., None]
    bare = srgb_to_linear(frame) - (1 - share) * srgb_to_linear(plate)
    bare = linear_to_srgb(np.clip(bare / np.maximum(share, 1e-6), 0, 1))

    def error(result: np.ndarray) -> float:
        return float(np.sqrt(np.mean((result - front)[thin] ** 2)))

    assert error(solved) < 0.7 * error(bare)


def test_the_outside_is_filled_with_the_nearest_opaque_colour():
    """A red and a blue subject: each side of the picture takes the colour of its own."""
    height, width = 60, 120
    alpha = np.zeros((height, width), np.float32)
    alpha[20:40, 20:40] = alpha[20:40, 80:100] = 1
    frame = plain(height, width, 0, 0.6, 0)
    frame[20:40, 20:40], frame[20:40, 80:100] = (0.9, 0, 0), (0, 0, 0.9)
    solved = solve_foreground(frame, plain(height, width, 0, 0.6, 0), alpha)
    assert solved[..., 1].max() < 2 * level
    left, right = solved[10:50, 10:50].reshape(-1, 3), solved[10:50, 70:110].reshape(-1, 3)
    assert (left[:, 0] > left[:, 2] + 0.3).all()
    assert (right[:, 2] > right[:, 0] + 0.3).all()


@pytest.mark.parametrize("channels", [(), (1,), (3,)])
def test_values_spread_from_where_their_weight_is_one(channels):
    values = np.random.default_rng(0).normal(0, 9, (17, 30, *channels)).astype(np.float32)
    known = np.zeros((17, 30), np.float32)
    known[4:9, 3:8] = 1
    of_each = known.reshape(17, 30, *[1] * len(channels))
    spread = push_pull(values * of_each, known)
    assert spread.shape == values.shape
    np.testing.assert_array_equal(spread[known == 1], values[known == 1])
    inside = values[known == 1]
    assert (spread >= inside.min(0) - 1e-5).all(), "means of what is known, and of nothing else"
    assert (spread <= inside.max(0) + 1e-5).all()
    assert not push_pull(values * 0, known * 0).any()


def test_one_opaque_pixel_colours_everything():
    alpha = np.zeros((33, 47), np.float32)
    alpha[5, 40] = 1
    frame = plain(33, 47, 0.2, 0.2, 0.2)
    frame[5, 40] = 1, 0.5, 0
    solved = solve_foreground(frame, plain(33, 47, 0.2, 0.2, 0.2), alpha)
    assert np.abs(solved - np.float32([1, 0.5, 0])).max() < 0.02


@pytest.mark.parametrize("value", [0.0, 0.005])
def test_without_a_subject_the_frame_comes_back(value):
    frame, plate = np.random.default_rng(7).random((2, 9, 11, 3), dtype=np.float32)
    solved = solve_foreground(frame, plate, np.full((9, 11), value, np.float32))
    np.testing.assert_array_equal(solved, frame)


@few
@given(pictures(5, 7), pictures(5, 7), planes(5, 7))
def test_any_input_gives_colours(frame, plate, alpha):
    """Also where the plate cannot be behind the frame: no NaN, nothing out of range."""
    solved = solve_foreground(frame, plate, alpha)
    assert np.isfinite(solved).all()
    assert solved.min() >= 0
    assert solved.max() <= 1 + 1e-6


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 3), (1, 3000)])
def test_odd_sizes(size):
    front, plate = plain(*size, 0.9, 0.1, 0.1), plain(*size, 0.1, 0.9, 0.1)
    alpha = np.full(size, 0.6, np.float32)
    solved = solve_foreground(over(front, alpha, plate), plate, alpha)
    np.testing.assert_allclose(solved, front, atol=level)


def test_bands_do_not_show(monkeypatch):
    front, plate, alpha = subject(90, 120), plain(90, 120, 0.1, 0.7, 0.2), disc(90, 120, 20)
    frame = over(front, alpha, plate)
    whole = solve_foreground(frame, plate, alpha)
    monkeypatch.setattr(banding, "PIXELS", 7 * 120)
    assert len(list(banding.bands(alpha.shape))) == 13
    np.testing.assert_allclose(solve_foreground(frame, plate, alpha), whole, atol=1e-6)
    np.testing.assert_allclose(over(front, alpha, plate), frame, atol=1e-6)


def test_bands_cover_every_row_once():
    for shape in ((1, 1), (5, 1 << 20), (4321, 1000, 3)):
        rows = np.concatenate([np.arange(b.start, b.stop) for b in banding.bands(shape)])
        np.testing.assert_array_equal(rows, np.arange(shape[0]))


def test_memory_is_little_more_than_the_result():
    height, width = 1000, 2000
    frame = np.full((height, width, 3), 90, np.uint8)
    alpha = disc(height, width, 100)
    tracemalloc.start()
    try:
        solved = solve_foreground(frame, frame, alpha)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert solved.nbytes == 24e6
    assert peak < solved.nbytes + 48e6  # a bare formula on whole arrays needs over 100e6


# --- trimap ----------------------------------------------------------------------------------


def slow_trimap(alpha: np.ndarray, radius: float, low: float, high: float) -> np.ndarray:
    """Every pixel asks every other pixel."""
    places = np.argwhere(np.ones_like(alpha, bool))
    out = np.full(alpha.shape, 128, np.uint8)
    for place in places:
        near = places[np.hypot(*(places - place).T) <= radius]
        values = alpha[tuple(near.T)]
        if (values <= low).all():
            out[tuple(place)] = 0
        elif (values >= high).all():
            out[tuple(place)] = 255
    return out


@few
@given(planes(9, 8), st.sampled_from([0, 1, 1.5, 2, 3.7]))
def test_the_trimap_is_that_of_its_definition(alpha, radius):
    alpha = np.where(alpha < 0.4, 0, np.where(alpha > 0.6, 1, alpha)).astype(np.float32)
    found = trimap(ndimage.uniform_filter(alpha, 3), radius)
    expected = slow_trimap(ndimage.uniform_filter(alpha, 3), radius, 0.05, 0.95)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("value", "label"), [(0.0, 0), (1.0, 255), (0.5, 128)])
def test_a_flat_matte_has_one_label(value, label):
    assert (trimap(np.full((6, 7), value, np.float32), 3) == label).all()


def test_a_hard_edge_is_unknown_too():
    alpha = np.zeros((3, 20), np.float32)
    alpha[:, 10:] = 1
    assert trimap(alpha, 2)[1].tolist() == [0] * 8 + [128] * 4 + [255] * 8


@pytest.mark.parametrize("size", [(64, 96), (101, 77)])
def test_only_the_surroundings_of_the_subject_are_looked_at(size, monkeypatch):
    """The rest is not read: whatever it holds, the colours are those of the whole picture."""
    height, width = size
    rng = np.random.default_rng(0)
    frame, plate = (rng.random((height, width, 3), np.float32) for _ in range(2))
    alpha = np.zeros(size, np.float32)
    alpha[20:41, 30:52] = rng.random((21, 22), np.float32).clip(0.2, 0.9) * 1.2
    alpha = alpha.clip(0, 1)
    shadow = rng.uniform(0.5, 1, size).astype(np.float32)
    part = solve_foreground(frame, plate, alpha, shadow)
    monkeypatch.setattr(foreground, "enclosing", lambda holds, _: slice(0, len(holds)))
    whole = solve_foreground(frame, plate, alpha, shadow)
    inside = alpha > 0.5
    np.testing.assert_allclose(part[inside], whole[inside], atol=1e-6)
    assert np.abs(part - whole).mean() < 0.01


def test_what_encloses_ends_at_multiples_and_at_the_border():
    holds = np.zeros(23, bool)
    assert banding.enclosing(holds) == slice(0, 0)
    holds[[7, 12]] = True
    assert banding.enclosing(holds) == slice(7, 13)
    assert banding.enclosing(holds, step=5) == slice(5, 15)
    assert banding.enclosing(holds, step=4, margin=5) == slice(0, 20)
    assert banding.enclosing(holds, step=4, margin=9) == slice(0, 23)
