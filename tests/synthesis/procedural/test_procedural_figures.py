"""Procedural cutouts: the catalogue's form, soft edges, foot points."""

from __future__ import annotations

import numpy as np
import pytest

from cleanplate.matte.fill import fill_outside
from cleanplate.synthesis.procedural.procedural_figures import KINDS, render_cutout
from cleanplate.synthesis.procedural.shapes import sample_shape


@pytest.mark.parametrize("number", range(8))
def test_a_cutout_is_whole(number: int):
    cutout = render_cutout(1, number)
    h, w = cutout.alpha.shape
    assert cutout.kind == KINDS[number % len(KINDS)]
    assert cutout.colour.shape == (h, w, 3)
    assert cutout.depth.shape == (h, w)
    assert (cutout.alpha > 250).sum() > 100
    # Soft: there are pixels that are covered in part, along the edge only.
    partly = ((cutout.alpha > 5) & (cutout.alpha < 250)).mean()
    assert 0 < partly < 0.35
    # Its foot lies at its lower end, its size in pixels is that of its metres.
    assert 0.4 * h < cutout.foot[1] < 1.35 * h
    assert h == pytest.approx(cutout.size[2] * cutout.pixels_per_metre, rel=0.75)
    assert np.abs(cutout.depth[cutout.alpha > 250]).max() < max(cutout.size) * 1.5


def test_cutouts_repeat_and_differ():
    a, b, c = render_cutout(1, 2), render_cutout(1, 2), render_cutout(1, 10)
    assert np.array_equal(a.colour, b.colour)
    assert np.array_equal(a.alpha, b.alpha)
    assert a.alpha.shape != c.alpha.shape or not np.array_equal(a.alpha, c.alpha)


@pytest.mark.parametrize("seed", range(12))
def test_shapes_are_drawn_whole(seed: int):
    shape = sample_shape(np.random.default_rng(seed))
    assert (shape.alpha > 127).any()
    assert np.isfinite(shape.depth).all()
    assert shape.pixels_per_metre > 0


def test_unknown_pixels_take_the_nearest_known_value():
    """Against every distance worked out one by one."""
    rng = np.random.default_rng(0)
    known = rng.random((13, 17)) < 0.08
    values = rng.random((13, 17, 3)).astype(np.float32)
    filled = fill_outside(values, known)
    places = np.argwhere(known)
    for y in range(13):
        for x in range(17):
            distance = np.hypot(places[:, 0] - y, places[:, 1] - x)
            # OpenCV's 5 x 5 mask measures within two per cent of the true distance.
            near = places[distance <= distance.min() * 1.03 + 1e-9]
            assert any(np.array_equal(filled[y, x], values[p[0], p[1]]) for p in near)
    assert np.array_equal(filled[known], values[known])


def test_nothing_known_changes_nothing():
    values = np.ones((3, 4), np.float32)
    assert fill_outside(values, np.zeros((3, 4), bool)) is values
