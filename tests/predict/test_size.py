"""Working size, and plates of another size than the frame."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanplate import CleanplateError
from cleanplate.predict.size import (
    check_fit,
    check_working_size,
    default_long_side,
    network_size,
    working_size,
)


@pytest.mark.parametrize(
    ("size", "long_side", "working", "network"),
    [
        ((1080, 1920), 512, (288, 512), (288, 512)),
        ((1920, 1080), 512, (512, 288), (512, 288)),
        ((300, 400), 512, (300, 400), (384, 512)),
        ((450, 600), 640, (450, 600), (480, 640)),
        ((120, 90), 640, (120, 90), (160, 120)),
        ((16, 16), 512, (16, 16), (21, 21)),
        ((1, 1), 640, (1, 1), (1, 1)),
        ((10, 8000), 512, (1, 512), (1, 512)),
    ],
)
def test_large_pictures_are_reduced_and_small_ones_enlarged_by_a_third_at_most(
    size: tuple[int, int], long_side: int, working: tuple[int, int], network: tuple[int, int]
) -> None:
    assert working_size(size, long_side) == working
    assert network_size(size, long_side) == network


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 9000), st.integers(1, 9000), st.integers(32, 1024))
def test_never_larger_and_of_the_same_shape(height: int, width: int, long_side: int) -> None:
    small = working_size((height, width), long_side)
    assert small[0] <= height
    assert small[1] <= width
    assert max(small) <= long_side
    assert min(small) >= 1
    scale = max(small) / max(height, width)
    assert abs(small[0] - height * scale) <= 1
    assert abs(small[1] - width * scale) <= 1


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 9000), st.integers(1, 9000), st.integers(32, 1024))
def test_the_network_takes_what_is_reduced_as_it_is(height: int, width: int, side: int) -> None:
    network, working = (one((height, width), side) for one in (network_size, working_size))
    assert max(network) <= side
    if max(height, width) >= side:
        assert network == working
    else:
        assert all(a >= b for a, b in zip(network, working, strict=True))


def test_the_model_says_how_large_only_for_pictures_that_are_not_small() -> None:
    assert default_long_side((480, 640), None) == default_long_side((480, 640), 384) == 640
    assert default_long_side((481, 641), None) == 512
    assert default_long_side((641, 481), 384) == 384


def test_impossible_working_sizes_are_refused() -> None:
    check_working_size(32)
    for size in (0, 31, 100_000, -5):
        with pytest.raises(CleanplateError, match="not possible"):
            check_working_size(size)


def test_the_same_size_needs_nothing() -> None:
    assert check_fit((480, 640), (480, 640), fit=False) is False


def test_another_resolution_needs_leave() -> None:
    with pytest.raises(CleanplateError, match=r"640 x 480.*1280 x 960") as caught:
        check_fit((480, 640), (960, 1280), fit=False)
    assert "--fit" in str(caught.value)
    assert check_fit((480, 640), (960, 1280), fit=True) is True


@pytest.mark.parametrize("fit", [True, False])
def test_another_shape_is_never_stretched(fit: bool) -> None:
    with pytest.raises(CleanplateError, match="shapes differ"):
        check_fit((480, 640), (1080, 1920), fit=fit)


@pytest.mark.parametrize("fit", [True, False])
def test_a_picture_on_its_side_is_told(fit: bool) -> None:
    with pytest.raises(CleanplateError, match="on its side"):
        check_fit((480, 640), (640, 480), fit=fit)


def test_shapes_within_two_percent_fit() -> None:
    assert check_fit((480, 640), (485, 640), fit=True)
    with pytest.raises(CleanplateError, match="shapes differ"):
        check_fit((480, 640), (500, 640), fit=True)
