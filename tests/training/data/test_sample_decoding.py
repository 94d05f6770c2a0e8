"""The short way from bytes to arrays gives what the careful way gives, or leaves it the work."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

pytest.importorskip("torch")

from cleanplate.depth.depth_codec import EXCHANGE, ZERO_IS_FAR
from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import read_alpha, read_image
from cleanplate.training.data import sample_decoding


def noisy(seed, shape, dtype=np.uint8):
    top = np.iinfo(dtype).max
    return np.random.default_rng(seed).integers(0, top, shape, dtype, endpoint=True)


def saved(image, kind, **options) -> bytes:
    memory = io.BytesIO()
    image.save(memory, kind, **options)
    return memory.getvalue()


shapes = st.tuples(st.integers(1, 40), st.integers(1, 40))


@settings(deadline=None, max_examples=40)
@given(
    shape=shapes,
    seed=st.integers(0, 99),
    options=st.fixed_dictionaries(
        {
            "quality": st.integers(20, 100),
            "subsampling": st.sampled_from([0, 1, 2]),
            "progressive": st.booleans(),
        }
    ),
    grey=st.booleans(),
)
def test_jpeg(shape, seed, options, grey):
    image = Image.fromarray(noisy(seed, shape if grey else (*shape, 3)))
    data = saved(image, "JPEG", **({} if grey else options))
    assert sample_decoding._channels(data) == (1 if grey else 3)
    np.testing.assert_array_equal(
        sample_decoding.decode_picture(data), read_image(io.BytesIO(data))
    )
    if grey:
        np.testing.assert_array_equal(
            sample_decoding.decode_plane(data), read_alpha(io.BytesIO(data))
        )


@settings(deadline=None, max_examples=40)
@given(
    shape=shapes,
    seed=st.integers(0, 99),
    deep=st.booleans(),
    grey=st.booleans(),
)
def test_png(shape, seed, deep, grey):
    array = noisy(seed, shape if grey else (*shape, 3), np.uint16 if deep else np.uint8)
    data = bytes(cv2.imencode(".png", array if grey else array[..., ::-1])[1])
    assert sample_decoding._channels(data) == (1 if grey else 3)
    rgb = np.repeat(array[..., None], 3, 2) if grey else array
    np.testing.assert_array_equal(sample_decoding.decode_picture(data), rgb)
    assert sample_decoding.decode_picture(data).dtype == array.dtype
    if grey:
        top = np.float32(np.iinfo(array.dtype).max)
        np.testing.assert_allclose(sample_decoding.decode_plane(data), array / top, atol=1e-7)


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(Image.fromarray(noisy(1, (16, 32, 3))), "JPEG", exif=exif)


def odd_files():
    colour, grey = Image.fromarray(noisy(1, (16, 32, 3))), Image.fromarray(noisy(1, (16, 32)))
    clear = colour.convert("RGBA")
    clear.putalpha(grey)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return {
        "turned": turned(),
        "turned png": saved(colour, "PNG", exif=Image.Exif()),
        "profile": saved(colour, "JPEG", icc_profile=srgb),
        "profile png": saved(colour, "PNG", icc_profile=profile),
        "cmyk": saved(colour.convert("CMYK"), "JPEG"),
        "palette": saved(colour.quantize(16), "PNG"),
        "two colours": saved(grey.convert("1"), "PNG"),
        "clear": saved(clear, "PNG"),
        "clear colour": saved(colour, "PNG", transparency=(1, 2, 3)),
        "webp": saved(colour, "WEBP", lossless=True),
        "tiff": saved(colour, "TIFF"),
    }


@pytest.mark.parametrize("name", odd_files())
def test_files_that_need_care_get_it(name):
    data = odd_files()[name]
    if name != "turned png":  # whose EXIF is empty, and then not written
        assert sample_decoding._channels(data) == 0
    np.testing.assert_array_equal(
        sample_decoding.decode_picture(data), read_image(io.BytesIO(data))
    )


@pytest.mark.parametrize("kind", [".png", ".jpg"])
def test_what_claims_to_be_huge_is_refused_before_it_is_decoded(kind):
    data = bytearray(cv2.imencode(kind, noisy(3, (24, 24, 3)))[1])
    at = 16 if kind == ".png" else data.index(b"\xff\xc0") + 5
    data[at : at + 4] = b"\x00\x7f\xff\xff" if kind == ".png" else b"\xff\xff\xff\xff"
    assert sample_decoding._channels(bytes(data)) == 0
    with pytest.raises(CleanplateError):
        sample_decoding.decode_picture(bytes(data))


@pytest.mark.parametrize("length", range(48))
def test_beginnings_of_files_are_no_files(length):
    for head in (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xc0"):
        for tail in (b"IEND\0\0\0\0", b"\xff\xd9"):
            data = (head + b"\xff" * length)[: max(0, length - len(tail))] + tail
            with pytest.raises(CleanplateError):
                sample_decoding.decode_picture(data)


def test_a_turned_picture_stands_upright():
    assert sample_decoding.decode_picture(turned()).shape == (32, 16, 3)


@settings(deadline=None, max_examples=150)
@given(
    kind=st.sampled_from([".png", ".jpg"]),
    cut=st.booleans(),
    place=st.floats(0, 0.999),
    change=st.integers(1, 255),
)
def test_damage_ends_as_it_does_the_careful_way(kind, cut, place, change):
    """Both refuse, or both give a picture; a JPEG changed inside may be refused by one alone."""
    data = bytearray(cv2.imencode(kind, noisy(3, (24, 24, 3)))[1])
    where = int(place * len(data))
    if cut:
        data = data[:where]
    else:
        data[where] ^= change
    outcomes = []
    for read in (sample_decoding.decode_picture, lambda raw: read_image(io.BytesIO(raw))):
        try:
            outcomes.append(read(bytes(data)).shape)
        except CleanplateError:
            outcomes.append(None)
    if kind == ".png" or cut:
        assert outcomes[0] == outcomes[1]
    else:
        assert outcomes[0] or not outcomes[1], "the short way refuses nothing more"


def test_depth_is_disparity_of_millimetres_or_metres():
    depth = np.array([[0, 1, 2000], [500, 65535, 40]], np.uint16)
    data = bytes(cv2.imencode(".png", depth)[1])
    nothing_hit = np.array([[np.nan, 1000, 0.5], [2, 0, 25]])
    np.testing.assert_allclose(sample_decoding.decode_disparity(data), nothing_hit, rtol=1e-6)
    farthest = np.array([[np.nan, 1000, 0.5], [2, 1000 / 65535, 25]])
    exchange = sample_decoding.decode_disparity(data, convention=EXCHANGE)
    np.testing.assert_allclose(exchange, farthest, rtol=1e-6)
    far = sample_decoding.decode_disparity(data, convention=ZERO_IS_FAR)
    np.testing.assert_allclose(far, np.nan_to_num(farthest, nan=0.0), rtol=1e-6)
    for stored, expected in ((depth / 1000, farthest), (depth, nothing_hit)):
        memory = io.BytesIO()
        np.save(memory, stored)
        found = sample_decoding.decode_disparity(memory.getvalue(), npy=True)
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    with pytest.raises(CleanplateError, match="8-bit"):
        sample_decoding.decode_disparity(bytes(cv2.imencode(".png", depth.astype(np.uint8))[1]))
    with pytest.raises(CleanplateError, match="damaged"):
        sample_decoding.decode_disparity(memory.getvalue()[:100], npy=True)


def test_a_matte_in_colour_is_refused():
    with pytest.raises(CleanplateError, match="in colour"):
        sample_decoding.decode_plane(bytes(cv2.imencode(".png", noisy(0, (8, 8, 3)))[1]))
