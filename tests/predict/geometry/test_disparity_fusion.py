"""The subject is placed in the plate's depth; known answers in metres."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanplate.depth import Normalisation
from cleanplate.predict.geometry.disparity_fusion import (
    NEARER,
    at_size,
    for_network,
    frame_disparity,
    subject_everywhere,
)
from cleanplate.predict.upsample import carry_over_edge


def test_another_resolution_invents_no_depth() -> None:
    disparity = np.array([[1.0, np.nan], [0.0, 4.0]], np.float32)
    large = at_size(disparity, (4, 6))
    np.testing.assert_array_equal(large[:2, :3], 1)
    assert np.isnan(large[:2, 3:]).all()
    np.testing.assert_array_equal(large[2:, :3], 0)
    np.testing.assert_array_equal(large[2:, 3:], 4)


@settings(deadline=None, max_examples=30)
@given(st.tuples(*[st.integers(1, 30)] * 4), st.integers(0, 99))
def test_at_size_only_picks_what_is_there(sizes: tuple[int, ...], seed: int) -> None:
    disparity = np.random.default_rng(seed).random(sizes[:2], np.float32)
    other = at_size(disparity, (sizes[2], sizes[3]))
    assert other.shape == sizes[2:]
    assert np.isin(other, disparity).all()


def test_the_unknown_does_not_mix_into_the_known() -> None:
    disparity = np.full((40, 40), 2.0, np.float32)
    disparity[:, 17:] = np.nan
    relative, valid = for_network(disparity, Normalisation(1.0, 0.5), (10, 10))
    np.testing.assert_allclose(relative[:, :4], 2.0)
    np.testing.assert_array_equal(valid[:, :4], True)
    np.testing.assert_array_equal(valid[:, 4:], False)  # a quarter of cell 4 is known: too little
    np.testing.assert_array_equal(relative[~valid], 0)


def test_infinity_is_known() -> None:
    relative, valid = for_network(np.zeros((8, 8), np.float32), Normalisation(1.0, 0.5), (4, 4))
    assert valid.all()
    np.testing.assert_allclose(relative, -2.0)


def scene() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    alpha = np.zeros((8, 10), np.float32)
    alpha[2:6, 3:7] = 1
    alpha[2, 3] = 0.49
    return alpha, np.full((4, 5), 2.0, np.float32), np.full((4, 5), -1.0, np.float32)


def test_relative_disparity_switches_at_half() -> None:
    alpha, subject, plate = scene()
    disparity = frame_disparity(alpha, subject, plate)
    np.testing.assert_allclose(disparity[alpha >= 0.5], 2.0)
    np.testing.assert_allclose(disparity[alpha < 0.5], -1.0)


def test_metric_disparity_is_the_given_where_known_and_the_networks_elsewhere() -> None:
    alpha, subject, plate = scene()
    given_disparity = np.full((8, 10), 0.25, np.float32)
    given_disparity[0] = np.nan
    normal = Normalisation(0.5, 0.1)
    disparity = frame_disparity(alpha, subject, plate, given_disparity, normal)
    np.testing.assert_allclose(disparity[0], 0.5 - 0.1, rtol=1e-6)
    np.testing.assert_allclose(disparity[7], 0.25)
    np.testing.assert_allclose(disparity[alpha >= 0.5], 0.5 + 2 * 0.1, rtol=1e-6)


def test_an_opaque_subject_is_never_behind_the_plate() -> None:
    alpha, subject, plate = scene()
    near = np.full((8, 10), 3.0, np.float32)
    disparity = frame_disparity(alpha, subject, plate, near, Normalisation(0.5, 0.1))
    np.testing.assert_allclose(disparity[alpha >= 0.5], 3.0 * (1 + NEARER), rtol=1e-6)
    relative = frame_disparity(alpha, np.full((4, 5), -5.0, np.float32), plate)
    np.testing.assert_allclose(relative, -1.0)


def test_metric_disparity_is_never_negative() -> None:
    alpha, subject, plate = scene()
    unknown = np.full((8, 10), np.nan, np.float32)
    disparity = frame_disparity(alpha, -subject * 9, plate * 9, unknown, Normalisation(0.5, 0.1))
    assert disparity.min() == 0


def test_what_the_network_says_outside_the_subject_stays_outside() -> None:
    alpha = np.zeros((20, 20), np.float32)
    alpha[5:15, 5:15] = 1
    subject = np.where(alpha > 0, np.float32(3), np.float32(-50))
    everywhere = subject_everywhere(subject, alpha)
    np.testing.assert_allclose(everywhere, 3.0, rtol=1e-4)


def test_without_a_subject_there_is_still_a_number() -> None:
    zero = np.zeros((9, 9), np.float32)
    assert np.isfinite(subject_everywhere(zero + np.nan, zero)).all()


def test_the_matte_is_carried_over_the_plates_edge() -> None:
    alpha = np.zeros((20, 20), np.float32)
    alpha[:, 8:12] = 1
    covers = np.ones((20, 20), bool)
    covers[15:] = False
    spoilt = np.where(covers, alpha, np.float32(0.3))
    spoilt[13:15] = 0.5  # a network's doubt near the edge
    np.testing.assert_array_equal(carry_over_edge(spoilt, covers, 2), alpha)


@pytest.mark.parametrize("value", [True, False])
def test_nothing_to_carry(value: bool) -> None:
    alpha = np.random.default_rng(0).random((9, 11), np.float32)
    np.testing.assert_array_equal(carry_over_edge(alpha, np.full((9, 11), value), 2), alpha)
