"""Errors over time, by known answers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanplate import metrics

ALL = np.ones((4, 5), np.bool_)


def plane(value: float) -> np.ndarray:
    return np.full((4, 5), value, np.float32)


def test_a_constant_factor_of_depth_is_no_temporal_error():
    truths = [plane(2.0), plane(2.5), plane(2.2)]
    assert metrics.depth_dtssd([1.3 * one for one in truths], truths, [ALL] * 3) < 1e-4


def test_depth_that_jumps_by_a_share_has_that_share_as_its_error():
    found = [plane(2.0), plane(2.0 * math.exp(0.05)), plane(2.0)]
    assert metrics.depth_dtssd(found, [plane(3.0)] * 3, [ALL] * 3) == pytest.approx(5, abs=1e-4)


def test_only_pixels_that_are_subject_before_and_after_count():
    left = ALL.copy()
    left[:, 1:] = False
    found, truth = [plane(2.0), plane(4.0)], [plane(3.0)] * 2
    found[1][:, 0] = 2.0
    assert metrics.depth_dtssd(found, truth, [ALL, left]) == pytest.approx(0, abs=1e-6)
    assert math.isnan(metrics.depth_dtssd(found, truth, [left, ~left]))


def test_unknown_and_far_predictions_count_as_the_cap():
    for far in (np.nan, np.inf, 500.0):
        found = metrics.depth_dtssd([plane(80.0), plane(far)], [plane(3.0)] * 2, [ALL] * 2)
        assert found == pytest.approx(0, abs=1e-4)
    truth = [plane(3.0), plane(np.nan)]
    assert math.isnan(metrics.depth_dtssd([plane(2.0)] * 2, truth, [ALL] * 2))


def test_clips_of_different_lengths_or_sizes_are_refused():
    with pytest.raises(ValueError, match=r"shorter|longer"):
        metrics.depth_dtssd([plane(1.0)] * 2, [plane(1.0)], [ALL] * 2)
    with pytest.raises(ValueError, match="shapes differ"):
        metrics.depth_dtssd([plane(1.0)], [plane(1.0)], [ALL[:2]])


def test_jitter_leaves_out_frames_without_a_distance():
    nan = math.nan
    assert metrics.distance_jitter([2.0, nan, 2.0, 2.2], [3.0] * 4) == pytest.approx(math.log(1.1))
    assert math.isnan(metrics.distance_jitter([2.0, nan], [3.0, 3.0]))
    assert math.isnan(metrics.distance_jitter([], []))


@given(st.floats(-0.5, 0.5), st.floats(0.1, 3), st.floats(0, 2))
def test_the_lag_of_a_v_is_its_lowest_point(where, slope, floor):
    early, same, late = (slope * abs(x - where) + floor for x in (-1, 0, 1))
    assert metrics.lag(early, same, late) == pytest.approx(where, abs=1e-9)


def test_a_shifted_edge_lags_by_its_shift():
    """A sharp edge that walks: the predicted one is where the true one was a frame before."""
    x = np.arange(200, dtype=np.float32)
    truth = [(x < 40 + 3 * t).astype(np.float32)[None] for t in range(12)]

    def error(shift: int) -> float:
        return float(np.mean([metrics.mse(truth[t - 1], truth[t - shift]) for t in range(3, 9)]))

    assert metrics.lag(error(-1), error(0), error(1)) == pytest.approx(1)


def test_nothing_that_moves_has_no_lag():
    assert math.isnan(metrics.lag(1.0, 1.0, 1.0))
