"""Damaged, missing and hostile files are told in a person's words."""

from __future__ import annotations

import io
import os
import struct
import threading
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, features

import picture_bytes as made
from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import read_image
from tests.picture_bytes import saved

few = settings(deadline=None, max_examples=25)


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


@pytest.mark.skipif(
    "avif" not in features.modules or not features.check("avif"), reason="this Pillow knows no AVIF"
)
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
