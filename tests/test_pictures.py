from __future__ import annotations

import io
import logging
import os
import struct
import threading
import warnings
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageCms, ImageOps, features
from scipy import ndimage

import picture_bytes as made
from cleanplate.errors import CleanplateError
from cleanplate.pictures import (
    coded_from_linear,
    linear_from_uint8,
    linear_to_srgb,
    read_alpha,
    read_image,
    read_rgba,
    resize,
    srgb_to_linear,
    to_float,
    to_uint8,
    to_uint16,
    write_alpha,
    write_image,
)

few = settings(deadline=None, max_examples=25)


@pytest.fixture
def rgb() -> np.ndarray:
    """A smooth picture with a bright corner, not square: a wrong turn or flip shows."""
    y, x = np.mgrid[:23, :37]
    picture = np.stack([x * 6, y * 9, 255 - x * 3 - y * 2], axis=2).astype(np.uint8)
    picture[:5, :7] = (255, 250, 10)
    return picture


@pytest.fixture
def deep() -> np.ndarray:
    return np.random.default_rng(5).integers(0, 65536, (9, 14, 3), dtype=np.uint16)


def saved(image: Image.Image, form: str, **options: object) -> io.BytesIO:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    stream.seek(0)
    return stream


# --- formats and modes ---------------------------------------------------------------------


@pytest.mark.parametrize("form", ["PNG", "TIFF", "BMP", "PPM", "TGA"])
def test_lossless_formats_come_back_exactly(rgb, form):
    read = read_image(saved(Image.fromarray(rgb), form))
    assert read.dtype == np.uint8
    assert read.flags.c_contiguous
    np.testing.assert_array_equal(read, rgb)


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "JPEG2000"])
def test_lossy_formats_come_back_closely(rgb, form):
    read = read_image(saved(Image.fromarray(rgb), form, quality=95))
    assert read.shape == rgb.shape
    assert np.abs(read.astype(int) - rgb).mean() < 6


def test_a_path_and_a_stream_give_the_same(rgb, tmp_path):
    Image.fromarray(rgb).save(tmp_path / "a.png")
    with open(tmp_path / "a.png", "rb") as stream:
        np.testing.assert_array_equal(read_image(stream), read_image(tmp_path / "a.png"))
    np.testing.assert_array_equal(read_image(str(tmp_path / "a.png")), rgb)


@pytest.mark.skipif(os.name == "nt", reason="needs named pipes")
def test_a_pipe_can_be_read(rgb, tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    data = saved(Image.fromarray(rgb), "PNG").getvalue()
    writer = threading.Thread(target=(tmp_path / "pipe.png").write_bytes, args=(data,))
    writer.start()
    np.testing.assert_array_equal(read_image(tmp_path / "pipe.png"), rgb)
    writer.join()


def test_the_suffix_does_not_matter(rgb, tmp_path):
    (tmp_path / "a.jpg").write_bytes(saved(Image.fromarray(rgb), "PNG").getvalue())
    np.testing.assert_array_equal(read_image(tmp_path / "a.jpg"), rgb)


def test_grey_becomes_three_channels(rgb):
    grey = rgb[..., 0]
    read, alpha = read_rgba(saved(Image.fromarray(grey), "PNG"))
    np.testing.assert_array_equal(read, np.repeat(grey[..., None], 3, axis=2))
    assert alpha is None


def test_one_bit_becomes_black_and_white(rgb):
    bits = rgb[..., 0] > 100
    read = read_image(saved(Image.fromarray(bits), "PNG"))
    np.testing.assert_array_equal(read[..., 1], bits * 255)


def test_rgba_gives_straight_colour_and_alpha(rgb):
    alpha = (rgb[..., 1] * 1.1).astype(np.uint8)
    alpha[:3] = 0  # the colour under transparent pixels is kept as well
    stream = saved(Image.fromarray(np.dstack([rgb, alpha])), "PNG")
    read, read_a = read_rgba(stream)
    np.testing.assert_array_equal(read, rgb)
    np.testing.assert_allclose(read_a, alpha / 255, atol=1e-7)
    np.testing.assert_array_equal(read_image(stream), rgb)


def test_grey_with_alpha(rgb):
    both = rgb[..., :2]
    read, alpha = read_rgba(saved(Image.fromarray(both, "LA"), "PNG"))
    np.testing.assert_array_equal(read[..., 2], both[..., 0])
    np.testing.assert_allclose(alpha, both[..., 1] / 255, atol=1e-7)


def test_a_palette_with_transparency():
    image = Image.fromarray(np.array([[0, 1, 2], [2, 1, 0]], np.uint8), "P")
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    read, alpha = read_rgba(saved(image, "PNG", transparency=b"\xff\x80\x00"))
    assert read[0].tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
    np.testing.assert_allclose(alpha[0], [1, 128 / 255, 0], atol=1e-7)
    read, alpha = read_rgba(saved(image, "PNG"))
    assert read[1].tolist() == [[0, 0, 255], [0, 255, 0], [255, 0, 0]]
    assert alpha is None


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_one_colour_marked_as_transparent(mode):
    image = Image.fromarray(np.array([[10, 20], [30, 10]], np.uint8)).convert(mode)
    read, alpha = read_rgba(saved(image, "PNG", transparency=10 if mode == "L" else (10, 10, 10)))
    assert read[..., 0].tolist() == [[10, 20], [30, 10]]
    assert alpha.tolist() == [[0, 1], [1, 0]]


def test_an_animation_gives_its_first_frame(rgb):
    first, second = Image.fromarray(rgb), Image.fromarray(255 - rgb)
    stream = saved(first, "PNG", save_all=True, append_images=[second])
    np.testing.assert_array_equal(read_image(stream), rgb)
    stream = saved(first, "GIF", save_all=True, append_images=[second])
    assert np.abs(read_image(stream).astype(int) - rgb).mean() < 12
    stream = saved(first, "WEBP", lossless=True, save_all=True, append_images=[second])
    np.testing.assert_array_equal(read_image(stream), rgb)


def test_cmyk_without_a_profile():
    inks = np.array([[[0, 0, 0, 0], [255, 0, 0, 0], [0, 0, 0, 255], [0, 255, 255, 0]]], np.uint8)
    read = read_image(saved(Image.fromarray(inks, "CMYK"), "TIFF"))
    assert read[0].tolist() == [[255, 255, 255], [0, 255, 255], [0, 0, 0], [255, 0, 0]]


def test_cmyk_jpeg_is_not_inverted():
    inks = np.zeros((16, 16, 4), np.uint8)
    inks[..., 0] = 255
    read = read_image(saved(Image.fromarray(inks, "CMYK"), "JPEG", quality=95))
    assert np.abs(read.astype(int) - (0, 255, 255)).max() < 6


# --- 16 bits ---------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["png", "tiff", "tiff big-endian", "cv2 tiff", "cv2 png"])
def test_16_bit_colour_stays_16_bit(deep, form):
    if form.startswith("cv2"):
        data = cv2.imencode("." + form.split()[1], deep[..., ::-1])[1].tobytes()
    elif form == "png":
        data = made.png16(deep)
    else:
        data = made.tiff(deep, order=">" if "big" in form else "<")
    read = read_image(io.BytesIO(data))
    assert read.dtype == np.uint16
    np.testing.assert_array_equal(read, deep)


def test_16_bit_grey_stays_16_bit(deep):
    grey = deep[..., :1]
    for data in (made.png16(grey), made.tiff(grey), made.tiff(grey, order=">")):
        read = read_image(io.BytesIO(data))
        assert read.dtype == np.uint16
        np.testing.assert_array_equal(read, np.repeat(grey, 3, axis=2))


@pytest.mark.parametrize("channels", [2, 4])
def test_16_bit_png_with_alpha(channels):
    samples = np.random.default_rng(6).integers(0, 65536, (5, 8, channels), dtype=np.uint16)
    read, alpha = read_rgba(io.BytesIO(made.png16(samples)))
    colour = samples[..., :3] if channels == 4 else samples[..., [0, 0, 0]]
    np.testing.assert_array_equal(read, colour)
    np.testing.assert_allclose(alpha, samples[..., -1] / 65535, atol=1e-7)


def test_16_bit_tiff_with_each_kind_of_fourth_channel():
    straight = np.random.default_rng(7).integers(9000, 65536, (5, 8, 4), dtype=np.uint16)
    read, alpha = read_rgba(io.BytesIO(made.tiff(straight, extra=2)))
    np.testing.assert_array_equal(read, straight[..., :3])
    np.testing.assert_allclose(alpha, straight[..., 3] / 65535, atol=1e-7)

    multiplied = straight.copy()
    multiplied[..., :3] = np.rint(straight[..., :3] * (straight[..., 3:] / 65535))
    read, alpha = read_rgba(io.BytesIO(made.tiff(multiplied, extra=1)))
    assert np.abs(read.astype(int) - straight[..., :3]).max() <= 4
    np.testing.assert_allclose(alpha, straight[..., 3] / 65535, atol=1e-7)

    read, alpha = read_rgba(io.BytesIO(made.tiff(straight, extra=0)))
    np.testing.assert_array_equal(read, straight[..., :3])
    assert alpha is None


def test_16_bit_colours_marked_as_transparent(deep):
    key = deep[2, 3].astype(">u2").tobytes()
    read, alpha = read_rgba(io.BytesIO(made.png16(deep, chunks={b"tRNS": key})))
    np.testing.assert_array_equal(read, deep)
    assert alpha[2, 3] == 0
    assert (alpha == 1).sum() == alpha.size - 1
    grey = deep[..., :1]
    read, alpha = read_rgba(
        io.BytesIO(made.png16(grey, chunks={b"tRNS": grey[2, 3].astype(">u2").tobytes()}))
    )
    np.testing.assert_array_equal(alpha, np.where(grey[..., 0] == grey[2, 3, 0], 0, 1))


@pytest.mark.parametrize(
    ("samples", "what"),
    [
        (np.ones((4, 5, 1), np.float32), "floating-point"),
        (np.ones((4, 5, 1), np.uint32), "32-bit"),
    ],
)
def test_samples_without_an_srgb_meaning_are_refused(samples, what):
    with pytest.raises(CleanplateError, match=what) as caught:
        read_image(io.BytesIO(made.tiff(samples)))
    assert "8 or 16 bits" in caught.value.cure


def test_a_float_colour_tiff_is_refused():
    with pytest.raises(CleanplateError, match="not a picture that can be read"):
        read_image(io.BytesIO(made.tiff(np.ones((4, 5, 3), np.float32))))


# --- orientation -----------------------------------------------------------------------------


def with_orientation(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.mark.parametrize("form", ["PNG", "TIFF", "JPEG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_come_upright(rgb, orientation, form):
    options = {"lossless": True} if form == "WEBP" else {}
    stream = saved(Image.fromarray(rgb), form, exif=with_orientation(orientation), **options)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(stream)))
    assert expected.shape == (rgb.shape if orientation < 5 else (37, 23, 3))
    np.testing.assert_array_equal(read_image(stream), expected)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_alpha_turns_with_its_picture(rgb, orientation):
    both = Image.fromarray(np.dstack([rgb, rgb[..., 0]]))
    read, alpha = read_rgba(saved(both, "PNG", exif=with_orientation(orientation)))
    np.testing.assert_array_equal(to_uint8(alpha), read[..., 0])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_16_bit_pictures_come_upright(deep, orientation):
    eight = Image.fromarray((deep >> 8).astype(np.uint8))
    exif = with_orientation(orientation)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(saved(eight, "PNG", exif=exif))))
    chunk = exif.tobytes().removeprefix(b"Exif\0\0")
    for data in (
        made.png16(deep, chunks={b"eXIf": chunk}),
        made.tiff(deep, orientation=orientation),
    ):
        read = read_image(io.BytesIO(data))
        assert read.dtype == np.uint16
        np.testing.assert_array_equal(read >> 8, expected)


@pytest.mark.parametrize(
    "damage", [b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", b"\0" * 40]
)
def test_damaged_exif_does_not_spoil_the_picture(rgb, damage):
    read = read_image(saved(Image.fromarray(rgb), "PNG", exif=damage))
    np.testing.assert_array_equal(read, rgb)


@pytest.mark.parametrize("orientation", [0, 9, 77])
def test_an_orientation_that_does_not_exist_is_ignored(rgb, orientation):
    stream = saved(Image.fromarray(rgb), "PNG", exif=with_orientation(orientation))
    np.testing.assert_array_equal(read_image(stream), rgb)


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


# --- faults ----------------------------------------------------------------------------------


def told(path, match: str, **options: object) -> CleanplateError:
    with pytest.raises(CleanplateError, match=match) as caught:
        read_image(path, **options)
    assert str(caught.value.file) == str(path)
    assert caught.value.cure
    return caught.value


def test_a_missing_file(tmp_path):
    told(tmp_path / "no.png", "does not exist")
    told(tmp_path / "no" / "a.png", "does not exist")


def test_a_folder(tmp_path):
    told(tmp_path, "is a folder")


def test_an_empty_file(tmp_path):
    (tmp_path / "a.png").touch()
    told(tmp_path / "a.png", "empty")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the superuser may read anything")
def test_a_file_without_permission(rgb, tmp_path):
    Image.fromarray(rgb).save(tmp_path / "a.png")
    (tmp_path / "a.png").chmod(0)
    told(tmp_path / "a.png", "may not be read")


@pytest.mark.parametrize(
    "content", [b"not a picture", b"%PDF-1.7\n", b"<svg/>", b"%!PS-Adobe-3.0 EPSF-3.0\n"]
)
def test_not_a_picture(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content * 30)
    told(tmp_path / "a.png", "not a picture that can be read")


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_a_file_cut_short(tmp_path, form, share):
    noise = np.random.default_rng(1).integers(0, 256, (60, 70, 3), dtype=np.uint8)
    data = saved(Image.fromarray(noise), form).getvalue()
    (tmp_path / "a").write_bytes(data[: int(len(data) * share)])
    told(tmp_path / "a", "damaged or cut short|not a picture that can be read")


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_16_bit_file_cut_short(tmp_path, share):
    noise = np.random.default_rng(1).integers(0, 65536, (60, 70, 3), dtype=np.uint16)
    for data in (made.png16(noise), made.tiff(noise)):
        (tmp_path / "a").write_bytes(data[: int(len(data) * share)])
        told(tmp_path / "a", "damaged or cut short|not a picture")


@few
@given(st.data())
@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "GIF", "WEBP", "PNG16"])
def test_flipped_bytes_give_a_picture_or_a_clear_error(form, data):
    noise = np.random.default_rng(2).integers(0, 256, (12, 13, 3), dtype=np.uint8)
    if form == "PNG16":
        content = bytearray(made.png16(noise.astype(np.uint16)))
    else:
        content = bytearray(saved(Image.fromarray(noise), form).getvalue())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        read = read_image(io.BytesIO(bytes(content)), max_pixels=10**6)
    except CleanplateError as error:
        assert error.cure  # noqa: PT017
    else:
        assert read.ndim == 3
        assert read.dtype in (np.uint8, np.uint16)


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow knows no AVIF")
def test_a_damaged_avif_is_told():
    """Its decoder raises RuntimeError, unlike all others."""
    content = bytearray(saved(Image.new("RGB", (40, 30), "red"), "AVIF").getvalue())
    assert read_image(io.BytesIO(content)).shape == (30, 40, 3)
    content[-20:] = b"\xff" * 20
    with pytest.raises(CleanplateError, match="damaged"):
        read_image(io.BytesIO(content))


def test_too_many_pixels(rgb, tmp_path):
    Image.fromarray(rgb).save(tmp_path / "a.png")
    told(tmp_path / "a.png", "37 x 23 pixels, more than the limit of 850", max_pixels=850)
    assert read_image(tmp_path / "a.png", max_pixels=851).shape == rgb.shape


@pytest.mark.parametrize("side", [12000, 60000])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path, side):
    """A file of a few hundred bytes that claims gigabytes; both limits, ours and Pillow's."""
    data = bytearray(made.png16(np.zeros((1, 1, 3), np.uint16)))
    data[16:24] = struct.pack(">II", side, side)
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    (tmp_path / "bomb.png").write_bytes(data)
    told(tmp_path / "bomb.png", "pixels")


def test_pillow_is_left_as_it_was(rgb, tmp_path):
    before = (Image.MAX_IMAGE_PIXELS, warnings.filters[:])
    Image.fromarray(rgb).save(tmp_path / "a.png")
    read_image(tmp_path / "a.png")
    with pytest.raises(CleanplateError):
        read_image(tmp_path / "b.png")
    assert (Image.MAX_IMAGE_PIXELS, warnings.filters[:]) == before


def test_pillows_warnings_stay_inside(tmp_path):
    """A picture above Pillow's warning size but within our limit; one byte per 8 pixels."""
    big = Image.new("1", (10000, 9100))
    assert Image.MAX_IMAGE_PIXELS < 10000 * 9100
    big.save(tmp_path / "big.png")
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        with pytest.warns(Image.DecompressionBombWarning):
            Image.open(tmp_path / "big.png").close()
        told(tmp_path / "big.png", "more than the limit", max_pixels=90_000_000)
    assert [w for w in heard if "PIL" in str(w.filename)] == []


def test_many_threads_restore_the_warning_filters(rgb, tmp_path):
    Image.fromarray(rgb).resize((300, 300)).save(tmp_path / "a.png")
    before = warnings.filters[:]
    threads = [
        threading.Thread(target=lambda: [read_image(tmp_path / "a.png") for _ in range(20)])
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert warnings.filters[:] == before


# --- mattes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("bits", "step"), [(8, 1 / 255), (16, 1 / 65535)])
def test_a_matte_comes_back(tmp_path, bits, step):
    alpha = np.random.default_rng(3).random((8, 11), dtype=np.float32)
    alpha[0, :2] = 0, 1
    write_alpha(tmp_path / "a.png", alpha, bits=bits)
    read = read_alpha(tmp_path / "a.png")
    assert read.dtype == np.float32
    assert np.abs(read - alpha).max() <= step / 2 + 1e-6
    assert read[0, :2].tolist() == [0, 1]


def test_a_matte_may_be_the_alpha_of_a_picture(rgb):
    both = Image.fromarray(np.dstack([rgb, rgb[..., 0]]))
    np.testing.assert_allclose(read_alpha(saved(both, "PNG")), rgb[..., 0] / 255, atol=1e-7)


def test_a_matte_knows_no_colour_profile():
    stream = saved(
        Image.new("L", (3, 2), 51), "PNG", icc_profile=made.grey_profile(made.gamma_curve(1.0))
    )
    np.testing.assert_allclose(read_alpha(stream), 0.2, atol=1e-7)


def test_a_colour_picture_is_no_matte(rgb):
    with pytest.raises(CleanplateError, match="in colour, not a matte"):
        read_alpha(saved(Image.fromarray(rgb), "PNG"))


def test_a_matte_has_8_or_16_bits_and_two_axes(tmp_path):
    with pytest.raises(ValueError, match="8 or 16 bits, got 12"):
        write_alpha(tmp_path / "a.png", np.zeros((2, 2), np.float32), bits=12)
    with pytest.raises(ValueError, match=r"expected \(H, W\)"):
        write_alpha(tmp_path / "a.png", np.zeros((2, 2, 3), np.float32))


# --- writing ---------------------------------------------------------------------------------


@few
@given(
    hnp.arrays(
        st.sampled_from([np.uint8, np.uint16]),
        st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3, 4])),
    ),
    st.sampled_from([".png", ".tif"]),
)
def test_what_is_written_is_read_back(tmp_path_factory, array, suffix):
    path = tmp_path_factory.mktemp("round") / f"a{suffix}"
    array = array[..., 0] if array.shape[2] == 1 else array
    write_image(path, array)
    read, alpha = read_rgba(path)
    colour = np.repeat(array[..., None], 3, axis=2) if array.ndim == 2 else array[..., :3]
    assert read.dtype == array.dtype
    np.testing.assert_array_equal(read, colour)
    if array.ndim == 3 and array.shape[2] == 4:
        np.testing.assert_allclose(alpha, to_float(array[..., 3]))
    else:
        assert alpha is None


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".JPG", ".webp", ".bmp"])
def test_8_bit_formats_are_what_their_names_say(rgb, tmp_path, suffix):
    write_image(tmp_path / f"a{suffix}", rgb, quality=95)
    with Image.open(tmp_path / f"a{suffix}") as image:
        assert (
            image.format
            == {"jpg": "JPEG", "jpe": "JPEG", "web": "WEBP", "bmp": "BMP"}[suffix[1:4].lower()]
        )
        assert np.abs(np.asarray(image.convert("RGB")).astype(int) - rgb).mean() < 4


def test_quality_makes_the_file_larger(tmp_path):
    noise = np.random.default_rng(4).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    for suffix in (".jpg", ".webp"):
        write_image(tmp_path / f"low{suffix}", noise, quality=30)
        write_image(tmp_path / f"high{suffix}", noise, quality=95)
        sizes = [(tmp_path / f"{n}{suffix}").stat().st_size for n in ("low", "high")]
        assert sizes[1] > 1.5 * sizes[0]


def test_floats_are_written_with_8_bits(tmp_path):
    write_image(tmp_path / "a.png", np.float32([[[0, 0.5, 1]], [[-1, 2, np.nan]]]))
    assert read_image(tmp_path / "a.png").tolist() == [[[0, 128, 255]], [[0, 255, 0]]]


@pytest.mark.parametrize(
    ("name", "shape", "dtype", "match"),
    [
        ("a.jpg", (4, 4, 3), np.uint16, "16 bits"),
        ("a.webp", (4, 4, 3), np.uint16, "16 bits"),
        ("a.jpg", (4, 4, 4), np.uint8, "transparency"),
        ("a.gif", (4, 4, 3), np.uint8, "cannot be written as"),
        ("a", (4, 4, 3), np.uint8, "cannot be written as"),
    ],
)
def test_what_a_format_cannot_hold_is_refused(tmp_path, name, shape, dtype, match):
    with pytest.raises(CleanplateError, match=match) as caught:
        write_image(tmp_path / name, np.zeros(shape, dtype))
    assert caught.value.file == tmp_path / name
    assert caught.value.cure
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_picture_is_a_programmers_error(tmp_path):
    with pytest.raises(TypeError, match="int64"):
        write_image(tmp_path / "a.png", np.zeros((4, 4, 3), np.int64))
    for shape in ((4,), (4, 4, 2), (0, 4, 3), (1, 4, 4, 3)):
        with pytest.raises(ValueError, match="expected"):
            write_image(tmp_path / "a.png", np.zeros(shape, np.uint8))


def test_a_write_into_no_folder_names_the_file(tmp_path, rgb):
    with pytest.raises(CleanplateError, match="folder does not exist") as caught:
        write_image(tmp_path / "no" / "a.png", rgb)
    assert caught.value.file == tmp_path / "no" / "a.png"


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


# --- sizes -----------------------------------------------------------------------------------


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


@pytest.mark.shared
def test_the_shared_pictures_are_read_as_pillow_reads_them(shared):
    for path in sorted((shared / "data" / "plates").glob("*.jpg"))[:3]:
        with Image.open(path) as image:
            np.testing.assert_array_equal(read_image(path), np.asarray(image.convert("RGB")))
