"""Frames as planes: decoded whole, and where chroma lies."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanplate.formats.pictures import shrink
from cleanplate.video.ycbcr import BT709, MATRICES, YCbCr, halved, to_420, to_rgb
from cleanplate.video.ycbcr_picture import YCbCrPicture

CODINGS = st.builds(
    YCbCr, st.sampled_from(sorted(MATRICES)), st.booleans(), st.just(8), st.booleans()
)


def noise(height: int, width: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def smooth(height: int, width: int, seed: int = 0) -> np.ndarray:
    coarse = noise(5, 7, seed)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))


@given(coding=CODINGS, height=st.integers(1, 20), width=st.integers(1, 20))
def test_where_chroma_lies_colours_are_those_of_halved_pixels(coding, height, width):
    """In a grey picture nothing but luma counts: its mean is what `halved` gives."""
    grey = np.repeat(noise(height, width, 3)[..., :1], 3, axis=2)
    picture = YCbCrPicture.of(grey, coding)
    sites = np.arange(picture.blue.size)
    found = picture.at_chroma(sites).astype(int)
    expected = halved(picture.rgb[..., 1], coding).reshape(-1)
    assert np.abs(found - expected[:, None]).max() <= 1


def test_no_points_are_no_pixels():
    picture = YCbCrPicture.of(noise(4, 4, 0), YCbCr("bt709", full_range=False))
    assert picture.at_chroma(np.zeros(0, np.intp)).shape == (0, 3)


def test_decoding_is_that_of_planes():
    made = noise(7, 9, 1)
    picture = YCbCrPicture.of(made, YCbCr("bt709", full_range=False))
    luma, blue, red = to_420(made, picture.coding)
    assert np.array_equal(picture.rgb, to_rgb(luma, blue, red, picture.coding))
    assert picture.rgb is picture.rgb, "decoded once"


@given(coding=CODINGS, height=st.integers(1, 20), width=st.integers(1, 20))
def test_a_part_is_that_part_of_the_whole(coding, height, width):
    picture = YCbCrPicture.of(noise(height, width, 1), coding)
    whole = YCbCrPicture.of(noise(height, width, 1), coding).rgb
    rng = np.random.default_rng(0)
    for _ in range(10):
        top, left = int(rng.integers(height)), int(rng.integers(width))
        rows = slice(top, int(rng.integers(top + 1, height + 1)))
        columns = slice(left, int(rng.integers(left + 1, width + 1)))
        # OpenCV multiplies and adds in one step in vectors, in two at the end of a row: a value
        # that lies between two levels may be rounded either way.
        part = picture.part(rows, columns).astype(int)
        assert np.abs(part - whole[rows, columns]).max() <= 1
    assert np.array_equal(picture.rgb, whole)


@settings(deadline=None, max_examples=25)
@given(coding=CODINGS)
def test_it_shrinks_as_its_colours_do(coding):
    picture = YCbCrPicture.of(smooth(180, 320, 4), coding)
    assert np.array_equal(picture.shrunk((180, 320)), picture.rgb)
    for size in ((90, 160), (108, 192), (144, 256)):
        error = picture.shrunk(size).astype(int) - shrink(picture.rgb, size)
        assert np.abs(error).max() <= 6  # chroma is rounded twice, and counts double
        assert np.abs(error).mean() < 0.8
        assert np.abs(error.mean((0, 1))).max() < 0.3


def test_shrunk_chroma_stays_where_it_was():
    """An edge of colour alone: moved by a quarter of a sample it would be some codes off."""
    picture = np.empty((64, 96, 3), np.uint8)
    picture[:, :47], picture[:, 47:] = (200, 60, 60), (60, 107, 60)
    planes = YCbCrPicture.of(cv2.GaussianBlur(picture, (0, 0), 4), BT709)
    error = planes.shrunk((32, 48)).astype(int) - shrink(planes.rgb, (32, 48))
    assert np.abs(error).max() <= 2
