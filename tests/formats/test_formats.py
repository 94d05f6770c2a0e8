"""Kinds of files that need an extra, or are no pictures, are told by name."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cleanplate.errors import CleanplateError, MissingExtraError
from cleanplate.formats import signatures
from cleanplate.formats.pictures import read_image
from tests.picture_bytes import saved

HEIC = Path(__file__).parent / "files" / "turned.heic"
"""40 x 24, stored turned with an EXIF orientation that turns it back; yellow at the upper left."""

VIDEOS = {
    "mp4": b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41",
    "mov": b"\0\0\0\x14ftypqt  \0\0\2\0qt  \0\0\0\x08wide",
    "old mov": b"\0\0\x10\0mdat",
    "mkv": b"\x1a\x45\xdf\xa3\x93\x42\x82\x88matroska",
    "avi": b"RIFF\x24\0\0\0AVI LIST",
    "mpg": b"\x00\x00\x01\xba\x44\x00",
    "flv": b"FLV\x01\x05",
    "wmv": b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",
    "ts": (b"\x47" + bytes(187)) * 3,
    "m2ts": (bytes(4) + b"\x47" + bytes(187)) * 3,
}


@pytest.mark.parametrize("kind", VIDEOS)
def test_a_video_says_how_to_take_its_frames(tmp_path, kind):
    (tmp_path / "clip").write_bytes(VIDEOS[kind] + bytes(600))
    with pytest.raises(CleanplateError, match="is a video") as caught:
        read_image(tmp_path / "clip")
    assert "ffmpeg -i" in str(caught.value.cure)


def test_macos_metadata_is_told_as_such(tmp_path):
    (tmp_path / "._a.jpg").write_bytes(b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X" + bytes(100))
    with pytest.raises(CleanplateError, match="macOS metadata"):
        read_image(tmp_path / "._a.jpg")


def test_heic_without_its_extra_names_the_extra(monkeypatch):
    monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)
    monkeypatch.setattr(signatures, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"\[heif\]") as caught:
        read_image(HEIC)
    assert caught.value.file == HEIC


def test_heic_with_a_broken_extra_names_the_extra(monkeypatch):
    monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)
    monkeypatch.setattr(signatures, "find_spec", lambda name: object())
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    with pytest.raises(CleanplateError, match="does not load") as caught:
        read_image(HEIC)
    assert "[heif]" in str(caught.value.cure)


def test_avif_that_pillow_lacks_names_the_extra(monkeypatch):
    Image.init()
    monkeypatch.delitem(Image.OPEN, "AVIF", raising=False)
    head = b"\0\0\0\x20ftypavif\0\0\0\0avifmif1miafMA1B" + bytes(100)
    with pytest.raises(MissingExtraError, match=r"\[heif\]"):
        read_image(io.BytesIO(head))


def test_heic_is_read_upright():
    pytest.importorskip("pi_heif")
    picture = read_image(HEIC)
    assert picture.shape == (24, 40, 3)
    assert np.abs(picture[2, 2].astype(int) - (255, 250, 10)).max() < 12
    assert np.abs(picture[20, 35].astype(int) - (210, 180, 110)).max() < 12


@pytest.mark.skipif("AVIF" not in (Image.init(), Image.OPEN)[1], reason="this Pillow has no AVIF")
def test_avif_is_read_without_any_extra(rgb, monkeypatch):
    monkeypatch.setattr(signatures, "find_spec", lambda name: None)
    read = read_image(saved(Image.fromarray(rgb), "AVIF", quality=95))
    assert np.abs(read.astype(int) - rgb).mean() < 6
