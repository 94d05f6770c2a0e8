"""Which clips a run has, and the plate and outputs of each; the files here are empty."""

from __future__ import annotations

from pathlib import Path

import pytest

from cleanplate.errors import CleanplateError
from cleanplate.files.ownership import fingerprint, write_sealed
from cleanplate.video.clip_folder import clip_tasks, find_clips


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`clips` with take2 and take10, a plate, a hidden file; `shot` with two pictures."""
    monkeypatch.chdir(tmp_path)
    for name in ("clips/take10.mp4", "clips/take2.MOV", "clips/plate.png", "clips/notes.txt",
                 "clips/.take3.mp4", "shot/1.png", "shot/2.png", "other/take2.mp4"):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return tmp_path


def paths(*given: str) -> list[str]:
    return [Path(path).as_posix() for path in find_clips(given).paths]


def outputs(given: list[str], *more: str, presets: tuple[str, ...] = (), **options):
    tasks = clip_tasks(find_clips(given), more, presets, plate="plate.png", **options)
    return [[Path(path).as_posix() for path in task.outputs] for task in tasks]


def test_a_folder_of_video_files_stands_for_them_in_natural_order(folder: Path):
    found = find_clips(["clips"])
    assert [Path(path).as_posix() for path in found.paths] == [
        "clips/take2.MOV",
        "clips/take10.mp4",
    ]
    assert not found.single
    assert found.remarks == ["clips: 2 video files are the clips; 1 pictures are none"]


def test_a_folder_of_pictures_is_one_clip(folder: Path):
    assert paths("shot") == ["shot"]
    assert find_clips(["shot"]).single
    assert paths("shot", "clips/take2.MOV") == ["shot", "clips/take2.MOV"]


def test_patterns_files_and_pipes(folder: Path):
    assert paths("*/take2.*") == ["clips/take2.MOV", "other/take2.mp4"]
    assert paths("shot/%d.png") == ["shot/%d.png"]
    assert paths("gone.mp4") == ["gone.mp4"], "what is not there is told where it is opened"
    assert paths("-") == ["-"]
    with pytest.raises(CleanplateError, match="stands alone"):
        find_clips(["-", "clips"])
    with pytest.raises(CleanplateError, match="no video file matches"):
        find_clips(["clips/*.webm"])


def test_no_clip_is_taken_twice(folder: Path):
    assert paths("clips/take2.MOV", "clips", "./clips/take10.mp4") == [
        "clips/take2.MOV", "clips/take10.mp4"
    ]  # fmt: skip


def test_what_cleanplate_wrote_is_no_clip(folder: Path):
    (folder / "clips" / "take2.webm").write_bytes(b"made")
    owns = {"take2.webm": fingerprint(folder / "clips" / "take2.webm")}
    write_sealed(folder / "clips" / "take2.webm.json", {}, owns)
    assert paths("clips") == ["clips/take2.MOV", "clips/take10.mp4"]
    with pytest.raises(CleanplateError, match="written by Cleanplate"):
        find_clips(["clips/*.webm"])


def test_outputs_of_several_clips(folder: Path):
    assert outputs(["clips"], "out/{name}.webm") == [["out/take2.webm"], ["out/take10.webm"]]
    assert outputs(["clips"], "out", presets=("prores4444",)) == [
        ["out/take2.mov"], ["out/take10.mov"]
    ]  # fmt: skip
    assert outputs(["clips"], "out", "{name}.mp4", presets=("exr",)) == [
        ["out/take2", "take2.mp4"], ["out/take10", "take10.mp4"]
    ]  # fmt: skip
    with pytest.raises(CleanplateError, match="one output for several clips"):
        outputs(["clips"], "out.webm")
    with pytest.raises(CleanplateError, match="one output for several clips"):
        outputs(["clips"], "shot.%04d.exr")
    with pytest.raises(CleanplateError, match="not clear"):
        outputs(["clips"], "out")


def test_outputs_of_a_single_clip_stay_as_they_are_named(folder: Path):
    assert outputs(["shot"], "out.mov", "s.%04d.png") == [["out.mov", "s.%04d.png"]]
    assert outputs(["shot"], "pictures", presets=("png",)) == [["pictures"]]
    assert outputs(["shot"], "{name}.mov") == [["shot.mov"]]
    assert outputs(["-"], "-") == [["-"]]


def test_clips_of_one_name_are_told_apart(folder: Path):
    found = outputs(["clips/take2.MOV", "other/take2.mp4"], "{name}.webm")
    assert found == [["clips_take2.webm"], ["other_take2.webm"]]


def test_sequences_are_named_by_their_pattern_or_folder(folder: Path):
    (folder / "seq").mkdir()
    (folder / "seq" / "walk.0001.png").touch()
    found = outputs(["seq/walk.%04d.png", "shot/%d.png", "clips/take2.MOV"], "{name}.webm")
    assert found == [["walk.webm"], ["shot.webm"], ["take2.webm"]]


def test_one_plate_for_each_clip(folder: Path):
    (folder / "plates").mkdir()
    for name in ("take2.png", "take10.jpg", "take10.npy", "take2.npy"):
        (folder / "plates" / name).touch()
    clips = find_clips(["clips"])
    found = clip_tasks(clips, ["{name}.mp4"], [], plate="plates", plate_depth="plates/{name}.npy")
    assert [Path(task.plate).name for task in found] == ["take2.png", "take10.jpg"]
    assert [Path(str(task.plate_depth)).name for task in found] == ["take2.npy", "take10.npy"]
    with pytest.raises(CleanplateError, match=r"take10\.png: does not exist.*plate of"):
        clip_tasks(clips, ["{name}.mp4"], [], plate="plates/{name}.png")
    (folder / "plates" / "take2.jpg").touch()
    with pytest.raises(CleanplateError, match=r"has 2 files named take2\.\*"):
        clip_tasks(clips, ["{name}.mp4"], [], plate="plates")
    (folder / "plates" / "take10.jpg").unlink()
    (folder / "plates" / "take2.jpg").unlink()
    with pytest.raises(CleanplateError, match=r"has no files named take10\.\*"):
        clip_tasks(clips, ["{name}.mp4"], [], plate="plates")


def test_inputs_are_never_outputs(folder: Path):
    (folder / "plate.png").touch()
    with pytest.raises(CleanplateError, match=r"take10\.mp4: is an input"):
        outputs(["clips"], "clips/{name}.mp4")
    with pytest.raises(CleanplateError, match=r"plate\.png: is an input"):
        outputs(["shot"], "a.mp4", save_plate="plate.png")
    with pytest.raises(CleanplateError, match="one output for several clips"):
        outputs(["clips"], "{name}.webm", save_plate="used.png")
