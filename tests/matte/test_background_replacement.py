"""Another background without solving the foreground, against the two steps that it replaces."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanplate.formats.pictures import to_uint8
from cleanplate.matte import darken, over, solve_foreground
from cleanplate.matte.background_replacement import replace_background

HEIGHT, WIDTH = 24, 31


def scene(seed):
    rng = np.random.default_rng(seed)
    plate, subject, new = rng.integers(0, 256, (3, HEIGHT, WIDTH, 3), dtype=np.uint8)
    alpha = rng.choice([0, 1, 0.5], (HEIGHT, WIDTH)).astype(np.float32)
    soft = rng.uniform(0, 1, (HEIGHT, WIDTH)).astype(np.float32)
    alpha = np.where(alpha == 0.5, soft, alpha)
    shadow = rng.uniform(0.3, 1, (HEIGHT, WIDTH)).astype(np.float32)
    return plate, subject, new, alpha, shadow


@pytest.mark.parametrize("space", ["linear", "display"])
@pytest.mark.parametrize("seed", range(4))
def test_it_is_over_of_the_solved_foreground(space, seed):
    plate, subject, new, alpha, shadow = scene(seed)
    frame = to_uint8(over(subject, alpha, darken(plate, shadow), space=space))
    got = replace_background(frame, plate, alpha, new, shadow, space=space)
    solved = solve_foreground(frame, plate, alpha, shadow, space=space)
    expected = to_uint8(over(solved, alpha, new, space=space))
    trusted = (alpha >= 0.3) | (alpha < 0.5 / 255)
    assert np.abs(got.astype(int) - expected)[trusted].max() <= 1


@pytest.mark.parametrize("space", ["linear", "display"])
def test_over_its_own_plate_it_is_the_frame(space):
    plate, subject, _, alpha, _ = scene(9)
    frame = to_uint8(over(subject, alpha, plate, space=space))
    got = replace_background(frame, plate, alpha, plate, space=space)
    # Rounding of the frame is divided by nothing here: one level, in the dark two.
    assert np.abs(got.astype(int) - frame).max() <= 2


def test_nothing_and_everything():
    plate, subject, new, _, _ = scene(3)
    none, full = np.zeros((HEIGHT, WIDTH), np.float32), np.ones((HEIGHT, WIDTH), np.float32)
    assert np.array_equal(replace_background(subject, plate, none, new), new)
    assert np.array_equal(replace_background(subject, plate, full, new), subject)


@given(seed=st.integers(0, 2**32 - 1), value=st.floats(0, 1, width=32))
@settings(max_examples=40, deadline=None)
def test_arguments_stay_and_values_lie_between(seed, value):
    plate, subject, new, _, _ = scene(seed)
    alpha = np.full((HEIGHT, WIDTH), value, np.float32)
    before = [a.copy() for a in (plate, subject, new)]
    got = replace_background(subject, plate, alpha, new)
    assert got.dtype == np.uint8
    assert all(np.array_equal(a, b) for a, b in zip(before, (plate, subject, new), strict=True))


def test_sizes_that_differ_are_refused():
    plate, subject, new, alpha, _ = scene(1)
    with pytest.raises(ValueError, match="sizes differ"):
        replace_background(subject, plate[1:], alpha, new)
