"""Encoding of arrays: known answers, and the package's own readers."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cleanplate.depth.depth_codec import DATASET, encode_disparity
from cleanplate.formats.encoding import encode_jpeg, encode_png
from cleanplate.formats.pictures import read_alpha, read_image
from cleanplate.synthesis.building.quantisation import alpha_levels, disparity_levels

DISPARITY = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    elements=st.one_of(st.just(0.0), st.just(np.nan), st.floats(2**-10, 20, width=32)),
)


def test_millimetres_by_hand():
    disparity = np.array([[0.5, 0, np.nan, 1 / 65.0, 1 / 66.0, 4, 1 / 1.2344]], np.float32)
    expected = [[2000, 65535, 0, 65000, 65535, 250, 1234]]
    assert encode_disparity(disparity, DATASET).tolist() == expected


@settings(deadline=None, max_examples=50)
@given(DISPARITY)
def test_millimetres_are_rounded_depth(disparity: np.ndarray):
    found = encode_disparity(disparity, DATASET)
    assert found.dtype == np.uint16
    for value, got in zip(disparity.ravel().tolist(), found.ravel().tolist(), strict=True):
        if np.isnan(value):
            assert got == 0
        else:
            true = 1000 / value if value else np.inf
            assert abs(got - min(true, 65535)) <= 0.5 + 1e-3


@settings(deadline=None, max_examples=50)
@given(DISPARITY.map(np.nan_to_num))
def test_relative_disparity_can_be_had_back(disparity: np.ndarray):
    codes, low, high = disparity_levels(disparity)
    assert low == disparity.min()
    assert high == disparity.max()
    back = low + codes / 255 * (high - low)
    assert np.abs(back - disparity).max() <= (high - low) / 255 * 0.501 + 1e-6


def test_near_is_bright():
    codes, low, high = disparity_levels(np.array([[0.1, 0.6, 1.1]], np.float32))
    assert codes.tolist() in ([[0, 127, 255]], [[0, 128, 255]])
    assert (low, high) == pytest.approx((0.1, 1.1))
    flat, _, _ = disparity_levels(np.full((2, 2), 0.7, np.float32))
    assert (flat == 0).all()


def test_levels_round():
    plane = np.array([[0, 1, 0.5, 0.1, 0.998, 0.9981]], np.float32)
    assert alpha_levels(plane).tolist() == [[0, 255, 128, 26, 254, 255]]


def test_files_read_back_in_the_right_order_of_colours():
    picture = np.zeros((16, 24, 3), np.uint8)
    picture[:, :8] = (250, 10, 30)
    picture[:, 8:] = (20, 200, 90)
    assert np.array_equal(read_image(io.BytesIO(encode_png(picture, "fastest"))), picture)
    for full in (False, True):
        again = read_image(io.BytesIO(encode_jpeg(picture, 95, full_colour=full))).astype(int)
        assert np.abs(again - picture)[:, [0, 20]].max() < 6
    deep = np.arange(600, dtype=np.uint16).reshape(20, 30) * 109
    assert np.array_equal(
        cv2.imdecode(np.frombuffer(encode_png(deep, "fastest"), np.uint8), -1), deep
    )
    grey = deep.astype(np.uint8)
    assert np.array_equal(np.rint(read_alpha(io.BytesIO(encode_png(grey, "fastest"))) * 255), grey)


def test_full_colour_keeps_thin_lines_of_colour():
    picture = np.full((32, 32, 3), 60, np.uint8)
    picture[:, 15] = (255, 0, 0)
    errors = [
        np.abs(
            read_image(io.BytesIO(encode_jpeg(picture, 95, full_colour=full))).astype(int) - picture
        )
        for full in (False, True)
    ]
    assert errors[1].mean() < 0.6 * errors[0].mean()


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_a_mask_is_had_back_from_its_jpeg(seed: int):
    """Quality 95, as the assignment writes masks: half-way between the codes nothing is lost."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((64, 64), np.uint8)
    for _ in range(5):
        centre, axes = rng.integers(0, 64, 2).tolist(), rng.integers(1, 20, 2).tolist()
        cv2.ellipse(mask, centre, axes, float(rng.uniform(0, 180)), 0, 360, 255, -1)
    again = cv2.imdecode(np.frombuffer(encode_jpeg(mask, 95), np.uint8), -1)
    assert np.array_equal(again > 127, mask > 127)
