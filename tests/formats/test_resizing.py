"""Pictures at other sizes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from cleanplate.formats.pictures import resize, shrink

few = settings(deadline=None, max_examples=25)


def test_shrinking_is_the_area_mean():
    x = np.random.default_rng(10).random((12, 20, 3))
    expected = x.reshape(4, 3, 5, 4, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(resize(x, (4, 5)), expected, atol=1e-12)
    np.testing.assert_allclose(resize(x.astype(np.float32), (4, 5)), expected, atol=1e-6)


def test_growing_is_linear_between_pixel_centres():
    x = np.random.default_rng(11).random((5, 7))
    rows, columns = (np.arange(15) + 0.5) / 3 - 0.5, (np.arange(28) + 0.5) / 4 - 0.5
    where = np.meshgrid(rows.clip(0, 4), columns.clip(0, 6), indexing="ij")
    expected = ndimage.map_coordinates(x, where, order=1)
    np.testing.assert_allclose(resize(x, (15, 28)), expected, atol=1e-6)


def test_one_axis_may_shrink_while_the_other_grows():
    x = np.random.default_rng(12).random((8, 5)).astype(np.float32)
    expected = resize(x.reshape(4, 2, 5).mean(axis=1), (4, 10))
    np.testing.assert_allclose(resize(x, (4, 10)), expected, atol=1e-6)


@few
@given(
    hnp.arrays(
        st.sampled_from([np.uint8, np.uint16, np.float32]),
        hnp.array_shapes(min_dims=2, max_dims=3, max_side=7),
        elements={"min_value": 0, "max_value": 200},
    ),
    st.tuples(st.integers(1, 15), st.integers(1, 15)),
)
def test_resizing_keeps_dtype_channels_and_range(array, size):
    out = resize(array, size)
    assert out.dtype == array.dtype
    assert out.shape == (*size, *array.shape[2:])
    assert out.min() >= array.min() - 1e-3
    assert out.max() <= array.max() + 1e-3
    if size == array.shape[:2]:
        np.testing.assert_array_equal(out, array)
        assert out is not array


def test_resizing_refuses_what_it_cannot_do():
    with pytest.raises(ValueError, match="cannot resize"):
        resize(np.zeros((3, 3), np.float32), (0, 3))
    with pytest.raises(TypeError, match="bool"):
        resize(np.zeros((3, 3), bool), (2, 2))


@pytest.mark.parametrize("size", [(180, 320), (360, 640), (720, 1280)])
def test_shrinking_by_halves_is_resizing_where_only_halves_are_needed(size):
    picture = np.random.default_rng(0).random((720, 1280, 3), np.float32)
    np.testing.assert_allclose(shrink(picture, size), resize(picture, size), atol=1e-6)


@pytest.mark.parametrize("shape", [(720, 1280), (1080, 1920), (721, 1281)])
def test_shrinking_by_halves_moves_nothing_by_more_than_a_quarter_of_a_pixel(shape):
    ramp = np.broadcast_to(np.arange(shape[1], dtype=np.float32), shape).copy()
    small = shrink(ramp, (288, 512))
    assert small.shape == (288, 512)
    assert np.abs(small - resize(ramp, (288, 512))).max() <= 0.25
