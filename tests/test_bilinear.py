"""Bilinear enlargement: against OpenCV's."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanplate.bilinear import Enlarged, Widened, enlarge, interpolated


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 40), st.integers(0, 40), st.data())
def test_enlarged_is_opencvs_bilinear(
    height: int, width: int, taller: int, wider: int, data: st.DataObject
) -> None:
    small = np.random.default_rng(height * 97 + width).random((height, width), np.float32)
    size = (height + taller, width + wider)
    whole = enlarge(small, size)
    large = Enlarged(small, size)
    first = data.draw(st.integers(0, size[0] - 1))
    last = data.draw(st.integers(first + 1, size[0]))
    rows = slice(first, last)
    np.testing.assert_allclose(large.rows(rows), whole[rows], atol=2e-6)
    points = np.flatnonzero(np.random.default_rng(1).random(size) < 0.3)
    found = interpolated(small[..., None], size, points)
    np.testing.assert_allclose(found[:, 0], whole.ravel()[points], atol=2e-6)


def test_enlarged_keeps_channels() -> None:
    small = np.random.default_rng(0).random((6, 7, 4), np.float32)
    large = Enlarged(small, (20, 30))
    whole = cv2.resize(small, (30, 20), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(large.rows(slice(3, 11)), whole[3:11], atol=2e-6)
    np.testing.assert_allclose(large.part(slice(3, 11), slice(2, 5)), whole[3:11, 2:5], atol=2e-6)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 40), st.integers(0, 40))
def test_models_are_applied_as_if_they_were_enlarged(
    height: int, width: int, taller: int, wider: int
) -> None:
    rng = np.random.default_rng(height * 97 + width)
    models = rng.random((height, width, 4), np.float32)
    size = (height + taller, width + wider)
    points = np.flatnonzero(rng.random(size) < 0.3)
    values = rng.random((len(points), 3), np.float32)
    enlarged = interpolated(models, size, points)
    expected = (enlarged[:, :3] * values).sum(axis=1) + enlarged[:, 3]
    found = Widened(models, size).applied(points, values)
    np.testing.assert_allclose(found, expected, atol=2e-6)
