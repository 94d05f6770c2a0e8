"""Open subjects: what is drawn has gaps, soft edges and colour under them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from cleanplate.synthesis.procedural.open_shapes import draw_bunch, draw_lattice

SIDE = 160


@pytest.fixture(params=[draw_bunch, draw_lattice])
def draw(request):
    return request.param


def drawn(draw, seed: int):
    return draw(np.random.default_rng(seed), SIDE)


def test_the_scene_shows_through(draw):
    gaps = []
    for seed in range(30):
        alpha = drawn(draw, seed).alpha
        found = cv2.findNonZero((alpha > 127).astype(np.uint8))
        hull = np.zeros_like(alpha)
        cv2.fillConvexPoly(hull, cv2.convexHull(found), (1,))
        assert found is not None
        gaps.append(float((alpha[hull > 0] < 16).mean()))
    # A blob fills nearly all of its hull.
    assert np.median(gaps) > 0.3


def test_edges_are_soft_and_most_of_it_is_certain(draw):
    alphas = np.stack([drawn(draw, seed).alpha for seed in range(10)])
    soft = ((alphas > 0) & (alphas < 255)).mean()
    assert 0.005 < soft < 0.2
    # Coverage of 2 x 2 drawn pixels.
    assert set(np.unique(alphas)) <= {0, 64, 128, 191, 255}


def test_colour_at_an_edge_is_the_subjects(draw):
    one = drawn(draw, 3)
    soft = (one.alpha > 0) & (one.alpha < 255)
    inside = one.colour[one.alpha == 255].astype(int)
    low, high = inside.min(0) - 30, inside.max(0) + 30
    assert ((one.colour[soft] >= low) & (one.colour[soft] <= high)).all(1).mean() > 0.95


def test_the_same_generator_draws_the_same(draw):
    first, again, other = drawn(draw, 1), drawn(draw, 1), drawn(draw, 2)
    assert np.array_equal(first.alpha, again.alpha)
    assert np.array_equal(first.colour, again.colour)
    assert not np.array_equal(first.alpha, other.alpha)
