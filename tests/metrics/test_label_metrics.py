"""Masks of labels: known answers, and sums."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanplate.metrics import LabelCounts, iou, label_counts
from cleanplate.metrics.label_metrics import LABELS, OUTSIDE, SHADOW, STATIC, SUBJECT, UNKNOWN


def random_frame(seed: int, labels=LABELS) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.random((9, 11)).astype(np.float32), rng.choice(labels, (9, 11)).astype(np.uint8)


def test_known_answer():
    labels = np.array([[255, 255, 255, 0, 0, 50, 50, 85, 170]], np.uint8)
    alpha = np.array([[1.0, 0.5, 0.49, 1.0, 0.0, 0.7, 0.2, 1.0, 0.0]])
    counts = label_counts(alpha, labels)
    assert counts == LabelCounts(found=2, missed=1, wrong=2, right=2, shadow=2, shadow_taken=1)
    assert counts.counted == 7
    assert (counts.precision, counts.recall) == (0.5, pytest.approx(2 / 3))
    assert counts.f_measure == pytest.approx(4 / 7)
    assert counts.iou == pytest.approx(0.4)
    assert counts.shadow_share == 0.5


@given(st.integers(0, 2**32 - 1))
def test_without_doubtful_pixels_it_is_the_iou_of_masks(seed):
    alpha, labels = random_frame(seed, (STATIC, SHADOW, SUBJECT))
    counts = label_counts(alpha, labels)
    assert counts.counted == labels.size
    assert counts.iou == pytest.approx(iou(alpha, (labels == SUBJECT).astype(np.float32)))
    both = counts.precision, counts.recall
    if min(both) > 0:
        assert counts.f_measure == pytest.approx(2 / (1 / both[0] + 1 / both[1]))


@given(st.integers(0, 2**32 - 1))
def test_what_the_matte_says_of_doubtful_pixels_does_not_count(seed):
    alpha, labels = random_frame(seed)
    doubtful = np.isin(labels, (OUTSIDE, UNKNOWN))
    assert label_counts(alpha, labels) == label_counts(np.where(doubtful, 1 - alpha, alpha), labels)


@given(st.integers(0, 2**31), st.integers(0, 2**31))
def test_sums_are_those_of_pixels_together(one, other):
    frames = [random_frame(one), random_frame(other)]
    together = label_counts(*(np.concatenate(parts) for parts in zip(*frames, strict=True)))
    assert label_counts(*frames[0]) + label_counts(*frames[1]) == together


def test_nothing_is_nan_and_no_error():
    empty = label_counts(np.zeros((2, 2)), np.full((2, 2), UNKNOWN, np.uint8))
    assert empty == LabelCounts()
    figures = (empty.precision, empty.recall, empty.f_measure, empty.iou, empty.shadow_share)
    assert all(math.isnan(value) for value in figures)


@pytest.mark.parametrize(
    ("labels", "message"),
    [(np.full((2, 2), 1, np.uint8), "not 1"), (np.zeros((2, 3), np.uint8), "labels are")],
)
def test_other_masks_are_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        label_counts(np.zeros((2, 2)), labels)
