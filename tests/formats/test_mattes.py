"""Masks of 0 and 1 are told, in every reader of mattes; empty ones are fine."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from cleanplate.errors import CleanplateError
from cleanplate.evaluation import find_pairs
from cleanplate.formats.pictures import read_alpha, read_grey, read_rgba, write_image
from cleanplate.synthesis.assets.catalogue import CutoutFolder
from cleanplate.synthesis.ingest.cutout_sources import from_photo, from_rgba
from tests.picture_bytes import saved

MASK = np.zeros((12, 16), np.uint8)
MASK[3:9, 4:10] = 1
TOLD = "largest value is 1: a 0/1 mask"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_a_0_1_mask_is_refused_with_the_cure(dtype, form):
    stream = saved(Image.fromarray(MASK.astype(dtype)), form)
    with pytest.raises(CleanplateError, match=TOLD) as caught:
        read_alpha(stream)
    assert f"Multiply it by {np.iinfo(dtype).max}" in str(caught.value.cure)


def test_8_bit_values_in_a_16_bit_mask_are_refused():
    stream = saved(Image.fromarray(MASK.astype(np.uint16) * 255), "PNG")
    with pytest.raises(CleanplateError, match="255 of 65535") as caught:
        read_alpha(stream)
    assert "257" in str(caught.value.cure)


@pytest.mark.parametrize("largest", [0, 2, 255])
def test_empty_and_faint_mattes_are_read(largest):
    alpha = read_alpha(saved(Image.fromarray(MASK * np.uint8(largest)), "PNG"))
    np.testing.assert_allclose(alpha, MASK * (largest / 255), atol=1e-6)


def test_a_1_bit_mask_is_read():
    alpha = read_alpha(saved(Image.fromarray(MASK.astype(bool)), "PNG"))
    np.testing.assert_array_equal(alpha, MASK)


def test_an_alpha_channel_of_0_and_1_is_refused():
    rgba = np.dstack([np.full((12, 16, 3), 90, np.uint8), MASK])
    with pytest.raises(CleanplateError, match=TOLD):
        read_rgba(saved(Image.fromarray(rgba), "PNG"))


def test_grey_that_is_no_matte_may_have_any_range():
    grey = read_grey(saved(Image.fromarray(MASK), "PNG"))
    np.testing.assert_allclose(grey, MASK / 255, atol=1e-6)


def test_evaluation_refuses_it(tmp_path):
    picture = np.zeros((12, 16, 3), np.uint8)
    for part in ("plate", "frame"):
        write_image(tmp_path / f"a_{part}.png", picture)
    write_image(tmp_path / "a_alpha.png", MASK)
    with pytest.raises(CleanplateError, match=TOLD) as caught:
        find_pairs(tmp_path)[0].read()
    assert caught.value.file == tmp_path / "a_alpha.png"


def test_cutouts_refuse_it(tmp_path):
    write_image(tmp_path / "photo.png", np.full((12, 16, 3), 90, np.uint8))
    write_image(tmp_path / "mask.png", MASK)
    with pytest.raises(CleanplateError, match=TOLD):
        from_photo(tmp_path / "photo.png", tmp_path / "mask.png")
    folder = tmp_path / "cutouts"
    folder.mkdir()
    write_image(folder / "a.png", np.dstack([np.full((12, 16, 3), 90, np.uint8), MASK]))
    with pytest.raises(CleanplateError, match=TOLD):
        from_rgba(folder / "a.png")
    with pytest.raises(CleanplateError, match=TOLD):
        CutoutFolder.open(folder)[0]


def in_folders(root, mask: np.ndarray) -> None:
    for folder in ("bg", "fg_bg", "mask", "depth"):
        (root / folder).mkdir()
    for folder in ("bg", "fg_bg"):
        write_image(root / folder / "a.png", np.full((12, 16, 3), 90, np.uint8))
    write_image(root / "mask" / "a.png", mask)
    write_image(root / "depth" / "a.png", np.full((12, 16), 2000, np.uint16))


@pytest.mark.parametrize("ending", [".png", ".bmp"])  # the quick and the careful way
def test_training_folders_refuse_it(tmp_path, ending):
    pytest.importorskip("torch")
    from cleanplate.training.data.folder_reader import Folders

    in_folders(tmp_path, MASK * np.uint8(255))
    assert Folders(tmp_path).read(0)["alpha"].max() == 1
    (tmp_path / "mask" / "a.png").unlink()
    write_image(tmp_path / "mask" / f"a{ending}", MASK)
    with pytest.raises(CleanplateError, match=TOLD) as caught:
        Folders(tmp_path).read(0)
    assert caught.value.file == tmp_path / "mask" / f"a{ending}"


def test_grey_depth_of_training_folders_may_have_any_range(tmp_path):
    pytest.importorskip("torch")
    from cleanplate.training.data.folder_reader import Folders

    in_folders(tmp_path, MASK * np.uint8(255))
    write_image(tmp_path / "depth" / "a.png", MASK)
    read = Folders(tmp_path, "near-bright").read(0)
    np.testing.assert_allclose(read["disparity"], MASK / 255, atol=1e-6)


def test_training_parts_refuse_it():
    pytest.importorskip("torch")
    from cleanplate.training.data import sample_decoding

    with pytest.raises(CleanplateError, match=TOLD):
        sample_decoding.decode_plane(saved(Image.fromarray(MASK), "PNG").getvalue())


def test_statistics_and_checks_of_a_set_tell_it(tmp_path):
    from cleanplate.synthesis.inspection.check import check_set
    from cleanplate.synthesis.inspection.stats import measure_set
    from cleanplate.synthesis.inspection.stored_set import open_set

    in_folders(tmp_path, MASK)
    assert any(TOLD in str(fault) for fault in check_set(tmp_path).faults)
    with pytest.raises(CleanplateError, match=TOLD):
        measure_set(open_set(tmp_path))


def test_a_stream_is_named_in_the_message():
    stream = io.BytesIO(saved(Image.fromarray(MASK), "PNG").getvalue())
    with pytest.raises(CleanplateError, match="the given stream"):
        read_alpha(stream)
