"""`cleanplate synth depth`, from photographs to a catalogue of plates."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("onnx")

from cleanplate.cli import main
from cleanplate.depth import read_depth
from cleanplate.synthesis.assets.catalogue import PlateFolder
from tests.depth.test_depth_estimators import mean_colour, ramp


@pytest.fixture
def model(tmp_path: Path) -> str:
    """Relative disparity = the mean colour in bytes, at 64 px."""
    path = mean_colour(
        tmp_path / "mean.onnx", convention="disparity", colours="bytes", side="64", multiple="32"
    )
    return str(path)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A ramp of 96 x 64 that grows to the right; once more stored on its side, with EXIF 6."""
    folder = tmp_path / "photos"
    folder.mkdir()
    picture = Image.fromarray(ramp())
    picture.save(folder / "plain.png")
    tags = Image.Exif()
    tags[0x0112] = 6  # turned by a quarter to the right when shown
    picture.transpose(Image.Transpose.ROTATE_90).save(folder / "turned.png", exif=tags)
    return folder


def expected(near: float, far: float) -> np.ndarray:
    """Metres of the ramp, from its bytes, by hand."""
    bytes_ = ramp().mean(-1)
    low, high = np.percentile(bytes_, [1, 99])
    return 1 / (1 / far + (bytes_ - low) / (high - low) * (1 / near - 1 / far))


def test_from_bytes_to_millimetres(tmp_path: Path, photos: Path, model: str, capsys):
    out = tmp_path / "plates"
    told = ["--near", "2", "--far", "10", "--license", "CC0-1.0", "--source", "a shelf"]
    assert main(["synth", "depth", str(photos), "--model", model, "-o", str(out), *told]) == 0
    said = capsys.readouterr()
    assert "reach from 2 m to 10 m." in said.err
    assert "2 plates made, 0 with a known lens" in said.out
    for name in ("plain", "turned"):
        depth = read_depth(out / f"{name}_depth.png")
        assert depth.shape == (64, 96), "upright"
        assert np.abs(depth - expected(2, 10)).max() < 0.00051 + 1e-5
        metadata = json.loads((out / f"{name}.json").read_text(encoding="utf-8"))
        assert metadata["license"] == "CC0-1.0"
        assert metadata["source"] == "a shelf"
        assert metadata["depth_from"]["assumed"] == []
        assert (out / f"{name}.png").read_bytes() == (photos / f"{name}.png").read_bytes()
    plates = PlateFolder.open(out)
    assert len(plates) == 2
    assert plates[0].disparity.shape == (64, 96)
    assert np.array_equal(plates[0].picture, plates[1].picture)


def test_the_same_command_goes_on(photos: Path, model: str, capsys):
    """What has a depth is left alone: what the command made, and what a sensor measured."""
    measured = np.full((64, 96), 4.25, np.float32)
    np.save(photos / "plain_depth.npy", measured)
    call = ["synth", "depth", str(photos), "--model", model, "--json", "-", "--quiet"]
    assert main(call) == 0
    first = json.loads(capsys.readouterr().out)
    assert [Path(one["photo"]).name for one in first["plates"]] == ["turned.png"]
    assert [Path(one).name for one in first["kept"]] == ["plain.png"]
    assert not (photos / "plain_depth.png").exists()
    stamp = (photos / "turned_depth.png").stat().st_mtime_ns
    assert main(call) == 0
    assert json.loads(capsys.readouterr().out)["plates"] == []
    assert (photos / "turned_depth.png").stat().st_mtime_ns == stamp
    assert main([*call, "--rebuild"]) == 0
    assert len(json.loads(capsys.readouterr().out)["plates"]) == 2
    assert np.array_equal(np.load(photos / "plain_depth.npy"), measured), "not even by force"


def test_a_bad_photo(photos: Path, model: str, capsys):
    (photos / "aaa.jpg").write_bytes(b"no picture")
    Image.new("RGB", (96, 64), (90, 90, 90)).save(photos / "flat.png")
    call = ["synth", "depth", str(photos), "--model", model]
    assert main([*call, "--json", "-"]) == 2
    told = capsys.readouterr()
    assert "aaa.jpg: is not a picture" in told.err
    assert "2 of 4 photos could not be used" in told.err
    assert len(json.loads(told.out)["plates"]) == 2, "a bad one does not stop the others"
    assert main([*call, "--skip-bad", "--json", "-"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (len(said["plates"]), len(said["kept"])) == (0, 2)
    assert [Path(one["photo"]).name for one in said["failed"]] == ["aaa.jpg", "flat.png"]
    assert "output is constant" in said["failed"][1]["error"]
    assert sorted(p.name for p in photos.glob("*_depth.png")) == [
        "plain_depth.png", "turned_depth.png",
    ]  # fmt: skip


def test_what_was_assumed_is_printed(photos: Path, model: str, capsys):
    assert main(["synth", "depth", str(photos / "plain.png"), "--model", model]) == 0
    said = capsys.readouterr()
    assert "1.5 m to 8 m" in said.err
    assert "assumed: --near, --far or --camera-height" in said.err
    assert "--fov gives one" in said.out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model", "nowhere.onnx"], "nowhere.onnx: does not exist"),
        (["--long-side", "50"], "give -o"),
        (["--near", "9"], "from 9 m to 8 m"),
        (["--convention", "upside"], "upside"),
    ],
)
def test_mistakes(photos: Path, model: str, options: list[str], message: str, capsys):
    assert main(["synth", "depth", str(photos), "--model", model, *options]) == 2
    assert message in capsys.readouterr().err
    assert not list(photos.glob("*_depth.png"))


def test_two_photos_of_one_name(tmp_path: Path, photos: Path, model: str, capsys):
    (photos / "plain.jpg").write_bytes((photos / "plain.png").read_bytes())
    assert main(["synth", "depth", str(photos), "--model", model]) == 2
    assert "would also make the plate 'plain'" in capsys.readouterr().err
