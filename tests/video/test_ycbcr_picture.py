"""Frames as planes: decoded whole, and where chroma lies."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cleanplate.video.ycbcr import MATRICES, YCbCr, halved, to_420, to_rgb
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
