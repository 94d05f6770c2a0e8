"""Histograms of alpha and depth against slow references."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanplate.depth.depth_codec import FARTHEST
from cleanplate.synthesis.inspection.histograms import (
    AlphaHistogram,
    DepthHistogram,
    histogram_edges,
)


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 99),
    dtype=st.sampled_from([np.uint8, np.uint16]),
    count=st.integers(1, 6),
    soft=st.floats(0, 1),
)
def test_alpha_as_counted_pixel_by_pixel(seed: int, dtype: type, count: int, soft: float) -> None:
    rng = np.random.default_rng(seed)
    top = np.iinfo(dtype).max
    found, other = AlphaHistogram(), AlphaHistogram()
    clear = solid = empty = 0
    coverage = [0] * 20
    for number in range(count):
        hard = (rng.random((6, 7)) < rng.random() ** 2) * top
        alpha = np.where(rng.random((6, 7)) < soft, rng.integers(0, top + 1, (6, 7)), hard)
        alpha = (alpha * (number != 1)).astype(dtype)
        (found if number % 2 else other).add(alpha)
        clear += int((alpha == 0).sum())
        solid += int((alpha == top).sum())
        empty += not alpha.any()
        share = sum(int(value) for value in alpha.ravel()) * 20 // (int(top) * alpha.size)
        coverage[min(19, share)] += 1
    found.merge(other)
    told = found.as_json()
    assert told["clear"] == clear / (42 * count)
    assert told["solid"] == solid / (42 * count)
    assert told["soft"] == (42 * count - clear - solid) / (42 * count)
    assert told["pictures_without_subject"] == empty
    assert told["coverage"]["pictures"] == coverage
    assert len(told["coverage"]["edges"]) == 21


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 99), count=st.integers(1, 4))
def test_depth_as_sorted_pixel_by_pixel(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    found = DepthHistogram()
    pixels = []
    for _ in range(count):
        depth = np.exp(rng.uniform(0, np.log(FARTHEST + 1), (9, 8))).astype(np.uint16)
        depth[rng.random(depth.shape) < 0.2] = 0
        depth[rng.random(depth.shape) < 0.1] = FARTHEST
        part = DepthHistogram()
        part.add(depth)
        found.merge(part)
        pixels += depth.ravel().tolist()
    known = sorted(one for one in pixels if 0 < one < FARTHEST)
    told = found.as_json()
    assert (told["nearest_m"], told["farthest_m"]) == (known[0] / 1000, known[-1] / 1000)
    median = known[max(1, -(-len(known) // 2)) - 1]
    assert told["median_m"] == median / 1000
    assert told["unknown"] == pixels.count(0) / len(pixels)
    assert told["infinite_or_beyond_65_m"] == pixels.count(FARTHEST) / len(pixels)
    edges = [round(edge * 1000) for edge in told["histogram"]["edges_m"]]
    for place, held in enumerate(told["histogram"]["pixels"]):
        assert held == sum(edges[place] <= one < edges[place + 1] for one in known)
    assert sum(told["histogram"]["pixels"]) == len(known)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 99), low=st.sampled_from([0.0, 0.001, 0.3]), span=st.floats(0.01, 9))
def test_codes_are_counted_in_metres(seed: int, low: float, span: float) -> None:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 256, (11, 13), np.uint8)
    found = DepthHistogram()
    found.add_codes(codes, low, low + span)
    disparity = low + codes.astype(np.float64) / 255 * span
    reference = np.zeros(FARTHEST + 1, np.int64)
    for value in disparity.ravel():
        depth = FARTHEST if value <= 0 else round(1000 / value)
        reference[min(FARTHEST, max(1, depth))] += 1
    np.testing.assert_array_equal(found.millimetres, reference)
    np.testing.assert_array_equal(found.codes, np.bincount(codes.ravel(), minlength=256))


def test_codes_that_mean_nothing_known_have_no_metres() -> None:
    found = DepthHistogram()
    found.add_codes(np.array([[3, 3], [250, 0]], np.uint8), None, None)
    told = found.as_json()
    assert set(told) == {"codes"}
    assert (told["codes"][3], told["codes"][250], sum(told["codes"])) == (2, 1, 4)


def test_no_depth_has_no_range() -> None:
    found = DepthHistogram()
    found.add(np.zeros((2, 2), np.uint16))
    told = found.as_json()
    assert told["nearest_m"] is None
    assert told["unknown"] == 1


def test_edges_of_the_histogram_rise_over_the_whole_range() -> None:
    edges = histogram_edges()
    assert (np.diff(edges) > 0).all()
    assert (edges[0], edges[-1]) == (1, FARTHEST)
    assert {100, 1000, 10000} <= set(edges.tolist())
