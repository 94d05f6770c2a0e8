"""Running moments: equal to numpy on the whole stack, exact, in any order."""

from __future__ import annotations

import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanplate.synthesis.inspection import running_moments
from cleanplate.synthesis.inspection.running_moments import RunningMoments


def stack_of(
    seed: int, count: int, shape: tuple[int, ...], dtype: type, zeros: float
) -> np.ndarray:
    rng = np.random.default_rng([seed, count])
    top = np.iinfo(dtype).max
    stack = rng.integers(0, top, (count, *shape), dtype=dtype, endpoint=True)
    stack[rng.random(stack.shape) < zeros] = 0
    return stack


def counted(stack: np.ndarray, *, zero_unknown: bool = False) -> RunningMoments:
    found = RunningMoments(stack.shape[1:], stack.dtype, zero_unknown=zero_unknown)
    for picture in stack:
        found.add(picture)
    return found


stacks = st.builds(
    stack_of,
    st.integers(0, 99),
    st.integers(1, 12),
    st.sampled_from([(1, 1), (5, 7), (4, 3, 3), (6, 2, 4), (3, 2, 1)]),
    st.sampled_from([np.uint8, np.uint16]),
    st.sampled_from([0.0, 0.4]),
)


@settings(deadline=None, max_examples=40)
@given(stack=stacks)
def test_equals_numpy_on_the_whole_stack(stack: np.ndarray) -> None:
    found = counted(stack)
    whole = stack.reshape(len(stack), *found.shape).astype(np.float64)
    assert found.pictures == len(stack)
    np.testing.assert_allclose(found.mean(), whole.mean(0), rtol=1e-14)
    np.testing.assert_allclose(found.std(), whole.std(0), rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(found.channel_mean(), whole.mean((0, 1, 2)), rtol=1e-13)
    np.testing.assert_allclose(found.channel_std(), whole.std((0, 1, 2)), rtol=1e-12, atol=1e-9)
    spread = whole.mean((1, 2)).std(0)
    np.testing.assert_allclose(found.std_of_means(), spread, rtol=1e-9, atol=1e-9)


@settings(deadline=None, max_examples=25)
@given(stack=stacks)
def test_leaves_out_what_is_unknown(stack: np.ndarray) -> None:
    found = counted(stack, zero_unknown=True)
    whole = stack.reshape(len(stack), *found.shape).astype(np.float64)
    hidden = np.ma.masked_equal(whole, 0)
    np.testing.assert_array_equal(found.known, (whole > 0).sum(0))
    np.testing.assert_allclose(found.mean(), hidden.mean(0).filled(np.nan), rtol=1e-14)
    np.testing.assert_allclose(found.std(), hidden.std(0).filled(np.nan), rtol=1e-12, atol=1e-9)
    channel = hidden.mean((0, 1, 2))
    np.testing.assert_allclose(found.channel_mean(), np.ma.filled(channel, np.nan), rtol=1e-13)
    assert np.isnan(found.std_of_means()).all()


@settings(deadline=None, max_examples=25)
@given(stack=stacks, seed=st.integers(0, 99), shares=st.integers(1, 4))
def test_merging_is_exact_in_any_order(stack: np.ndarray, seed: int, shares: int) -> None:
    rng = np.random.default_rng(seed)
    whole = counted(stack)
    owner = rng.integers(0, shares, len(stack))
    parts = [counted(stack[owner == k]) for k in range(shares)]
    merged = pickle.loads(pickle.dumps(parts[0]))
    for part in rng.permutation(np.array(parts[1:], object)):
        merged.merge(pickle.loads(pickle.dumps(part)))
    for what in ("mean", "std", "channel_mean", "channel_std", "std_of_means"):
        np.testing.assert_array_equal(getattr(merged, what)(), getattr(whole, what)())


@settings(deadline=None, max_examples=20)
@given(stack=stacks, times=st.lists(st.integers(1, 9), min_size=12, max_size=12))
def test_a_repeated_picture_counts_as_often(stack: np.ndarray, times: list[int]) -> None:
    for zero_unknown in (False, True):
        found = RunningMoments(stack.shape[1:], stack.dtype, zero_unknown=zero_unknown)
        for picture, often in zip(stack, times, strict=False):
            found.add(picture, often)
        plain = counted(np.repeat(stack, times[: len(stack)], axis=0), zero_unknown=zero_unknown)
        for what in ("known", "mean", "std", "channel_mean", "channel_std", "std_of_means"):
            mine, reference = (getattr(one, what) for one in (found, plain))
            mine, reference = (one if what == "known" else one() for one in (mine, reference))
            np.testing.assert_array_equal(mine, reference)


def test_a_small_spread_on_a_large_mean_is_not_lost() -> None:
    """E[x^2] - E[x]^2 in doubles would give 0 or noise here."""
    found = RunningMoments((1, 1), np.uint16)
    found.add(np.full((1, 1), 65535, np.uint16), 2_000_000_000)
    found.add(np.full((1, 1), 65534, np.uint16), 1)
    n = 2_000_000_001
    variance = Fraction(1, n) - Fraction(1, n) ** 2
    assert found.std()[0, 0, 0] == pytest.approx(float(variance) ** 0.5, rel=1e-12)
    assert found.channel_std()[0] == pytest.approx(float(variance) ** 0.5, rel=1e-12)


def test_flushing_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = stack_of(3, 11, (4, 5, 3), np.uint16, 0.2)
    whole = counted(stack)
    monkeypatch.setattr(running_moments, "_FLUSH", 3)
    flushed = counted(stack)
    np.testing.assert_array_equal(flushed.mean(), whole.mean())
    np.testing.assert_array_equal(flushed.std(), whole.std())


def test_refuses_other_kinds() -> None:
    found = RunningMoments((4, 5, 3), np.uint8)
    with pytest.raises(ValueError, match="expected"):
        found.add(np.zeros((4, 6, 3), np.uint8))
    with pytest.raises(ValueError, match="expected"):
        found.add(np.zeros((4, 5, 3), np.uint16))
    with pytest.raises(ValueError, match="cannot merge"):
        found.merge(RunningMoments((4, 5, 3), np.uint8, zero_unknown=True))
    with pytest.raises(TypeError, match="uint8 or uint16"):
        RunningMoments((4, 5), np.float32)
    assert found.pictures == 0


def test_of_no_pictures_nothing_is_known() -> None:
    found = RunningMoments((2, 2), np.uint8)
    for what in ("mean", "std", "channel_mean", "channel_std", "std_of_means"):
        assert np.isnan(getattr(found, what)()).all()
