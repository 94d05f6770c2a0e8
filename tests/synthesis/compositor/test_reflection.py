"""The reflection in a glossy floor: what it adds, what it hides, and where."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from cleanplate.synthesis.compositor.reflection import add_reflection

SIZE = (40, 30)
FOOT = 24
FLOOR = np.full((*SIZE, 3), (0.5, 0.3, 0.2), np.float32)


def reflected(colour: float, seed: int, how: str = "grounded") -> np.ndarray:
    """Light of an even floor under a subject of one colour, 10 columns wide."""
    rows, columns = slice(4, FOOT), slice(10, 20)
    shape = (rows.stop - rows.start, columns.stop - columns.start)
    layer = SimpleNamespace(
        placement=SimpleNamespace(how=how, y=float(FOOT)),
        rows=rows,
        columns=columns,
        alpha=np.ones(shape, np.float32),
    )
    light = np.full((*shape, 3), colour, np.float32)
    view = SimpleNamespace(size=SIZE)
    return add_reflection(np.random.default_rng(seed), FLOOR, view, layer, light)


@pytest.mark.parametrize("seed", range(8))
def test_a_black_subject_hides_what_the_floor_mirrors(seed: int):
    floor = reflected(0.0, seed)
    below = floor[FOOT:, 10:20]
    lost = FLOOR[FOOT:, 10:20] - below
    assert lost.max() > 1e-4
    assert lost.min() >= 0
    np.testing.assert_allclose(lost, lost[..., :1].repeat(3, 2), atol=1e-6)  # white light
    assert lost.max() <= 0.8 * 0.2 + 1e-6, "a part of the darkest channel, at most"
    # No trace above the foot, at the sides or in the array that was given.
    np.testing.assert_array_equal(floor[:FOOT], FLOOR[:FOOT])
    np.testing.assert_array_equal(floor[:, :10], FLOOR[:, :10])
    np.testing.assert_array_equal(floor[:, 20:], FLOOR[:, 20:])
    assert (FLOOR[..., 0] == 0.5).all()


def test_light_is_lost_under_some_subjects_and_won_under_others():
    change = [float((reflected(0.6, seed) - FLOOR).sum()) for seed in range(40)]
    assert min(change) < -1
    assert max(change) > 1


def test_it_fades_away_from_the_foot_point():
    profile = np.mean([reflected(0.0, seed)[FOOT:, 15, 0] for seed in range(40)], axis=0)
    assert profile[0] < profile[len(profile) // 2] < profile[-1]


def test_subjects_that_stand_nowhere_have_none():
    assert reflected(0.0, 0, how="portrait") is FLOOR
