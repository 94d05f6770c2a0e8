"""Which files of a folder are pictures is the same everywhere, and what is passed over is said."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from cleanplate.cli import command
from cleanplate.errors import CleanplateError
from cleanplate.evaluation import find_pairs
from cleanplate.files.listing import find_pictures, is_hidden
from cleanplate.formats.pictures import write_image
from cleanplate.synthesis.assets.catalogue import CutoutFolder, PlateFolder
from cleanplate.synthesis.assets.packing import sidecars_of
from cleanplate.synthesis.ingest.cutout_sources import list_masks
from cleanplate.synthesis.ingest.cutout_writer import CutoutFolderWriter
from cleanplate.synthesis.inspection.stored_set import open_set

METADATA = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X" + bytes(60)
GREY = np.full((40, 60, 3), 90, np.uint8)


def with_metadata(folder: Path) -> Path:
    """Put macOS's metadata beside every file, and Windows's own files into the folder."""
    for file in [one for one in folder.rglob("*") if one.is_file()]:
        file.with_name(f"._{file.name}").write_bytes(METADATA)
    for place in [folder, *(one for one in folder.rglob("*") if one.is_dir())]:
        (place / "Thumbs.db").write_bytes(b"x")
        (place / ".DS_Store").write_bytes(b"x")
    return folder


def touch(folder: Path, *files: str) -> None:
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


@pytest.mark.parametrize("name", ["._a.jpg", ".a.jpg", ".DS_Store", "Thumbs.db", "desktop.ini"])
def test_files_that_systems_leave_are_hidden(name):
    assert is_hidden(name)
    assert not is_hidden("a.jpg")


def test_pictures_of_every_ending_that_is_read_are_taken(tmp_path):
    files = ["a.jfif", "b.JPE", "c.jpg", "d.HEIC", "e.heif", "f.avif", "g.mpo", "h.pnm", "i.j2k"]
    touch(tmp_path, *files)
    found = find_pictures(tmp_path)
    assert names(found) == files
    assert found.passed_over == []


def test_jfif_and_jpe_are_read(tmp_path):
    from cleanplate.formats.pictures import read_image

    write_image(tmp_path / "a.jpg", GREY)
    for name in ("b.jfif", "c.jpe"):
        shutil.copy(tmp_path / "a.jpg", tmp_path / name)
    assert [read_image(path).shape for path in find_pictures(tmp_path)] == [(40, 60, 3)] * 3


def test_what_is_passed_over_is_counted_by_ending(tmp_path):
    touch(tmp_path, "a.jpg", "b.mp4", "c.mp4", "d.CR2", "e.json", "f.npy", "README", "._g.psd")
    for given in (tmp_path, str(tmp_path / "*")):
        found = find_pictures(given)
        assert names(found) == ["a.jpg"]
        assert names(found.passed_over) == ["b.mp4", "c.mp4", "d.CR2", "README"]
        assert found.remarks() == [
            "Passed over 4 files that are no pictures by their endings "
            "(.mp4: 2, .cr2: 1, no ending: 1)."
        ]


def test_a_folder_without_pictures_says_what_is_in_it(tmp_path):
    touch(tmp_path, "b.mp4")
    with pytest.raises(CleanplateError, match="has no picture in it") as caught:
        find_pictures(tmp_path)
    assert "Passed over 1 file" in str(caught.value.cure)
    assert ".mp4: 1" in str(caught.value.cure)


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_one_file_under_several_names_is_taken_once_and_said(tmp_path, monkeypatch):
    touch(tmp_path, "d/a.png", "d/b.png")
    (tmp_path / "link.png").symlink_to(tmp_path / "d" / "a.png")
    (tmp_path / "e").symlink_to(tmp_path / "d")
    monkeypatch.chdir(tmp_path / "d")
    found = find_pictures(["a.png", "./a.png", "../d/a.png", "../link.png", "../e", "b.png"])
    assert found == [Path("a.png"), Path("../e/b.png")]
    assert len(found.repeated) == 5
    assert "Taken once, though named more than once: a.png" in found.remarks()[0]


@pytest.mark.parametrize("folder", ["shots [v2]", "[a]", "a[1]/b[2-3]"])
def test_a_pattern_in_a_folder_with_brackets_is_found(tmp_path, folder):
    touch(tmp_path, f"{folder}/1.png", f"{folder}/2.png", "shots v/3.png", "a/4.png")
    assert names(find_pictures(str(tmp_path / folder / "*.png"))) == ["1.png", "2.png"]
    assert names(find_pictures(str(tmp_path / folder / "[2].png"))) == ["2.png"]


def test_brackets_behind_a_wildcard_may_belong_to_names(tmp_path):
    touch(tmp_path, "x/shots [v2]/1.png", "y/other/2.png")
    assert names(find_pictures(str(tmp_path / "*" / "shots [v2]" / "*.png"))) == ["1.png"]


def test_a_pattern_that_finds_nothing_says_what_was_looked_for(tmp_path):
    touch(tmp_path, "a.mov")
    with pytest.raises(CleanplateError, match="no picture matches this pattern") as caught:
        find_pictures(str(tmp_path / "[ab].mov"))
    assert caught.value.file == tmp_path / "[ab].mov"
    told = str(caught.value.cure)
    assert "Passed over 1 file" in told
    assert "[ab] is one of a and b" in told


# --- every place that lists a folder ---------------------------------------------------------


def write_pair(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for part in ("plate", "frame", "plate.camera", "frame.camera"):
        write_image(folder / f"a_{part}.png", GREY)
    for part in ("alpha", "shadow"):
        write_image(folder / f"a_{part}.png", np.full(GREY.shape[:2], 255, np.uint8))
    (folder / "a.json").write_text("{}", encoding="utf-8")
    return folder


def test_pairs_pass_over_hidden_files(tmp_path):
    pairs = find_pairs(with_metadata(write_pair(tmp_path)))
    assert [pair.name for pair in pairs] == ["a"]
    assert set(pairs[0].variant_files) == {"clean", "camera"}
    assert pairs.passed_over == []


def test_pairs_say_what_they_pass_over(tmp_path):
    write_pair(tmp_path)
    touch(tmp_path, "b_frame.cr2", "notes.txt")
    pairs = find_pairs(tmp_path)
    assert names(pairs.passed_over) == ["b_frame.cr2"]


def test_plates_and_cutouts_pass_over_hidden_files(tmp_path):
    write_image(tmp_path / "a.png", np.dstack([GREY, np.full((40, 60), 255, np.uint8)]))
    folder = with_metadata(tmp_path)
    assert names(PlateFolder.open(folder).files) == ["a.png"]
    assert names(CutoutFolder.open(folder).files) == ["a.png"]
    assert list(list_masks(folder)) == ["a"]


def test_packing_and_the_shelf_of_cutouts_pass_over_hidden_files(tmp_path):
    write_pair(tmp_path)
    assert names(sidecars_of(with_metadata(tmp_path))) == ["a.json"]
    assert CutoutFolderWriter(tmp_path)._taken.isdisjoint({"._a", "thumbs"})


def write_set(root: Path) -> Path:
    for folder in ("bg", "fg_bg", "mask", "depth"):
        (root / folder).mkdir()
    for folder in ("bg", "fg_bg"):
        write_image(root / folder / "a.png", GREY)
    write_image(root / "mask" / "a.png", np.full(GREY.shape[:2], 255, np.uint8))
    write_image(root / "depth" / "a.png", np.full(GREY.shape[:2], 2000, np.uint16))
    return root


def test_stored_sets_pass_over_hidden_files(tmp_path):
    stored = open_set(with_metadata(write_set(tmp_path)))
    assert stored.count == 1


def test_training_passes_over_hidden_files(tmp_path):
    pytest.importorskip("torch")
    from cleanplate.training.data.folder_reader import Folders
    from cleanplate.training.data.pair_augmentation import PairFolder, open_pairs

    (tmp_path / "set").mkdir()
    assert len(Folders(with_metadata(write_set(tmp_path / "set")))) == 1
    folder = with_metadata(write_pair(tmp_path / "pairs"))
    (folder / "._a.tar").write_bytes(METADATA)
    pairs = open_pairs(folder)
    assert isinstance(pairs, PairFolder)
    assert pairs.read(0)["shadow"].min() == 1


# --- the command line ------------------------------------------------------------------------


def run(*arguments: str | Path) -> tuple[str, str]:
    ran = CliRunner().invoke(command, [str(one) for one in arguments])
    assert ran.exit_code == 0, (ran.output, ran.exception)
    return ran.stdout, ran.stderr


def test_evaluate_scores_a_folder_with_macos_metadata(tmp_path):
    folder = with_metadata(write_pair(tmp_path / "pairs"))
    touch(folder, "b_frame.cr2")
    out, told = run("evaluate", folder, "--baseline", "difference", "--variant", "clean")
    assert "clean" in out
    assert told.count("Passed over 1 file that is no picture by its ending (.cr2: 1).") == 1


def test_predict_says_once_what_it_passes_over(tmp_path):
    frames = tmp_path / "frames"
    frames.mkdir()
    write_image(tmp_path / "plate.jpg", GREY)
    for name in ("a.jpg", "b.jpg"):
        write_image(frames / name, GREY)
    (frames / "b.jpg").rename(frames / "b.jfif")
    touch(with_metadata(frames), "c.mp4")
    given = ["predict", "--plate", tmp_path / "plate.jpg", frames, frames / "a.jpg", "--force"]
    out, told = run(*given, "-o", tmp_path / "out", "--save", "alpha")
    assert told.count("Passed over 1 file") == 1
    assert told.count("Taken once") == 1
    assert "Passed over" not in out
    made = sorted(names(list((tmp_path / "out").iterdir())))
    assert made == ["a.alpha.png", "a.json", "b.alpha.png", "b.json"]
    _, quiet = run(*given, "-o", tmp_path / "out", "--save", "alpha", "--quiet")
    assert "Passed over" not in quiet


def test_synth_build_says_what_it_passes_over(tmp_path):
    for name in ("plates", "cutouts"):
        (tmp_path / name).mkdir()
    write_image(tmp_path / "plates" / "a.png", np.repeat(GREY, 3, axis=1))
    cutout = np.dstack([GREY, np.zeros((40, 60), np.uint8)])
    cutout[8:36, 20:34, 3] = 255
    write_image(tmp_path / "cutouts" / "a.png", cutout)
    touch(with_metadata(tmp_path / "plates"), "b.raw")
    _, told = run(
        *("synth", "build", "-o", tmp_path / "set", "--count", "2", "--size", "48x32"),
        *("--plates", tmp_path / "plates", "--cutouts", tmp_path / "cutouts", "--workers", "0"),
        *("--assume-license", "CC0-1.0"),
    )
    assert told.count("Passed over 1 file") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="names have other limits there")
@pytest.mark.parametrize("listing", [find_pictures, find_pairs])
def test_a_path_too_long_to_exist_is_an_error(listing, tmp_path):
    with pytest.raises(CleanplateError):
        listing(tmp_path / ("x" * 300))
