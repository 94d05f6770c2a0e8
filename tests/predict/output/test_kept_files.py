"""What lies in the output folder: other people's files stay, ours are replaced and no frames."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from cleanplate import CleanplateError
from cleanplate.cli import main
from cleanplate.files.ownership import read_record
from cleanplate.files.picture_text import is_sealed
from cleanplate.formats.pictures import read_image, write_image
from cleanplate.predict.predictor import Predictor
from cleanplate.predict.result import Result
from tests.predict.conftest import Pair

LABELS = '{"version": "5.0.1", "shapes": [], "imagePath": "one.png"}\n'


def predict(tiny: Path, *arguments: str | Path) -> int:
    return main(["predict", "--model", str(tiny), "--threads", "1", *map(str, arguments)])


@pytest.fixture
def folder(files: Path) -> Path:
    """A folder as LabelMe leaves it, the plate in it too."""
    here = files / "frames"
    shutil.move(files / "plate.png", here / "plate.png")
    (here / "one.json").write_text(LABELS, encoding="utf-8")
    (here / "plate.json").write_text('{"fx": 800}\n', encoding="utf-8")
    return here


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def result(predictor: Predictor, pair: Pair) -> Result:
    return predictor.scene(pair.plate).predict(pair.frame)


def test_files_of_others_stay_and_the_other_frames_are_done(
    tiny: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(folder)
    code = predict(tiny, "--plate", folder / "plate.png", folder, "-o", folder)
    shown = capsys.readouterr()
    assert code == 2
    assert "1 of 2 frames failed" in shown.err
    assert "one.json: is there already" in shown.err
    assert "--overwrite" in shown.err
    after = contents(folder)
    assert {name: after[name] for name in before} == before
    assert "two.alpha.png" in after
    assert not [name for name in after if name.startswith(("one.a", "plate."))
                and name not in before]  # fmt: skip


def test_a_second_run_into_the_frames_folder_gives_the_same_files(
    tiny: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "one.json").unlink()
    arguments = ("--plate", folder / "plate.png", folder, "-o", folder, "--background", "white")
    assert predict(tiny, *arguments) == 0
    assert "Left out: the plate." in capsys.readouterr().err
    first = contents(folder)
    assert predict(tiny, *arguments, "--json", "-") == 0
    shown = capsys.readouterr()
    assert "Left out: the plate, 12 written by Cleanplate." in shown.err
    assert [Path(one["frame"]).name for one in json.loads(shown.out)["frames"]] == [
        "one.png", "two.png",
    ]  # fmt: skip
    second = contents(folder)
    assert second.keys() == first.keys()
    differ = {name for name in first if first[name] != second[name]}
    assert differ <= {"one.json", "two.json"}  # how long it took


def test_outputs_are_no_frames_when_a_shell_names_them(
    tiny: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "one.json").unlink()
    assert predict(tiny, "--plate", folder / "plate.png", folder, "-o", folder, "--quiet") == 0
    named = sorted(path for path in folder.iterdir() if path.suffix in (".png", ".jpg"))
    assert predict(tiny, "--plate", folder / "plate.png", *named, "-o", folder, "--quiet") == 0
    assert not list(folder.glob("*.alpha.alpha.png"))
    capsys.readouterr()
    only_outputs = sorted(folder.glob("*.alpha.png"))
    assert predict(tiny, "--plate", folder / "plate.png", *only_outputs, "-o", folder) == 2
    assert "no frame is left" in capsys.readouterr().err


def test_a_file_named_alone_is_a_frame_even_if_it_is_the_plate(tiny: Path, files: Path) -> None:
    plate = files / "plate.png"
    assert predict(tiny, "--plate", plate, plate, "-o", files / "out", "--quiet") == 0
    assert (files / "out" / "plate.alpha.png").exists()


def test_a_hand_made_matte_is_kept(
    tiny: Path, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = files / "out"
    arguments = ("--plate", files / "plate.png", files / "frames" / "one.png", "-o", out)
    out.mkdir()
    write_image(out / "one.alpha.png", np.zeros((120, 160), np.uint8))
    before = contents(out)
    assert predict(tiny, *arguments) == 2
    assert "one.alpha.png: is there already" in capsys.readouterr().err
    assert contents(out) == before
    assert predict(tiny, *arguments, "--overwrite", "--quiet") == 0
    assert read_image(out / "one.alpha.png").max() == 255
    # Now it is ours, until somebody retouches it.
    assert predict(tiny, *arguments, "--quiet") == 0
    write_image(out / "one.alpha.png", np.full((120, 160), 7, np.uint8))
    assert predict(tiny, *arguments, "--quiet") == 2
    assert read_image(out / "one.alpha.png").max() == 7


def test_files_of_an_earlier_run_with_other_kinds_stay_ours(result: Result, tmp_path: Path) -> None:
    result.save(tmp_path, save=["alpha", "shadow"])
    result.save(tmp_path, save=["alpha"])
    result.save(tmp_path, save=["shadow", "depth"])
    result.save(tmp_path)
    record = read_record(tmp_path / "frame.json")
    assert record is not None
    assert record["complete"]
    assert record["owns"].keys() == {path.name for path in tmp_path.iterdir()} - {"frame.json"}


def test_a_run_that_was_killed_can_be_run_again(
    result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between a file and the report: nothing after the kill is executed."""

    class Killed(BaseException):
        pass

    from cleanplate.predict.output import result_files

    told = []
    original = result_files.write_sealed

    def once(*arguments: object, **options: object) -> None:
        told.append(arguments)
        if len(told) > 1:
            raise Killed
        original(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(result_files, "write_sealed", once)
    with pytest.raises(Killed):
        result.save(tmp_path, save=["depth"])
    monkeypatch.undo()
    assert (tmp_path / "frame.disparity.npy").exists()
    result.save(tmp_path)
    record = read_record(tmp_path / "frame.json")
    assert record is not None
    assert record["complete"]


def test_a_failed_write_leaves_the_earlier_files_ours(
    result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cleanplate.predict.output import result_files

    result.save(tmp_path, save=["alpha", "depth"])

    def full(path: Path, _: object) -> None:
        raise CleanplateError("the disk is full", file=path)

    with monkeypatch.context() as patch:
        patch.setattr(result_files, "write_disparity", full)
        with pytest.raises(CleanplateError) as caught:
            result.save(tmp_path, save=["alpha", "depth"])
    assert caught.value.file == tmp_path / "frame.disparity.npy"
    result.save(tmp_path, save=["alpha", "depth"])


def test_a_composite_replaces_only_composites(result: Result, tmp_path: Path) -> None:
    for name in ("out.png", "out.jpg"):
        result.composite("white").save(tmp_path / name)
        assert is_sealed((tmp_path / name).read_bytes())
        result.composite("black").save(tmp_path / name)
        assert read_image(tmp_path / name)[0, 0].max() <= 1
    (tmp_path / "mine.png").write_bytes(b"mine")
    with pytest.raises(CleanplateError, match="overwrite=True"):
        result.composite("white").save(tmp_path / "mine.png")
    assert (tmp_path / "mine.png").read_bytes() == b"mine"
    result.composite("white").save(tmp_path / "mine.png", overwrite=True)
    assert read_image(tmp_path / "mine.png").shape == (120, 160, 3)
