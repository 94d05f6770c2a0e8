"""Depth in millimetres: what each code means in each convention, and which units are doubted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cleanplate.depth import depth_to_disparity, point_cloud
from cleanplate.depth.depth_codec import (
    DATASET,
    EXCHANGE,
    ZERO_IS_FAR,
    decode,
    disparities,
    doubts,
    encode,
    encode_disparity,
    metres,
    recorded_convention,
)
from cleanplate.errors import CleanplateError

NAN, INF = np.nan, np.inf
DEPTH = np.float32([[0.0004, 0.001, 1.2344, 65.534, 65.535, 70, INF, NAN, -1]])
WRITTEN = {
    EXCHANGE: [[0, 1, 1234, 65534, 0, 0, 0, 0, 0]],
    DATASET: [[0, 1, 1234, 65534, 65535, 65535, 65535, 0, 0]],
}


@pytest.mark.parametrize("convention", WRITTEN, ids=lambda one: one.name)
def test_codes_by_hand(convention):
    assert encode(DEPTH, convention).tolist() == WRITTEN[convention]


@pytest.mark.parametrize(
    ("convention", "zero", "last"),
    [(EXCHANGE, NAN, 65.535), (DATASET, NAN, INF), (ZERO_IS_FAR, INF, 65.535)],
)
def test_the_first_and_the_last_code_mean_what_the_convention_says(convention, zero, last):
    codes = np.uint16([[0, 1, 1234, 65534, 65535]])
    expected = np.float32([[zero, 0.001, 1.234, 65.534, last]])
    np.testing.assert_array_equal(decode(codes, convention), expected)
    table = disparities(convention)
    np.testing.assert_array_equal(table.take(codes), depth_to_disparity(expected))
    assert not table.flags.writeable


def test_the_convention_that_is_only_read_is_not_written():
    with pytest.raises(ValueError, match="not written"):
        encode(DEPTH, ZERO_IS_FAR)


@settings(deadline=None, max_examples=50)
@given(
    arrays.arrays(
        np.float32,
        (3, 5),
        elements=st.one_of(st.just(0.0), st.just(NAN), st.floats(2**-9, 20, width=32)),
    ),
    st.sampled_from([EXCHANGE, DATASET]),
)
def test_disparity_is_coded_as_its_depth_is(disparity, convention):
    with np.errstate(divide="ignore"):
        depth = 1 / disparity
    one = encode(depth, convention).astype(int)
    other = encode_disparity(disparity, convention).astype(int)
    apart = one != other
    # Single precision may round a tie the other way; at the end that is nothing hit.
    assert (np.abs(one - other)[apart] == 1).all() or (np.abs(depth[apart] - 65.5345) < 1e-3).all()


def test_integers_are_millimetres_wherever_depth_is_an_array():
    codes = np.uint16([[500, 0]])
    np.testing.assert_array_equal(metres(codes), np.float32([[0.5, NAN]]))
    np.testing.assert_array_equal(depth_to_disparity(codes), np.float32([[2, NAN]]))
    lens = (1.0, 1.0, 0.5, 0.5)
    from cleanplate.depth import Intrinsics

    points, _ = point_cloud(codes, np.zeros((1, 2, 3), np.uint8), Intrinsics(*lens))
    np.testing.assert_allclose(points, [[0, 0, 0.5]])
    with pytest.raises(CleanplateError, match="8 bits"):
        metres(np.ones((1, 2), np.int8))
    with pytest.raises(CleanplateError, match="bool"):
        metres(np.ones((1, 2), bool))


def test_what_a_json_states():
    assert recorded_convention({"world": "x"}) is None
    assert recorded_convention({"depth_convention": "dataset"}) == DATASET
    assert recorded_convention({"depth_convention": "exchange", "depth_zero": 5}) == EXCHANGE
    assert recorded_convention({"depth_zero": "infinity"}) == ZERO_IS_FAR
    assert recorded_convention({"depth_zero": "unknown"}) == EXCHANGE
    for wrong in ({"depth_convention": "zero-is-far"}, {"depth_convention": []}, {"depth_zero": 0}):
        with pytest.raises(CleanplateError):
            recorded_convention(wrong)


@pytest.mark.parametrize(
    ("depth", "doubt"),
    [
        ([[3.0, 5.0, INF, NAN]], None),
        ([[30.0, 190.0, 250.0]], None),
        ([[INF, INF, INF, 1000.0, 60.0, 40.0]], None),
        ([[3000.0, 5000.0, INF]], "millimetres"),
        ([[0.003, 0.005, NAN]], "is it in metres"),
        ([[INF, NAN]], "no pixel"),
        ([[NAN, NAN]], "no pixel"),
    ],
)
def test_depth_beyond_any_scene_is_doubted(depth, doubt):
    found = doubts(depth_to_disparity(np.float32(depth)))
    assert len(found) == (doubt is not None)
    if doubt:
        assert doubt in found[0]
