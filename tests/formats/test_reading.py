"""Picture files of every kind come out as what they show, upright, in full depth."""

from __future__ import annotations

import io
import os
import threading

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

import picture_bytes as made
from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import read_alpha, read_image, read_rgba, to_uint8
from tests.picture_bytes import saved

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


# --- mattes ----------------------------------------------------------------------------------


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


@pytest.mark.shared
def test_the_shared_pictures_are_read_as_pillow_reads_them(shared):
    for path in sorted((shared / "data" / "plates").glob("*.jpg"))[:3]:
        with Image.open(path) as image:
            np.testing.assert_array_equal(read_image(path), np.asarray(image.convert("RGB")))
