from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from cleanplate.depth.depth_files import write_depth
from cleanplate.errors import CleanplateError
from cleanplate.evaluation import find_pairs, variants
from cleanplate.formats.pictures import write_image
from tests.evaluation.conftest import HEIGHT, WIDTH, truth, write_pair


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_pair(tmp_path, "7", 0)
    return tmp_path


def test_every_pair_is_found_with_its_variants(pairs_folder: Path) -> None:
    pairs = find_pairs(pairs_folder)
    assert [pair.name for pair in pairs] == ["00000", "00001", "00002"]
    assert variants(pairs) == ["clean", "camera"]
    assert set(pairs[2].variant_files) == {"clean"}
    assert pairs[0].variant_files["camera"][0].name == "00000_plate.camera.jpg"


def test_files_are_read_as_they_were_made(pairs_folder: Path) -> None:
    view = find_pairs(pairs_folder)[1].read()
    alpha, depth, plate_depth = truth(1)
    np.testing.assert_allclose(view.alpha, alpha, atol=1e-6)
    np.testing.assert_allclose(view.depth, depth, atol=1e-6)
    np.testing.assert_allclose(view.plate_depth, plate_depth, atol=1e-6)
    assert np.isposinf(view.depth[:6]).any()
    assert view.plate.shape == view.frame.shape == (HEIGHT, WIDTH, 3)
    assert view.plate.dtype == np.uint8
    outside = alpha == 0
    np.testing.assert_allclose(view.plate[outside], view.frame[outside].astype(int), atol=1)
    assert view.foreground is not None
    assert view.foreground.dtype == np.float32


def test_pairs_may_share_an_alpha(folder: Path) -> None:
    """As pictures of one subject before several backgrounds."""
    shutil.copy(folder / "7_alpha.png", folder / "leaves_alpha.png")
    for name in ("leaves_A", "leaves_B"):
        for part in ("plate", "frame"):
            source = next(folder.glob(f"7_{part}.*"))
            shutil.copy(source, folder / f"{name}_{part}{source.suffix}")
    pairs = {pair.name: pair for pair in find_pairs(folder)}
    assert sorted(pairs) == ["7", "leaves_A", "leaves_B"]
    assert pairs["leaves_A"].alpha_file == pairs["leaves_B"].alpha_file
    shutil.copy(folder / "7_alpha.png", folder / "leaves_B_alpha.png")
    own = {pair.name: pair.alpha_file.name for pair in find_pairs(folder)}
    assert own["leaves_B"] == "leaves_B_alpha.png"
    assert own["leaves_A"] == "leaves_alpha.png"


def test_a_folder_of_single_files(tmp_path: Path) -> None:
    """No JSON, no depth, suffixes mixed, and names that contain the words themselves."""
    picture = np.zeros((8, 9, 3), np.uint8)
    for name in ("my_frame", "the_plate.v2", "kitchen"):
        write_image(tmp_path / f"{name}_plate.jpg", picture)
        write_image(tmp_path / f"{name}_frame.webp", picture)
        write_image(tmp_path / f"{name}_alpha.tif", picture[..., 0])
    (tmp_path / "notes_plate.txt").write_text("not a picture", encoding="utf-8")
    write_image(tmp_path / "unrelated.png", picture)
    pairs = find_pairs(tmp_path)
    assert [pair.name for pair in pairs] == ["kitchen", "my_frame", "the_plate.v2"]
    view = pairs[0].read()
    assert view.depth is None
    assert view.plate_depth is None
    assert pairs[0].facts == {}


@pytest.mark.parametrize(
    ("facts", "argument", "infinite"),
    [
        ({"world": "room"}, None, True),
        ({}, None, False),
        (None, None, False),
        ({"depth_zero": "infinity"}, None, True),
        ({"world": "room", "depth_zero": "unknown"}, None, False),
        ({"world": "room"}, "unknown", False),
        (None, "infinity", True),
    ],
)
def test_the_meaning_of_zero_depth_is_stated_and_not_guessed(
    folder: Path, facts: dict[str, str] | None, argument: str | None, infinite: bool
) -> None:
    path = folder / "7.json"
    path.unlink() if facts is None else path.write_text(json.dumps(facts), encoding="utf-8")
    (pair,) = find_pairs(folder, depth_zero=argument)  # type: ignore[arg-type]
    depth = pair.read().plate_depth
    assert depth is not None
    assert np.isposinf(depth[:6]).all() == infinite
    assert np.isnan(depth[:6]).all() == (not infinite)
    assert np.isfinite(depth[6:]).all()


def test_infinity_and_nan_in_npy_depth_are_kept(folder: Path) -> None:
    depth = np.full((HEIGHT, WIDTH), 3, np.float32)
    depth[0, :2] = (np.inf, np.nan)
    (folder / "7_depth.png").unlink()
    write_depth(folder / "7_depth.npy", depth)
    read = find_pairs(folder)[0].read().depth
    np.testing.assert_array_equal(read, depth)


@pytest.mark.parametrize(
    ("gone", "named"),
    [
        ("7_alpha.png", "7_alpha"),
        ("7_plate.png", "7_plate"),
        ("7_frame.png", "7_frame"),
        ("7_plate.camera.jpg", "7_plate.camera"),
        ("7_frame.camera.jpg", "7_frame.camera"),
    ],
)
def test_missing_files_are_named(folder: Path, gone: str, named: str) -> None:
    (folder / gone).unlink()
    with pytest.raises(CleanplateError, match=f"{named}[.][*]") as caught:
        find_pairs(folder)
    assert caught.value.file == folder


def test_all_missing_files_are_named_at_once(folder: Path) -> None:
    for part in ("plate.png", "frame.png", "alpha.png", "plate.camera.jpg", "frame.camera.jpg"):
        (folder / f"7_{part}").unlink()
    with pytest.raises(CleanplateError, match=r"7_plate\.\*, 7_frame\.\*, 7_alpha\.\*"):
        find_pairs(folder)


def test_two_files_for_one_part_are_refused(folder: Path) -> None:
    shutil.copy(folder / "7_plate.png", folder / "7_plate.bmp")
    with pytest.raises(CleanplateError, match=r"7_plate\.bmp"):
        find_pairs(folder)


@pytest.mark.parametrize("part", ["plate.png", "alpha.png", "depth.png", "foreground.png"])
def test_sizes_must_agree(folder: Path, part: str) -> None:
    path = folder / f"7_{part}"
    if part == "depth.png":
        write_depth(path, np.ones((5, 6), np.float32))
    else:
        write_image(path, np.full((5, 6) if part == "alpha.png" else (5, 6, 3), 255, np.uint8))
    with pytest.raises(CleanplateError, match=r"6 x 5.*96 x 72") as caught:
        find_pairs(folder)[0].read()
    assert caught.value.file == path


def test_bad_folders_and_facts(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(CleanplateError, match="is not a folder"):
        find_pairs(tmp_path / "nowhere")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(CleanplateError, match="holds no pair"):
        find_pairs(empty)
    for text, message in (("{", "JSON"), ("[]", "JSON object"), ('{"depth_zero": 0.5}', "0.5")):
        (folder / "7.json").write_text(text, encoding="utf-8")
        with pytest.raises(CleanplateError, match=message) as caught:
            find_pairs(folder)[0].read()
        assert caught.value.file == folder / "7.json"
    with pytest.raises(CleanplateError, match="no variant 'drift'"):
        find_pairs(folder)[0].read("drift")


def test_a_pairs_json_names_the_convention_of_its_depth(tmp_path: Path) -> None:
    write_pair(tmp_path, "a", 0)
    depth = truth(0)[2]
    write_depth(tmp_path / "a_plate_depth.png", depth, convention="dataset")
    (tmp_path / "a.json").write_text(
        '{"world": "boxes", "depth_convention": "dataset"}', encoding="utf-8"
    )
    read = find_pairs(tmp_path)[0].read().plate_depth
    assert read is not None
    np.testing.assert_array_equal(np.isinf(read), np.isinf(depth))
    (tmp_path / "a.json").write_text('{"depth_convention": "yards"}', encoding="utf-8")
    with pytest.raises(CleanplateError, match="yards") as caught:
        find_pairs(tmp_path)[0].read()
    assert caught.value.file == tmp_path / "a.json"
