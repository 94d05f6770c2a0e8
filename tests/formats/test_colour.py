"""Colour profiles, the curve between codes and light, and numbers between dtypes."""

from __future__ import annotations

import io
import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageCms

import picture_bytes as made
from cleanplate.formats.pictures import (
    coded_from_linear,
    linear_from_uint8,
    linear_to_srgb,
    read_image,
    read_rgba,
    srgb_to_linear,
    to_float,
    to_uint8,
    to_uint16,
)
from tests.picture_bytes import saved

few = settings(deadline=None, max_examples=25)


# --- colour profiles -------------------------------------------------------------------------

P3 = made.rgb_profile(made.SRGB_CURVE, made.P3_COLORANTS)


def by_little_cms(image: Image.Image, profile: bytes) -> np.ndarray:
    converted = ImageCms.profileToProfile(
        image,
        ImageCms.ImageCmsProfile(io.BytesIO(profile)),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    return np.asarray(converted)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_a_wide_gamut_picture_becomes_srgb(rgb, form):
    options = {"lossless": True} if form == "WEBP" else {}
    stream = saved(Image.fromarray(rgb), form, icc_profile=P3, **options)
    read = read_image(stream)
    np.testing.assert_array_equal(read, by_little_cms(Image.open(stream).convert("RGB"), P3))
    assert np.abs(read.astype(int) - rgb).max() > 10


def test_display_p3_of_a_known_colour():
    """Display P3 (234, 51, 35) is the sRGB primary red, within a level or two of rounding."""
    stream = saved(Image.new("RGB", (2, 2), (234, 51, 35)), "PNG", icc_profile=P3)
    assert np.abs(read_image(stream)[0, 0].astype(int) - (255, 0, 0)).max() <= 3
    linear = srgb_to_linear(np.float32([234, 51, 35]) / 255)
    to_srgb = [[1.2249, -0.2247, 0], [-0.0420, 1.0419, 0], [-0.0197, -0.0786, 1.0979]]
    assert np.abs(linear_to_srgb(to_srgb @ linear) * 255 - (255, 0, 0)).max() < 4


def test_a_profile_that_is_srgb_changes_no_bit(rgb):
    for profile in (
        made.rgb_profile(made.SRGB_CURVE),
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
    ):
        stream = saved(Image.fromarray(rgb), "PNG", icc_profile=profile)
        np.testing.assert_array_equal(read_image(stream), rgb)


def test_alpha_is_not_touched_by_the_profile(rgb):
    both = Image.fromarray(np.dstack([rgb, rgb[..., 1]]))
    read, alpha = read_rgba(saved(both, "PNG", icc_profile=P3))
    np.testing.assert_array_equal(read, by_little_cms(Image.fromarray(rgb), P3))
    np.testing.assert_array_equal(to_uint8(alpha), rgb[..., 1])


def test_a_palette_under_a_profile():
    image = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    image.putpalette([200, 40, 40, 20, 180, 20])
    read = read_image(saved(image, "PNG", icc_profile=P3))
    np.testing.assert_array_equal(read, by_little_cms(image.convert("RGB"), P3))


def test_grey_under_a_grey_profile():
    """Under a linear grey profile, a fifth of the light is sRGB 0.4845."""
    image = Image.new("L", (3, 2), 51)
    profile = made.grey_profile(made.gamma_curve(1.0))
    read = read_image(saved(image, "PNG", icc_profile=profile))
    assert np.abs(read.astype(int) - round(0.48453 * 255)).max() <= 1


def test_grey_under_a_colour_profile(rgb):
    grey = Image.fromarray(rgb[..., 0])
    profile = made.rgb_profile(made.gamma_curve(1.8))
    read = read_image(saved(grey, "PNG", icc_profile=profile))
    np.testing.assert_array_equal(read, by_little_cms(grey.convert("RGB"), profile))


def test_cmyk_under_a_profile():
    inks = np.random.default_rng(8).integers(0, 256, (6, 7, 4), dtype=np.uint8)
    inks[0, :2] = [[0, 0, 0, 0], [0, 0, 0, 255]]
    profile = made.table_profile(b"CMYK")
    image = Image.fromarray(inks, "CMYK")
    read = read_image(saved(image, "TIFF", icc_profile=profile))
    np.testing.assert_array_equal(read, by_little_cms(image, profile))
    assert read[0, :2].tolist() == [[255, 255, 255], [0, 0, 0]]
    without = np.asarray(image.convert("RGB")).astype(int)
    assert np.abs(read - without).max() > 30


@pytest.mark.parametrize(
    "profile",
    [b"junk", P3[:200], made.table_profile(b"CMYK"), made.grey_profile(made.gamma_curve(2))],
)
@pytest.mark.parametrize("bits", [8, 16])
def test_a_useless_profile_is_ignored_and_logged(rgb, deep, profile, bits, caplog):
    if bits == 8:
        stream, expected = saved(Image.fromarray(rgb), "PNG", icc_profile=profile), rgb
    else:
        stream, expected = io.BytesIO(made.png16(deep, chunks=made.iccp(profile))), deep
    stream.name = "photo.png"
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(read_image(stream), expected)
    assert any("photo.png" in record.message for record in caplog.records)


CURVES = {
    "gamma": made.gamma_curve(2.2),
    "linear": made.gamma_curve(1.0),
    "table": made.table_curve(np.linspace(0, 1, 33) ** 1.8),
    "identity": b"curv\0\0\0\0\0\0\0\0",
    "srgb": made.SRGB_CURVE,
    "kind 0": made.parametric_curve(0, 1.8),
    "kind 1": made.parametric_curve(1, 2.0, 1.1, -0.1),
    "kind 2": made.parametric_curve(2, 2.0, 1.1, -0.1, 0.0),
    "kind 4": made.parametric_curve(4, 2.4, 0.9479, 0.0521, 0.0774, 0.0405, 0.001, 0.0),
}


@pytest.mark.parametrize("curve", CURVES)
def test_16_bits_under_a_profile_agree_with_little_cms(curve):
    profile = made.rgb_profile(CURVES[curve], made.P3_COLORANTS)
    eight = np.random.default_rng(9).integers(0, 256, (20, 21, 3), dtype=np.uint8)
    data = made.png16(eight.astype(np.uint16) * 257, chunks=made.iccp(profile))
    read = read_image(io.BytesIO(data))
    assert read.dtype == np.uint16
    expected = by_little_cms(Image.fromarray(eight), profile).astype(int)
    assert np.abs(read / 257 - expected).max() < 1.6


def test_16_bits_under_a_profile_with_a_light_black():
    """Black becomes black. Greys only: for colours Little CMS interpolates here."""
    curve = made.parametric_curve(2, 2.0, 0.95**0.5 - 0.05, 0.05, 0.05)  # 0.0525 to 1
    profile = made.rgb_profile(curve, made.P3_COLORANTS)
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    data = made.png16(ramp.astype(np.uint16) * 257, chunks=made.iccp(profile))
    read = read_image(io.BytesIO(data))
    expected = by_little_cms(Image.fromarray(ramp), profile).astype(int)
    assert np.abs(read / 257 - expected).max() < 1.6
    assert read[0, 0].max() < 30


def test_16_bits_under_a_linear_profile_are_the_srgb_curve():
    """With sRGB's own colorants and a straight curve, only the curve of sRGB is left."""
    ramp = np.repeat(np.arange(0, 65536, 111, dtype=np.uint16)[None, :, None], 3, axis=2)
    expected = linear_to_srgb(ramp / np.float32(65535)) * 65535
    for samples, profile in (
        (ramp, made.rgb_profile(made.gamma_curve(1.0))),
        (ramp[..., :1], made.grey_profile(made.gamma_curve(1.0))),
    ):
        read = read_image(io.BytesIO(made.png16(samples, chunks=made.iccp(profile))))
        assert (
            np.abs(read - expected).max() < 12
        )  # of 65535: the colorants are rounded to five digits


def test_16_bits_under_a_table_profile_become_8(deep):
    profile = made.table_profile(b"RGB ")
    read = read_image(io.BytesIO(made.png16(deep, chunks=made.iccp(profile))))
    eight = Image.fromarray((deep >> 8).astype(np.uint8))
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, by_little_cms(eight, profile))


def test_16_bit_srgb_changes_no_bit(deep):
    profile = made.rgb_profile(made.SRGB_CURVE)
    read = read_image(io.BytesIO(made.png16(deep, chunks=made.iccp(profile))))
    np.testing.assert_array_equal(read, deep)


# --- numbers ---------------------------------------------------------------------------------


def exact_decode(coded: np.ndarray) -> np.ndarray:
    """IEC 61966-2-1 in float64, one value at a time."""
    return np.array([c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in coded])


def exact_encode(linear: np.ndarray) -> np.ndarray:
    return np.array(
        [12.92 * v if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055 for v in linear]
    )


def test_the_curve_is_that_of_the_standard():
    x = np.linspace(0, 1, 4001)
    np.testing.assert_allclose(srgb_to_linear(x), exact_decode(x), rtol=2e-6, atol=1e-7)
    np.testing.assert_allclose(linear_to_srgb(x), exact_encode(x), rtol=2e-6, atol=1e-7)
    assert srgb_to_linear(0.5) == pytest.approx(0.21404, abs=1e-5)
    assert linear_to_srgb(0.18) == pytest.approx(0.46136, abs=1e-5)


def test_the_curve_goes_on_outside_the_range():
    assert srgb_to_linear(np.float32([-0.1, 2])).tolist() == pytest.approx(
        [-0.1 / 12.92, 4.9538], rel=1e-4
    )
    assert linear_to_srgb(-0.1) == pytest.approx(-1.292)


@few
@given(
    hnp.arrays(
        np.float32, hnp.array_shapes(max_dims=3, max_side=6), elements=st.floats(0, 1, width=32)
    )
)
def test_the_curve_and_back(values):
    there = srgb_to_linear(values)
    assert there.dtype == np.float32
    assert there.shape == values.shape
    np.testing.assert_allclose(linear_to_srgb(there), values, atol=2e-6)


def test_the_8_bit_table_is_the_curve():
    levels = np.arange(256, dtype=np.uint8)
    for shape in ((16, 16), (8, 16, 2), (256,), (1, 1, 256)):
        values = linear_from_uint8(levels.reshape(shape))
        assert values.shape == shape
        np.testing.assert_allclose(values.ravel(), exact_decode(levels / 255), rtol=2e-6, atol=1e-7)
    with pytest.raises(TypeError, match="uint8"):
        linear_from_uint8(np.zeros((2, 2), np.uint16))


def test_the_table_back_is_within_half_a_level():
    x = np.concatenate([np.linspace(0, 1, 30001), np.linspace(0, 0.01, 10001)]).astype(np.float32)
    coded = coded_from_linear(x)
    assert coded.dtype == np.uint8
    assert np.abs(coded - exact_encode(x.astype(float)) * 255).max() < 0.5 + 0.03
    assert coded_from_linear(np.float32([-1, 2, np.nan, np.inf])).tolist() == [0, 255, 0, 255]


def test_8_bit_light_and_back_changes_nothing():
    levels = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(coded_from_linear(linear_from_uint8(levels)), levels)


@pytest.mark.parametrize(("dtype", "back"), [(np.uint8, to_uint8), (np.uint16, to_uint16)])
def test_integers_to_floats_and_back(dtype, back):
    levels = np.arange(np.iinfo(dtype).max + 1, dtype=dtype)
    floats = to_float(levels)
    assert floats.dtype == np.float32
    assert floats[0] == 0
    assert floats[-1] == 1
    np.testing.assert_array_equal(back(floats), levels)
    assert back(np.float64([-1, 2, np.nan, np.inf])).tolist() == [0, levels[-1], 0, levels[-1]]


def test_other_numbers_are_refused():
    with pytest.raises(TypeError, match="int32"):
        to_float(np.zeros(3, np.int32))
    with pytest.raises(TypeError, match="uint8"):
        to_uint8(np.zeros(3, np.uint8))
