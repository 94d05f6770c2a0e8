"""Choke, feather, despill and known masks: known answers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cleanplate.errors import CleanplateError
from cleanplate.light import linear_to_srgb, srgb_to_linear
from cleanplate.matte.matte_controls import check_known, choke, despill, feather, hold


def half(width: int = 40, edge: int = 20) -> np.ndarray:
    alpha = np.zeros((30, width), np.float32)
    alpha[:, edge:] = 1
    return alpha


@pytest.mark.parametrize(("pixels", "edge"), [(0, 20), (1, 21), (3, 23), (-2, 18)])
def test_choke_moves_a_straight_edge_by_so_many_pixels(pixels: float, edge: int) -> None:
    np.testing.assert_array_equal(choke(half(), pixels), half(edge=edge))


def test_choke_by_half_a_pixel_leaves_half_coverage() -> None:
    choked = choke(half(), 1.5)
    np.testing.assert_allclose(choked[10, 19:24], [0, 0, 0.5, 1, 1])


def test_choke_shrinks_a_disc_to_a_disc() -> None:
    y, x = np.mgrid[:81, :81] - 40
    disc = (np.hypot(x, y) <= 25).astype(np.float32)
    smaller = choke(disc, 5)
    # All directions alike: the area is that of a disc of radius 20, within its outline's pixels.
    assert smaller.sum() == pytest.approx(math.pi * 20**2, rel=0.04)
    assert smaller[40, 40 + 20] == 1
    assert smaller[40, 40 + 22] == 0
    assert (choke(disc, 30) == 0).all()


def test_a_subject_cut_by_the_border_stays_cut_by_it() -> None:
    assert (choke(half(), 5)[:, -1] == 1).all()
    assert (feather(half(), 5)[:, -1] > 0.999).all()


def test_feather_is_a_gaussian_of_half_the_width() -> None:
    soft = feather(half(400, 200), 12.0)[10]
    sigma = 6.0
    expected = [0.5 * (1 + math.erf((x + 0.5 - 200) / sigma / math.sqrt(2))) for x in range(400)]
    np.testing.assert_allclose(soft, expected, atol=2e-3)
    np.testing.assert_array_equal(feather(half(), 0), half())


def coded(*light: float) -> np.ndarray:
    return linear_to_srgb(np.full((6, 8, 3), light, np.float32))


def test_despill_limits_the_plates_colour_to_the_mean_of_the_others() -> None:
    out = srgb_to_linear(despill(coded(0.2, 0.5, 0.4), coded(0, 0.6, 0), 1.0))
    np.testing.assert_allclose(out[0, 0], [0.2, 0.3, 0.4], atol=1e-4)
    half_way = srgb_to_linear(despill(coded(0.2, 0.5, 0.4), coded(0, 0.6, 0), 0.5))
    np.testing.assert_allclose(half_way[0, 0], [0.2, 0.4, 0.4], atol=1e-4)


def test_despill_knows_a_blue_plate_and_how_blue_it_is() -> None:
    # Blue stands out by 1 - 0.3 / 0.6 = 1/2, so half of the excess goes.
    out = srgb_to_linear(despill(coded(0.2, 0.2, 0.6), coded(0.3, 0.3, 0.6), 1.0))
    np.testing.assert_allclose(out[0, 0], [0.2, 0.2, 0.4], atol=1e-4)


@pytest.mark.parametrize("plate", [(0.4, 0.4, 0.4), (0, 0, 0)])
def test_despill_does_nothing_before_a_grey_or_black_plate(plate: tuple[float, ...]) -> None:
    foreground = coded(0.1, 0.8, 0.2)
    np.testing.assert_allclose(despill(foreground, coded(*plate), 1.0), foreground, atol=2e-3)


def test_despill_leaves_other_colours_alone() -> None:
    red = coded(0.7, 0.1, 0.1)
    np.testing.assert_allclose(despill(red, coded(0, 0.6, 0), 1.0), red, atol=1e-5)


def test_black_is_out_white_is_in_and_grey_is_as_found() -> None:
    alpha = np.full((1, 5), 0.25, np.float32)
    known = np.array([[0, 3, 128, 252, 255]], np.uint8)
    np.testing.assert_array_equal(hold(alpha, check_known(known)), [[0, 0, 0.25, 1, 1]])


@pytest.mark.parametrize(
    "known",
    [
        np.zeros((4, 4), np.uint8),
        np.eye(4, dtype=np.uint8) * 255,
        np.eye(4, dtype=bool),
        np.full((4, 4, 3), 128, np.uint8),
        np.full((4, 4), 2, np.float32),
        np.full((4, 4), np.nan, np.float32),
    ],
)
def test_what_is_no_known_mask_is_refused(known: np.ndarray) -> None:
    with pytest.raises(CleanplateError, match="known mask"):
        check_known(known)


@pytest.mark.parametrize(
    ("control", "value"), [(choke, 101), (choke, math.nan), (feather, -1), (feather, 101)]
)
def test_values_out_of_range_are_refused(control: object, value: float) -> None:
    with pytest.raises(CleanplateError, match="is not possible"):
        control(half(), value)  # type: ignore[operator]


def test_an_amount_of_despill_out_of_range_is_refused() -> None:
    with pytest.raises(CleanplateError, match="despill 2 is not possible"):
        despill(coded(0, 0, 0), coded(0, 1, 0), 2)
