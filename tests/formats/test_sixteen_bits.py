"""16-bit pictures come out with their right pixels or not at all."""

from __future__ import annotations

import io
import struct

import cv2
import numpy as np
import pytest

import picture_bytes as made
from cleanplate.errors import CleanplateError
from cleanplate.formats import sixteen_bits
from cleanplate.formats.decoding import decode_samples
from cleanplate.formats.pictures import read_alpha, read_image, read_rgba
from cleanplate.synthesis.inspection.stored_part import StoredPart


@pytest.fixture
def smooth() -> np.ndarray:
    """(30, 44, 4) uint16: four ramps of different directions."""
    y, x = np.mgrid[:30, :44]
    ramps = [x * 1400, y * 2000, 60000 - x * 700 - y * 600, x * 1400 + 3000]
    return np.stack(ramps, axis=2).astype(np.uint16)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("channels", [3, 4])
def test_16_bit_tiff_with_separate_planes_is_refused(smooth, channels, order):
    data = made.tiff(
        smooth[..., :channels], planar=True, order=order, extra=2 if channels == 4 else None
    )
    with pytest.raises(CleanplateError, match="one after the other") as caught:
        read_image(io.BytesIO(data))
    assert "interleaved" in str(caught.value.cure)
    with pytest.raises(CleanplateError, match="one after the other"):
        StoredPart("set/bg/a.tif", "tif", data, len(data)).decode()


def test_8_bit_tiff_with_separate_planes_is_read(smooth):
    eight = (smooth >> 8).astype(np.uint8)[..., :3]
    np.testing.assert_array_equal(read_image(io.BytesIO(made.tiff(eight, planar=True))), eight)


@pytest.mark.parametrize("kind", ["colour", "alpha", "premultiplied", "grey"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_16_bit_tiff_gives_its_pixels(smooth, kind, order):
    channels = {"colour": 3, "grey": 1}.get(kind, 4)
    extra = {"alpha": 2, "premultiplied": 1}.get(kind)
    data = made.tiff(smooth[..., :channels], extra=extra, order=order)
    read, alpha = read_rgba(io.BytesIO(data))
    assert read.dtype == np.uint16
    expected = smooth[..., :3]
    if kind == "grey":
        expected = np.repeat(smooth[..., :1], 3, axis=2)
    if kind == "premultiplied":
        expected = np.minimum(expected / (smooth[..., 3:] / 65535), 65535)
    np.testing.assert_allclose(read, expected, atol=1)
    if channels == 4:
        np.testing.assert_allclose(alpha, smooth[..., 3] / 65535, atol=1e-6)
    else:
        assert alpha is None


@pytest.mark.parametrize("compression", [1, 5, 8, 32773])  # none, LZW, Deflate, PackBits
def test_16_bit_tiff_of_any_compression_gives_its_pixels(smooth, compression):
    options = [cv2.IMWRITE_TIFF_COMPRESSION, compression]
    data = bytes(cv2.imencode(".tif", smooth[..., 2::-1], options)[1])
    np.testing.assert_array_equal(read_image(io.BytesIO(data)), smooth[..., :3])


def test_16_bit_grey_where_white_is_zero_is_inverted(smooth):
    stored = smooth[..., :1]
    read = read_image(io.BytesIO(made.tiff(stored, white_is_zero=True)))
    np.testing.assert_array_equal(read[..., 0], 65535 - stored[..., 0])
    alpha = read_alpha(io.BytesIO(made.tiff(stored, white_is_zero=True)))
    np.testing.assert_allclose(alpha, 1 - stored[..., 0] / 65535, atol=1e-6)


def swapped(data, flags):
    """A decoder that puts pixels in wrong places."""
    return np.ascontiguousarray(decoder(data, flags)[::-1, ::-1])


decoder = cv2.imdecode


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("form", ["png", "tiff"])
def test_a_decoding_that_a_second_decoder_contradicts_is_refused(
    smooth, monkeypatch, channels, form
):
    if form == "png":
        data = made.png16(smooth[..., :channels])
    elif channels == 2:
        pytest.skip("Pillow reads no 16-bit TIFF of grey and alpha")
    else:
        data = made.tiff(smooth[..., :channels], extra=2 if channels == 4 else None)
    read_image(io.BytesIO(data))
    monkeypatch.setattr(sixteen_bits.cv2, "imdecode", swapped)
    with pytest.raises(CleanplateError, match="two decoders read differently") as caught:
        read_image(io.BytesIO(data))
    assert caught.value.cure
    if channels == 1:
        with pytest.raises(CleanplateError, match="two decoders read differently"):
            decode_samples(io.BytesIO(data))


def test_a_png_chunk_that_claims_more_than_the_file_has_costs_no_memory(smooth, monkeypatch):
    """OpenCV sets aside what a chunk claims, so it must not see such a file."""
    whole = made.png16(smooth)
    claims = whole[:-12] + struct.pack(">I4s", 0x7FFFFF00, b"teXt") + whole[-12:]
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    with pytest.raises(CleanplateError, match="cannot be decoded in 16 bits"):
        read_image(io.BytesIO(claims))


def test_what_stands_behind_the_end_of_a_png_is_passed_over(smooth):
    more = made.png16(smooth) + struct.pack(">I4s", 0x7FFFFF00, b"teXt")
    np.testing.assert_array_equal(read_image(io.BytesIO(more)), smooth[..., :3])
