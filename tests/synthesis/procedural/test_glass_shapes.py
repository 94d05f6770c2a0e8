"""Vessels of glass: the scene shows through their middle, sides and highlights hide it."""

from __future__ import annotations

import numpy as np

from cleanplate.synthesis.procedural.glass_shapes import draw_vessel
from cleanplate.synthesis.procedural.shapes import sample_shape

SIDE = 160


def drawn(seed: int):
    return draw_vessel(np.random.default_rng(seed), SIDE)


def test_the_scene_shows_through_most_of_it():
    shares = []
    for seed in range(40):
        alpha = drawn(seed).alpha
        covered = alpha > 4
        assert 0.01 < covered.mean() < 0.95
        shares.append(float((alpha[covered] < 200).mean()))
    assert np.median(shares) > 0.6


def test_sides_hide_more_than_the_middle():
    """Along a row of the vessel itself; bunches and highlights are few enough for the median."""
    more = []
    for seed in range(40):
        alpha = drawn(seed).alpha.astype(float)
        row = alpha[round(0.85 * SIDE)]
        inside = np.flatnonzero(row > 4)
        left, right = inside[0] + 2, inside[-1] - 2
        middle = np.median(row[left + (right - left) // 3 : right - (right - left) // 3])
        more.append(max(row[left], row[right]) - middle)
    assert np.median(more) > 10


def test_colour_is_defined_everywhere_and_straight():
    one = drawn(1)
    assert one.colour.shape == (SIDE, SIDE, 3)
    assert one.colour.dtype == one.alpha.dtype == np.uint8
    # Where alpha is 0 the nearest colour is repeated: no black beside a bright glass.
    assert one.colour[one.alpha == 0].max() > 0


def test_the_same_generator_draws_the_same():
    first, again, other = drawn(1), drawn(1), drawn(2)
    assert np.array_equal(first.alpha, again.alpha)
    assert np.array_equal(first.colour, again.colour)
    assert not np.array_equal(first.alpha, other.alpha)


def test_a_cutout_of_glass_stands_on_its_base():
    """No pixel of it may be above a half; it is placed by what is most opaque."""
    for seed in range(120):
        cutout = sample_shape(np.random.default_rng(seed))
        rows = np.flatnonzero((cutout.alpha > cutout.alpha.max() // 2).any(1))
        assert cutout.foot[1] == rows[-1] + 1
