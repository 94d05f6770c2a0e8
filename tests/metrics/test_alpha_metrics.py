"""Alpha metrics against slow loops written from the published definitions, and known answers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from cleanplate import metrics
from cleanplate.arrays import Mask, Plane

NAMES = ("sad", "mad", "mse", "grad", "conn")


def soft_pair(seed: int, height: int = 17, width: int = 23) -> tuple[Plane, Plane]:
    """Two smooth 8-bit alphas with hard zeros and ones in them, alike but not equal."""
    rng = np.random.default_rng(seed)
    base = ndimage.gaussian_filter(rng.normal(size=(height, width)), 2.0) * 8
    other = base + ndimage.gaussian_filter(rng.normal(size=(height, width)), 1.0)
    both = (np.rint(np.clip(plane + 0.5, 0, 1) * 255) / np.float32(255) for plane in (base, other))
    alpha, truth = (plane.astype(np.float32) for plane in both)
    return alpha, truth


def slow_grad(alpha: Plane, truth: Plane, region: Mask, stretch: bool = True) -> float:
    sigma = 1.4
    half = math.ceil(sigma * math.sqrt(-2 * math.log(math.sqrt(2 * math.pi) * sigma * 0.01)))
    kernel = np.zeros((2 * half + 1, 2 * half + 1))
    for i in range(-half, half + 1):
        for j in range(-half, half + 1):
            gauss = math.exp(-(i**2) / (2 * sigma**2)) / (sigma * math.sqrt(2 * math.pi))
            slope = -j * math.exp(-(j**2) / (2 * sigma**2)) / (sigma**3 * math.sqrt(2 * math.pi))
            kernel[i + half, j + half] = gauss * slope
    kernel /= math.sqrt((kernel**2).sum())

    def amplitude(plane: Plane) -> np.ndarray:
        plane = plane.astype(np.float64)
        if stretch and plane.max() > plane.min():
            plane = (plane - plane.min()) / (plane.max() - plane.min())
        padded = np.pad(plane, half, mode="edge")
        out = np.zeros_like(plane)
        for y in range(plane.shape[0]):
            for x in range(plane.shape[1]):
                window = padded[y : y + 2 * half + 1, x : x + 2 * half + 1]
                out[y, x] = math.hypot((window * kernel).sum(), (window * kernel.T).sum())
        return out

    return float((((amplitude(alpha) - amplitude(truth)) ** 2)[region]).sum())


def slow_conn(alpha: Plane, truth: Plane, region: Mask) -> float:
    """Pixel by pixel: the first threshold at which it falls off the largest part."""
    cross = [[0, 1, 0], [1, 1, 1], [0, 1, 0]]
    thresholds = [np.float32(k / 10) for k in range(11)]
    bodies = []
    for threshold in thresholds:
        labels, count = ndimage.label((alpha >= threshold) & (truth >= threshold), cross)
        sizes = [int((labels == k).sum()) for k in range(1, count + 1)]
        bodies.append(labels == 1 + sizes.index(max(sizes)) if sizes else labels < 0)
    total = 0.0
    for y, x in zip(*np.nonzero(region), strict=True):
        last = 1.0
        for k in range(1, 11):
            if not bodies[k][y, x]:
                last = float(thresholds[k - 1])
                break
        connectivity = []
        for value in (float(alpha[y, x]), float(truth[y, x])):
            above = value - last
            connectivity.append(1 - above if above >= 0.15 else 1.0)
        total += abs(connectivity[0] - connectivity[1])
    return total


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("banded", [False, True])
def test_errors_equal_slow_loops(seed: int, banded: bool) -> None:
    alpha, truth = soft_pair(seed)
    band = (truth > 0.1) & (truth < 0.9) if banded else np.ones(truth.shape, np.bool_)
    region = band if banded else None
    pixels = [(float(alpha[p]), float(truth[p])) for p in zip(*np.nonzero(band), strict=True)]
    absolute = sum(abs(a - t) for a, t in pixels)
    squared = sum((a - t) ** 2 for a, t in pixels)
    assert absolute > 1
    assert metrics.sad(alpha, truth, region=region, scale=1) == pytest.approx(absolute)
    assert metrics.mad(alpha, truth, region=region) == pytest.approx(absolute / len(pixels))
    assert metrics.mse(alpha, truth, region=region) == pytest.approx(squared / len(pixels))
    for stretch in (True, False):
        assert metrics.grad(alpha, truth, region=region, scale=1, stretch=stretch) == pytest.approx(
            slow_grad(alpha, truth, band, stretch), rel=1e-9
        )
    assert metrics.conn(alpha, truth, region=region, scale=1) == pytest.approx(
        slow_conn(alpha, truth, band), rel=1e-5
    )


def test_known_answers_of_a_half_transparent_square() -> None:
    truth = np.zeros((20, 30), np.float32)
    truth[5:15, 10:20] = 1
    alpha = truth * np.float32(0.5)
    assert metrics.sad(alpha, truth) == pytest.approx(0.05)  # 100 pixels, half off, in thousands
    assert metrics.mad(alpha, truth) == pytest.approx(50 / 600)
    assert metrics.mse(alpha, truth) == pytest.approx(25 / 600)
    # Stretching makes both the same: the published Grad does not see a wrong gain.
    assert metrics.grad(alpha, truth) == 0
    assert metrics.grad(alpha, truth, stretch=False) > 0
    # The body holds up to .5; the truth's connectivity there is 1 - .5, the prediction's 1.
    assert metrics.conn(alpha, truth, scale=1) == pytest.approx(100 * 0.5)


def test_loose_part_costs_connectivity() -> None:
    """An island of 6 pixels, right in itself, costs nothing; one invented costs its opacity."""
    truth = np.zeros((12, 12), np.float32)
    truth[1:8, 1:8] = 1
    islands = truth.copy()
    islands[10, 2:8] = 1
    assert metrics.conn(islands, islands) == 0
    assert metrics.conn(islands, truth, scale=1) == pytest.approx(6)


@pytest.mark.parametrize("level", [51, 102, 153, 204])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("by_reciprocal", [False, True])
def test_an_8_bit_alpha_on_a_threshold_reaches_it(
    level: int, dtype: type, by_reciprocal: bool
) -> None:
    """Trap: in float64, 153 / 255 = 0.6 is below 6 * 0.1 = 0.6000000000000001.

    A prediction .14 above a flat truth costs nothing as long as the body reaches the truth's
    level; if it stopped one threshold earlier, the distance of .24 would count.
    """
    value = dtype(level) * dtype(1 / 255) if by_reciprocal else dtype(level) / dtype(255)
    truth = np.full((4, 4), value)
    higher = truth + dtype(0.14)
    assert metrics.conn(higher, truth, scale=1) == 0
    just_below = truth - dtype(1 / 65535)  # one step of 16 bits
    assert metrics.conn(higher, just_below, scale=1) == pytest.approx(16 * 0.24, rel=1e-3)


def test_conventions_bundle_the_published_regions_and_factors() -> None:
    alpha, truth = soft_pair(5)
    trimap = np.where(truth <= 0, 0, np.where(truth >= 1, 255, 128)).astype(np.uint8)
    band = trimap == 128
    plain = metrics.alpha_errors(alpha, truth)
    rvm = metrics.alpha_errors(alpha, truth, convention=metrics.RVM)
    bgm = metrics.alpha_errors(alpha, truth, convention=metrics.BGMV2, trimap=trimap)
    assert tuple(plain) == NAMES
    assert rvm["mad"] == pytest.approx(1000 * plain["mad"])
    assert rvm["mse"] == pytest.approx(1000 * plain["mse"])
    assert (
        rvm["grad"]
        == plain["grad"]
        == pytest.approx(slow_grad(alpha, truth, np.ones_like(band)) / 1000)
    )
    assert bgm["sad"] == pytest.approx(float(np.abs(alpha - truth)[band].sum()) / 1000, rel=1e-5)
    assert bgm["grad"] == pytest.approx(slow_grad(alpha, truth, band))
    assert bgm["conn"] == pytest.approx(slow_conn(alpha, truth, band), rel=1e-5)
    with pytest.raises(ValueError, match="trimap"):
        metrics.alpha_errors(alpha, truth, convention=metrics.BGMV2)
    with pytest.raises(ValueError, match="0, 128 and 255"):
        metrics.unknown_band(np.full((2, 2), 127, np.uint8))


def test_dtssd_of_a_flickering_clip() -> None:
    truth = [np.full((4, 5), 0.5, np.float32)] * 3
    alphas = [truth[0] + np.float32(offset) for offset in (0.0, 0.2, -0.1)]
    # Changes of .2 and .3 where the truth does not change; a constant error would cost nothing.
    assert metrics.dtssd(alphas, truth) == pytest.approx(100 * (0.2 + 0.3) / 2, rel=1e-5)
    assert metrics.dtssd(alphas, truth, first="zero") == pytest.approx(100 * 0.5 / 3, rel=1e-5)
    assert metrics.dtssd([t + np.float32(0.25) for t in truth], truth) == 0
    with pytest.raises(ValueError, match="two frames"):
        metrics.dtssd(alphas[:1], truth[:1])
    with pytest.raises(ValueError, match="shorter"):
        metrics.dtssd(alphas, truth[:2])


def test_dtssd_equals_slow_loop() -> None:
    alphas, truths = zip(*(soft_pair(seed, 5, 6) for seed in range(4)), strict=True)
    total = 0.0
    for t in range(1, 4):
        squares = [
            (
                (float(alphas[t][p]) - float(alphas[t - 1][p]))
                - (float(truths[t][p]) - float(truths[t - 1][p]))
            )
            ** 2
            for p in np.ndindex(5, 6)
        ]
        total += math.sqrt(sum(squares) / 30)
    assert metrics.dtssd(alphas, truths, scale=1) == pytest.approx(total / 3)


def test_iou_known_answers() -> None:
    truth = np.zeros((10, 10), np.float32)
    truth[:, :6] = 1
    alpha = np.zeros_like(truth)
    alpha[:, 2:8] = 0.5  # the threshold itself belongs to the subject
    assert metrics.iou(alpha, truth) == pytest.approx(4 / 8)
    assert metrics.iou(alpha, truth, threshold=0.6) == 0
    assert metrics.iou(np.zeros_like(truth), np.zeros_like(truth)) == 1


def slow_boundary_f(alpha: Plane, truth: Plane, tolerance: float) -> float:
    def outline(mask: Mask) -> list[tuple[int, int]]:
        height, width = mask.shape
        found = []
        for y in range(height):
            for x in range(width):
                down, right = min(y + 1, height - 1), min(x + 1, width - 1)
                if (
                    len(
                        {
                            bool(mask[y, x]),
                            bool(mask[down, x]),
                            bool(mask[y, right]),
                            bool(mask[down, right]),
                        }
                    )
                    > 1
                ):
                    found.append((y, x))
        return found

    def share(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> float:
        return sum(min(math.dist(p, q) for q in other) <= tolerance for p in one) / len(one)

    one, other = outline(alpha >= 0.5), outline(truth >= 0.5)
    precision, recall = share(one, other), share(other, one)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@pytest.mark.parametrize("tolerance", [0, 1, 1.5, 3])
def test_boundary_f_equals_slow_loop(tolerance: float) -> None:
    values = []
    for seed in range(3):
        alpha, truth = soft_pair(seed)
        values.append(metrics.boundary_f(alpha, truth, tolerance=tolerance))
        assert values[-1] == pytest.approx(slow_boundary_f(alpha, truth, tolerance))
    assert 0 < min(values) < 1


def test_boundary_f_of_shifted_and_missing_subjects() -> None:
    truth = np.zeros((40, 40), np.float32)
    truth[10:30, 10:30] = 1
    shifted = np.roll(truth, 3, axis=1)
    assert metrics.boundary_f(shifted, truth, tolerance=3) == 1
    assert 0 < metrics.boundary_f(shifted, truth, tolerance=2) < 1
    empty = np.zeros_like(truth)
    assert metrics.boundary_f(empty, truth) == 0
    assert metrics.boundary_f(empty, empty) == 1


def test_foreground_mse_counts_where_the_true_alpha_is_above_0() -> None:
    true_alpha = np.zeros((4, 5), np.float32)
    true_alpha[0, :2] = (1, 1 / 255)
    truth = np.zeros((4, 5, 3), np.float32)
    foreground = np.ones((4, 5, 3), np.float32)
    foreground[0, 0] = (0.5, 0.1, 0)
    expected = (0.25 + 0.01 + 3) / 6
    assert metrics.foreground_mse(foreground, truth, true_alpha) == pytest.approx(expected)
    region = np.zeros((4, 5), np.bool_)
    region[0] = True
    assert metrics.foreground_mse(
        foreground, truth, true_alpha, region=region, divide_by="region"
    ) == pytest.approx(expected * 2 / 5)
    with pytest.raises(ValueError, match="no pixel"):
        metrics.foreground_mse(foreground, truth, np.zeros_like(true_alpha))


@pytest.mark.parametrize("name", [*NAMES, "iou", "boundary_f"])
def test_wrong_arrays_are_refused(name: str) -> None:
    metric = getattr(metrics, name)
    good = np.zeros((3, 4), np.float32)
    for bad, message in [
        (np.zeros((3, 5), np.float32), "one shape"),
        (np.zeros((3, 4), np.uint8), "uint8"),
        (np.full((3, 4), 255, np.float32), "0, 1"),
        (np.full((3, 4), np.nan, np.float32), "nan"),
    ]:
        with pytest.raises(ValueError, match=message):
            metric(bad, good)
    if name in NAMES:
        with pytest.raises(ValueError, match="no pixel"):
            metric(good, good, region=np.zeros((3, 4), np.bool_))


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6), st.integers(2, 24), st.integers(2, 24))
def test_properties(seed: int, height: int, width: int) -> None:
    """Zero for equals; the same whichever way the pictures are turned; SAD is MAD times area."""
    alpha, truth = soft_pair(seed, height, width)
    errors = metrics.alpha_errors(alpha, truth)
    assert all(value == 0 for value in metrics.alpha_errors(truth, truth).values())
    assert metrics.iou(truth, truth) == metrics.boundary_f(truth, truth) == 1
    assert errors["sad"] * 1000 == pytest.approx(errors["mad"] * alpha.size)
    assert errors["mse"] <= errors["mad"] + 1e-12
    swapped = metrics.alpha_errors(truth, alpha)
    for name in ("sad", "mad", "mse", "grad"):
        assert swapped[name] == pytest.approx(errors[name])
        assert metrics.alpha_errors(alpha.T, truth.T)[name] == pytest.approx(errors[name])
