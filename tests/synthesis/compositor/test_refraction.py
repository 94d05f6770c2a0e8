"""Refraction: a scale of the scene about a vessel's axis, inside of the vessel alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cleanplate.synthesis import Composer, CompositorSettings
from cleanplate.synthesis.compositor.refraction import add_refraction
from cleanplate.synthesis.compositor.sample import Composition
from cleanplate.synthesis.procedural.shapes import sample_shape
from tests.synthesis.known_scenes import One, board, room

BOX = (slice(10, 50), slice(20, 60))


class Drawn:
    """Gives the numbers that a test chooses in place of drawn ones."""

    def __init__(self, *numbers: float):
        self.numbers = list(numbers)

    def uniform(self, low: float, high: float) -> float:
        number = self.numbers.pop(0)
        assert low <= number <= high
        return number


def vessel(alpha: float = 0.2) -> np.ndarray:
    """Alpha of a tumbler, 20 columns wide, in the middle of its box; its axis is at 39.5."""
    cover = np.zeros((40, 40), np.float32)
    cover[4:36, 10:30] = alpha
    return cover


@pytest.fixture
def ramp() -> np.ndarray:
    """Light that grows from left to right: its value is the column's centre over 100."""
    row = np.arange(80, dtype=np.float32) / 100
    return np.repeat(np.broadcast_to(row, (60, 80))[..., None], 3, axis=2).copy()


@pytest.mark.parametrize("scale", [-1.0, -0.5, 0.0, 0.5])
def test_the_scene_is_scaled_about_the_axis(ramp: np.ndarray, scale: float):
    out = add_refraction(Drawn(scale, 0.0), ramp, BOX, vessel())
    columns = np.arange(30, 50)
    wanted = (39.5 + scale * (columns - 39.5)) / 100
    np.testing.assert_allclose(out[20:40, 30:50, 0], np.tile(wanted, (20, 1)), atol=2e-3)


def test_nothing_moves_outside_of_the_vessel(ramp: np.ndarray):
    before = ramp.copy()
    out = add_refraction(Drawn(-1.0, 0.05), ramp, BOX, vessel())
    outside = np.ones((60, 80), bool)
    outside[14:46, 30:50] = False
    np.testing.assert_array_equal(out[outside], before[outside])
    np.testing.assert_array_equal(ramp, before)


def test_a_scale_of_one_leaves_the_scene(ramp: np.ndarray):
    np.testing.assert_allclose(
        add_refraction(Drawn(1.0, 0.0), ramp, BOX, vessel()), ramp, atol=2e-3
    )


def test_what_has_no_clear_part_refracts_nothing(ramp: np.ndarray):
    assert add_refraction(np.random.default_rng(0), ramp, BOX, vessel(1.0)) is ramp


def composed(*, refracts: bool, wall: bool) -> Composition:
    """A quarter-opaque board in a room with a ramp; a wall may hide its lower part."""
    plate = room(box=(2.0, 5.0, 1.0) if wall else None)
    ramp = np.linspace(40, 220, plate.picture.shape[1]).astype(np.uint8)
    plate = replace(plate, picture=np.broadcast_to(ramp[:, None], plate.picture.shape).copy())
    glass = replace(board((1.0, 1.8), alpha=64), refracts=refracts)
    settings = replace(CompositorSettings.exact(), grounded=1.0, portrait=0.0, uniform=0.0,
                       subjects=(1.0, 0.0, 0.0), shadow_share=0.0)  # fmt: skip
    return Composer([One(plate)], [One(glass)], seed=4, settings=settings).compose(0, (240, 320))


@pytest.mark.parametrize("wall", [False, True])
def test_the_compositor_refracts_what_visible_glass_covers_and_nothing_else(wall: bool):
    plain, glass = composed(refracts=False, wall=wall), composed(refracts=True, wall=wall)
    moved = np.abs(glass.background - plain.background).max(2) > 1e-3
    covered = plain.subjects.alpha > 0
    assert covered.mean() > 0.01
    assert moved[covered].mean() > 0.5
    assert not moved[~covered].any()
    np.testing.assert_array_equal(glass.subjects.alpha, plain.subjects.alpha)


def test_only_drawn_vessels_refract():
    shapes = [sample_shape(np.random.default_rng(seed)) for seed in range(60)]
    clear = [np.mean((s.alpha > 4) & (s.alpha < 200)) for s in shapes if s.refracts]
    assert 5 < len(clear) < 30
    assert np.median(clear) > 0.05
