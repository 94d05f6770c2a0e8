"""What is written is read back, or refused before anything is lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import (
    read_alpha,
    read_image,
    read_rgba,
    to_float,
    write_alpha,
    write_image,
)

few = settings(deadline=None, max_examples=25)


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
    if array.shape[2] == 4 and array[..., 3].max() < 256:
        array[0, 0, 3] = np.iinfo(array.dtype).max  # else it may be taken for a 0/1 mask
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
