"""YCbCr against the formulas of the standards, in float64."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanplate.video import ycbcr as coded
from cleanplate.video.ycbcr import YCbCr, from_rgb, grey_to_rgb, halved, to_420, to_rgb
from tests.video.scenes import grown, rgb_of, smooth, ycbcr

NAMES = {"bt709": "bt709", "bt601": "smpte170m", "bt2020": "bt2020nc"}
CASES = [(m, f, b) for m in NAMES for f in (False, True) for b in (8, 10, 12)]


@pytest.mark.parametrize(("matrix", "full", "bits"), CASES)
def test_coding_follows_the_standard(matrix: str, full: bool, bits: int) -> None:
    rgb = np.random.default_rng(1).random((32, 48, 3)).astype(np.float32)
    found = from_rgb(rgb, YCbCr(NAMES[matrix], full, bits))
    for plane, truth in zip(found, ycbcr(rgb, matrix, full, bits), strict=True):
        assert plane.dtype == (np.uint8 if bits == 8 else np.uint16)
        assert np.abs(plane - np.clip(truth, 0, 2**bits - 1)).max() <= 0.51


@pytest.mark.parametrize(("matrix", "full"), [(m, f) for m in NAMES for f in (False, True)])
def test_bytes_are_coded_like_floats(matrix: str, full: bool) -> None:
    levels = np.arange(0, 256, 15, dtype=np.uint8)
    rgb = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(18, -1, 3)
    for plane, truth in zip(
        from_rgb(rgb, YCbCr(NAMES[matrix], full)), ycbcr(rgb / 255, matrix, full, 8), strict=True
    ):
        assert np.abs(plane - np.clip(truth, 0, 255)).max() <= 0.63


@pytest.mark.parametrize(("matrix", "full", "bits"), CASES)
def test_decoding_follows_the_standard(matrix: str, full: bool, bits: int) -> None:
    rgb = np.random.default_rng(2).random((32, 48, 3))
    kind = np.uint8 if bits == 8 else np.uint16
    planes = [
        np.clip(np.rint(p), 0, 2**bits - 1).astype(kind) for p in ycbcr(rgb, matrix, full, bits)
    ]
    found = to_rgb(*planes, YCbCr(NAMES[matrix], full, bits))
    top = np.iinfo(found.dtype).max
    assert top == (255 if bits == 8 else 65535)
    truth = np.clip(rgb_of(planes, matrix, full, bits), 0, 1) * top
    assert np.abs(found - truth).max() <= (0.51 if bits == 8 else 1.01)


@pytest.mark.parametrize("size", [(32, 48), (31, 47), (2, 2), (33, 48)])
def test_halved_chroma_is_interpolated_where_it_lies(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    half = (-(-size[0] // 2), -(-size[1] // 2))
    luma = rng.integers(80, 160, size, dtype=np.uint8)
    blue, red = (rng.integers(110, 146, half, dtype=np.uint8) for _ in range(2))
    found = to_rgb(luma, blue, red, YCbCr("bt709", False))
    truth = rgb_of([luma, grown(blue, size), grown(red, size)], "bt709", False, 8) * 255
    assert np.abs(found - np.clip(truth, 0, 255)).max() <= 0.53


def test_halving_and_growing_keep_a_smooth_picture() -> None:
    rgb = smooth(np.random.default_rng(4), (64, 96), cell=32)
    coding = YCbCr("bt709", False)
    luma, blue, red = from_rgb(rgb, coding)
    found = to_rgb(luma, halved(blue, coding), halved(red, coding), coding)
    assert np.abs(found / 255 - rgb).mean() < 1.5 / 255


def test_a_ramp_across_is_not_shifted_by_halving() -> None:
    ramp = np.tile(np.arange(16, 112, dtype=np.uint8), (4, 1))
    assert np.array_equal(halved(ramp, YCbCr("bt709", False))[0, 1:], ramp[0, 2::2])
    between = halved(ramp, YCbCr("bt709", False, co_sited=False))[0]
    assert np.array_equal(between, ramp[0, 1::2])  # means end in .5 and are rounded up


def test_weight_keeps_what_is_outside_out_of_chroma() -> None:
    chroma = np.full((4, 8), 60, np.uint8)
    weight = np.ones((4, 8), np.float32)
    chroma[:, 5:], weight[:, 5:] = 200, 0
    coding = YCbCr("bt709", False)
    assert halved(chroma, coding)[0, 2] == 95  # (1, 2, 1) / 4 over 60, 60, 200
    assert halved(chroma, coding, weight)[0, 2] == 60
    assert halved(chroma, coding, weight)[0, 3] == 200  # no weight: the plain mean


@pytest.mark.parametrize(("full", "black", "white"), [(False, 16, 235), (True, 0, 255)])
def test_grey_has_the_range_it_says(full: bool, black: int, white: int) -> None:
    found = grey_to_rgb(np.array([[black, white]], np.uint8), YCbCr("bt709", full))
    assert found.tolist() == [[[0, 0, 0], [255, 255, 255]]]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(CASES))
def test_there_and_back(seed: int, case: tuple[str, bool, int]) -> None:
    matrix, full, bits = case
    coding = YCbCr(NAMES[matrix], full, bits)
    rgb = np.random.default_rng(seed).integers(0, 256, (6, 7, 3), dtype=np.uint8)
    found = to_rgb(*from_rgb(rgb, coding), coding)
    error = np.abs(found / np.iinfo(found.dtype).max - rgb / 255).max()
    assert error <= {8: 2.6, 10: 0.7, 12: 0.2}[bits] / 255


@pytest.mark.parametrize("size", [(18, 20), (17, 21), (1, 3), (9, 2)])
@pytest.mark.parametrize("co_sited", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_bands_change_nothing(
    size: tuple[int, int], co_sited: bool, weighted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(5)
    rgb = random.integers(0, 256, (*size, 3), np.uint8)
    weight = random.random(size, np.float32) if weighted else None
    coding = YCbCr("bt709", False, co_sited=co_sited)
    luma, *chroma = from_rgb(rgb, coding)
    whole = [luma, *(halved(plane, coding, weight) for plane in chroma)]
    decoded = to_rgb(whole[0], whole[1], whole[2], coding)
    monkeypatch.setattr(coded, "_BAND", 4 * size[1])
    for plane, truth in zip(to_420(rgb, coding, weight), whole, strict=True):
        np.testing.assert_array_equal(plane, truth)
    np.testing.assert_array_equal(to_rgb(whole[0], whole[1], whole[2], coding), decoded)
