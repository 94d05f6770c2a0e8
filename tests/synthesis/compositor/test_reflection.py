"""The reflection in a glossy floor: what it adds, what it hides, and where."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from cleanplate.synthesis.compositor.reflection import add_reflection

SIZE = (40, 30)
FOOT = 24
FLOOR = np.full((*SIZE, 3), 0.5, np.float32)


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
    assert (below <= 0.5).all()
    assert (below[:2] < 0.5 - 1e-4).any()
    assert (below >= 0.5 * (1 - 0.5) - 1e-6).all(), "half of the floor's light at most is hidden"
    # No trace above the foot, at the sides or in the array that was given.
    assert (floor[:FOOT] == 0.5).all()
    assert (floor[:, :10] == 0.5).all()
    assert (floor[:, 20:] == 0.5).all()
    assert (FLOOR == 0.5).all()


def test_light_is_lost_under_some_subjects_and_won_under_others():
    change = [float((reflected(0.6, seed) - FLOOR).sum()) for seed in range(40)]
    assert min(change) < -1
    assert max(change) > 1


def test_it_fades_away_from_the_foot_point():
    profile = np.mean([reflected(0.0, seed)[FOOT:, 15, 0] for seed in range(40)], axis=0)
    assert profile[0] < profile[len(profile) // 2] < profile[-1]


def test_subjects_that_stand_nowhere_have_none():
    assert reflected(0.0, 0, how="portrait") is FLOOR
