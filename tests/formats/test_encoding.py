"""Bytes of picture files: what was encoded is read back, by this package and by Pillow."""

from __future__ import annotations

import io
from typing import get_args

import cv2
import numpy as np
import pytest
from PIL import Image

from cleanplate.formats.encoding import Effort, encode_jpeg, encode_picture, encode_png

RNG = np.random.default_rng(5)


@pytest.mark.parametrize("effort", get_args(Effort))
@pytest.mark.parametrize("shape", [(7, 9), (7, 9, 3), (7, 9, 4), (1, 1)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_png_is_without_loss(effort: Effort, shape: tuple[int, ...], dtype: type):
    picture = RNG.integers(0, np.iinfo(dtype).max, shape, dtype)
    read = cv2.imdecode(np.frombuffer(encode_png(picture, effort), np.uint8), -1)
    turned = picture if picture.ndim == 2 else picture[..., [2, 1, 0, 3][: shape[2]]]
    assert read.dtype == dtype
    assert np.array_equal(read, turned)


def test_more_effort_makes_a_smaller_file():
    smooth = cv2.GaussianBlur(RNG.integers(0, 255, (200, 300, 3), np.uint8), (0, 0), 3)
    sizes = {effort: len(encode_png(smooth, effort)) for effort in get_args(Effort)}
    assert sizes["smallest"] <= sizes["small"] <= sizes["fast"]


def test_an_unknown_effort_is_a_mistake():
    with pytest.raises(ValueError, match="effort"):
        encode_png(np.zeros((2, 2), np.uint8), "quick")  # type: ignore[arg-type]


@pytest.mark.parametrize(("quality", "subsampling"), [(95, 0), (85, 2), (40, 2)])
@pytest.mark.parametrize("grey", [False, True])
def test_jpeg_as_pillow_makes_it(quality: int, subsampling: int, grey: bool):
    """Two libraries, one standard: equal pixels after decoding."""
    picture = cv2.GaussianBlur(RNG.integers(0, 255, (60, 83, 3), np.uint8), (0, 0), 2)
    picture = picture[..., 0].copy() if grey else picture
    theirs = io.BytesIO()
    Image.fromarray(picture).save(theirs, "JPEG", quality=quality, subsampling=subsampling)
    ours = encode_jpeg(picture, quality, full_colour=subsampling == 0)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(ours))), np.asarray(Image.open(theirs)))
    assert ours == encode_picture(picture, ".jpg", quality) or quality >= 90
    optimised = encode_jpeg(picture, quality, full_colour=subsampling == 0, optimize=True)
    assert len(optimised) < len(ours)
    assert np.array_equal(
        np.asarray(Image.open(io.BytesIO(optimised))), np.asarray(Image.open(io.BytesIO(ours)))
    )


def test_a_picture_that_jpeg_cannot_hold():
    with pytest.raises(ValueError, match=r"cannot be encoded as \.jpg"):
        encode_jpeg(np.zeros((1, 70_000), np.uint8), 90)


@pytest.mark.parametrize("suffix", [".webp", ".bmp", ".tif"])
def test_other_endings(suffix: str):
    picture = np.full((5, 6, 3), (200, 40, 90), np.uint8)
    read = np.asarray(Image.open(io.BytesIO(encode_picture(picture, suffix, 95))).convert("RGB"))
    assert np.abs(read.astype(int) - picture).max() <= 3
