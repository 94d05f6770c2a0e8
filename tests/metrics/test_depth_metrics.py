"""Depth metrics against slow loops written from the published definitions, and known answers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, optimize

from cleanplate import metrics
from cleanplate.arrays import Plane


def disparities(seed: int, height: int = 18, width: int = 22) -> tuple[Plane, Plane]:
    """A true disparity with infinity and unknown pixels in it, and a noisy prediction of it."""
    rng = np.random.default_rng(seed)
    truth = 0.1 + np.abs(ndimage.gaussian_filter(rng.normal(size=(height, width)), 2)) * 4
    predicted = truth * np.exp(rng.normal(0, 0.15, truth.shape))
    truth[0, :4] = 0
    truth[1, :5] = np.nan
    return predicted.astype(np.float32), truth.astype(np.float32)


def slow_errors(depth: np.ndarray, truth: np.ndarray, lam: float = 0.5) -> dict[str, float]:
    pairs = [
        (float(d), float(t))
        for d, t in zip(depth.flat, truth.flat, strict=True)
        if 0 < t < math.inf
    ]
    n = len(pairs)
    logs = [math.log(d) - math.log(t) for d, t in pairs]
    return {
        "abs_rel": sum(abs(d - t) / t for d, t in pairs) / n,
        "sq_rel": sum((d - t) ** 2 / t for d, t in pairs) / n,
        "rmse": math.sqrt(sum((d - t) ** 2 for d, t in pairs) / n),
        "rmse_log": math.sqrt(sum(e * e for e in logs) / n),
        "log10": sum(abs(math.log10(d) - math.log10(t)) for d, t in pairs) / n,
        "silog": math.sqrt(sum(e * e for e in logs) / n - lam * (sum(logs) / n) ** 2),
        "delta1": sum(max(d / t, t / d) < 1.25 for d, t in pairs) / n,
        "delta2": sum(max(d / t, t / d) < 1.25**2 for d, t in pairs) / n,
        "delta3": sum(max(d / t, t / d) < 1.25**3 for d, t in pairs) / n,
    }


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("lam", [0.5, 0.85, 1.0])
def test_depth_errors_equal_slow_loop(seed: int, lam: float) -> None:
    predicted, disparity = disparities(seed)
    with np.errstate(divide="ignore"):
        truth = 1 / disparity
    expected = slow_errors(1 / predicted, truth, lam)
    got = metrics.depth_errors(1 / predicted, truth, silog_lambda=lam)
    assert got == pytest.approx(expected, rel=1e-5)
    assert 0 < got["delta1"] < 1


def test_depth_errors_of_a_map_that_is_off_by_a_factor() -> None:
    truth = np.array([[1.0, 2.0], [4.0, np.inf]], np.float32)
    got = metrics.depth_errors(truth * np.float32(1.5), truth)
    assert got["abs_rel"] == pytest.approx(0.5)
    assert got["sq_rel"] == pytest.approx((0.25 + 0.5 + 1) / 3)
    assert got["rmse"] == pytest.approx(math.sqrt((0.25 + 1 + 4) / 3))
    assert got["log10"] == pytest.approx(math.log10(1.5))
    # e = ln 1.5 everywhere: half of its square is left with lambda 1/2, nothing with 1.
    assert got["silog"] == pytest.approx(math.log(1.5) * math.sqrt(0.5))
    assert metrics.depth_errors(truth * np.float32(1.5), truth, silog_lambda=1)[
        "silog"
    ] == pytest.approx(0, abs=1e-6)
    assert (got["delta1"], got["delta2"], got["delta3"]) == (0, 1, 1)


def test_depth_errors_refuse_what_is_no_depth() -> None:
    truth = np.ones((2, 2), np.float32)
    for bad in (np.inf, np.nan, 0.0, -1.0):
        with pytest.raises(ValueError, match="finite and above 0"):
            metrics.depth_errors(np.full((2, 2), bad, np.float32), truth)
    with pytest.raises(ValueError, match="no pixel"):
        metrics.depth_errors(truth, np.full((2, 2), np.nan, np.float32))
    with pytest.raises(ValueError, match="one shape"):
        metrics.depth_errors(truth, np.ones((2, 3), np.float32))


def test_alignment_is_the_least_squares_solution() -> None:
    predicted, truth = disparities(7)
    known = truth > 0
    mask = known.copy()
    mask[:, ::2] = False
    for fit, where in ((None, known), (mask, mask)):
        design = np.stack([predicted[where], np.ones(where.sum())], axis=1)
        (scale, shift), *_ = np.linalg.lstsq(design, truth[where], rcond=None)
        aligned = metrics.align_disparity(predicted, truth, mask=fit)
        np.testing.assert_allclose(aligned, predicted * scale + shift, rtol=1e-5)

    def cost(x: np.ndarray) -> float:
        return float(np.square(x[0] * predicted[known] + x[1] - truth[known]).sum())

    found = optimize.minimize(cost, [1.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-7})
    aligned = metrics.align_disparity(predicted, truth)
    assert cost(np.array([1.0, 0.0])) > found.fun
    assert float(np.square(aligned - truth)[known].sum()) == pytest.approx(found.fun, rel=1e-4)


def test_aligned_errors_forget_scale_and_shift_and_unaligned_ones_do_not() -> None:
    _, truth = disparities(1)
    relative = np.nan_to_num(truth, nan=0.3) * np.float32(-7) + np.float32(2)
    aligned = metrics.disparity_errors(relative, truth, align=True)
    assert aligned["abs_rel"] == pytest.approx(0, abs=1e-4)
    assert aligned["delta1"] == 1
    plain = metrics.disparity_errors(
        np.nan_to_num(truth, nan=0.3) * np.float32(2), truth, align=False
    )
    assert plain["abs_rel"] == pytest.approx(0.5, rel=1e-4)
    assert plain["delta3"] == 0


def test_disparity_errors_cap_what_is_too_far() -> None:
    truth = np.full((2, 2), 0.1, np.float32)  # 10 m
    predicted = np.array([[0.1, 0.0], [-3.0, 1e-6]], np.float32)
    got = metrics.disparity_errors(predicted, truth, align=False, cap=20)
    assert got["abs_rel"] == pytest.approx(3 / 4)
    assert got["delta1"] == 0.25


def test_disparity_errors_leave_out_what_the_prediction_does_not_know() -> None:
    predicted, truth = disparities(2)
    holes = predicted.copy()
    holes[5:9, 5:9] = np.nan
    rest = np.ones(truth.shape, np.bool_)
    rest[5:9, 5:9] = False
    assert metrics.disparity_errors(holes, truth, align=True) == pytest.approx(
        metrics.disparity_errors(predicted, truth, align=True, valid=rest)
    )


def scene(subject_depth: float) -> tuple[Plane, Plane]:
    """A floor from 2 m to 8 m with a box at 3 m (true) drawn at `subject_depth`."""
    depth = np.repeat(np.linspace(8, 2, 24)[:, None], 32, axis=1)
    alpha = np.zeros(depth.shape, np.float32)
    alpha[6:18, 10:20] = 1
    drawn = np.where(alpha > 0.5, subject_depth, depth)
    return (1 / drawn).astype(np.float32), alpha


@pytest.mark.parametrize("metric", [False, True])
def test_subject_is_measured_in_the_plates_scale(metric: bool) -> None:
    truth, alpha = scene(3.0)
    predicted, _ = scene(4.5)
    given = predicted if metric else predicted * np.float32(5) - np.float32(1)
    got = metrics.subject_errors(given, truth, alpha, align=not metric)
    assert got["abs_rel"] == pytest.approx(0.5, rel=1e-4)
    assert got["bias"] == pytest.approx(math.log(1.5), rel=1e-3)
    assert got["delta1"] == 0
    # The scene itself is right, and the wrong subject may not spoil its fit.
    assert got["plate_abs_rel"] == pytest.approx(0, abs=1e-4)
    assert got["plate_delta1"] == 1
    # Aligned over everything, the subject drags the scene with it.
    assert metrics.disparity_errors(given, truth, align=True)["abs_rel"] > 0.02


def test_subject_errors_need_a_subject() -> None:
    truth, alpha = scene(3.0)
    with pytest.raises(ValueError, match="no pixel"):
        metrics.subject_errors(truth, truth, alpha * 0, align=False)


def slow_order(one: Plane, truth: Plane, margin: float) -> float:
    """Over all pairs, so the sampled accuracy must come near."""
    spots = [p for p in np.ndindex(truth.shape) if math.isfinite(truth[p])]
    right = total = 0.0
    for i, p in enumerate(spots):
        for q in spots[:i]:
            near, far = (p, q) if truth[p] > truth[q] else (q, p)
            if truth[near] > (1 + margin) * truth[far]:
                total += 1
                right += 1.0 if one[near] > one[far] else 0.5 if one[near] == one[far] else 0.0
    return right / total


def test_ordinal_accuracy_is_near_the_share_over_all_pairs() -> None:
    predicted, truth = disparities(3, 12, 14)
    coarse = np.round(predicted, 1)  # with ties
    expected = slow_order(coarse, truth, 0.05)
    assert 0.6 < expected < 0.99
    got = metrics.ordinal_accuracy(coarse, truth, pairs=40_000)
    assert got == pytest.approx(expected, abs=0.01)
    assert got == metrics.ordinal_accuracy(coarse, truth, pairs=40_000)
    assert got != metrics.ordinal_accuracy(coarse, truth, pairs=40_000, seed=1)


def test_ordinal_accuracy_of_known_maps() -> None:
    _, truth = disparities(4)
    filled = np.nan_to_num(truth, nan=1.0)
    assert metrics.ordinal_accuracy(filled, truth) == 1
    assert metrics.ordinal_accuracy(np.exp(filled) * 3 - 9, truth) == 1
    assert metrics.ordinal_accuracy(-filled, truth) == 0
    assert metrics.ordinal_accuracy(np.ones_like(filled), truth) == 0.5
    with pytest.raises(ValueError, match="differ"):
        metrics.ordinal_accuracy(filled, np.ones_like(filled))


def slow_recall(disparity: Plane, alpha: Plane) -> float:
    """Depth Pro's section 3.2 pixel by pixel, for one direction after the other."""
    near = np.maximum(disparity.astype(np.float64), 1e-6)
    mask = alpha > 0.1
    ratios = [1.05 + k * 0.2 / 9 for k in range(10)]
    total = 0.0
    for ratio in ratios:
        recall = 0.0
        for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            height, width = mask.shape
            found = edges = 0
            for y in range(height):
                for x in range(width):
                    v, u = y + dy, x + dx  # the nearer neighbour
                    if not (0 <= v < height and 0 <= u < width):
                        continue
                    if not (mask[v, u] and not mask[y, x]):
                        continue
                    edges += 1
                    growth = near[v, u] / near[y, x]
                    if growth <= ratio:
                        continue
                    # It must be the largest of the run it lies in, along its axis.
                    run = [growth]
                    for sign in (1, -1):
                        b, a = y, x
                        while True:
                            b, a = b + sign * dy, a + sign * dx
                            if not (0 <= b < height and 0 <= a < width):
                                break
                            if not (0 <= b + dy < height and 0 <= a + dx < width):
                                break
                            step = near[b + dy, a + dx] / near[b, a]
                            if step <= ratio:
                                break
                            run.append(step)
                    found += growth == max(run)
            recall += found / max(edges, 1) / 4
        total += recall * ratio
    return total / sum(ratios)


@pytest.mark.parametrize("seed", range(3))
def test_boundary_recall_equals_slow_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    alpha = (ndimage.gaussian_filter(rng.normal(size=(20, 24)), 2) > 0).astype(np.float32)
    soft = ndimage.gaussian_filter(alpha, 0.7)
    disparity = (0.2 + soft * rng.uniform(0.01, 0.2, soft.shape)).astype(np.float32)
    got = metrics.boundary_recall(disparity, alpha)
    assert 0.1 < got < 0.95
    assert got == pytest.approx(slow_recall(disparity, alpha))


def test_boundary_recall_wants_sharp_edges_at_the_right_place() -> None:
    truth, alpha = scene(1.5)
    assert metrics.boundary_recall(truth, alpha) == pytest.approx(1)
    assert metrics.boundary_recall(1 / truth, alpha) == 0  # the subject behind its scene
    assert metrics.boundary_recall(np.roll(truth, 1, axis=1), alpha) < 0.6
    assert metrics.boundary_recall(np.ones_like(truth), alpha) == 0
    with pytest.raises(ValueError, match="finite"):
        metrics.boundary_recall(truth * np.nan, alpha)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6), st.floats(0.01, 50), st.floats(-2, 2))
def test_aligned_errors_do_not_change_with_scale_and_shift(
    seed: int, scale: float, shift: float
) -> None:
    predicted, truth = disparities(seed, 8, 9)
    one = metrics.disparity_errors(predicted, truth, align=True)
    moved = (predicted.astype(np.float64) * scale + shift).astype(np.float32)
    other = metrics.disparity_errors(moved, truth, align=True)
    # Shares may flip a pixel that sits on 1.25; errors in metres depend smoothly on the fit.
    for name in ("log10", "abs_rel"):
        assert other[name] == pytest.approx(one[name], rel=0.02)
