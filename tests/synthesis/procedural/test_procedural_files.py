"""`synth procedural`: procedural assets as files that read back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from cleanplate.cli import synth
from cleanplate.cli.synth.procedural_command import command
from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import write_image
from cleanplate.synthesis import Composer
from cleanplate.synthesis.assets.catalogue import CutoutFolder
from cleanplate.synthesis.assets.licensing import read_credits
from cleanplate.synthesis.procedural.procedural_figures import render_cutout
from cleanplate.synthesis.procedural.procedural_files import write_assets


def run(*words: object) -> dict:
    done = CliRunner().invoke(
        command, [*map(str, words), "--json", "-", "--quiet"], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("number", [0, 1, 3])
def test_a_written_cutout_is_read_as_it_was_drawn(tmp_path: Path, number: int):
    list(write_assets("cutouts", tmp_path, number + 1, seed=5))
    read, drawn = CutoutFolder.open(tmp_path)[number], render_cutout(5, number)
    assert read.kind == drawn.kind
    assert np.array_equal(read.alpha, drawn.alpha)
    solid = drawn.alpha > 240
    assert np.array_equal(read.colour[solid], drawn.colour[solid])
    assert np.abs(read.depth - drawn.depth)[solid].max() < 1e-4
    assert read.foot == pytest.approx(drawn.foot)
    assert read.size == pytest.approx(drawn.size)
    assert read.pixels_per_metre == pytest.approx(drawn.pixels_per_metre)
    assert read.view_angle == pytest.approx(drawn.view_angle)
    assert not read.cut
    assert not read.half


def test_the_command_makes_folders_that_compose_without_more_data(tmp_path: Path):
    plates, cutouts = tmp_path / "rooms", tmp_path / "figures"
    assert run("plates", "-o", plates, "--count", 2, "--workers", 0)["made"] == 2
    assert run("cutouts", "-o", cutouts, "--count", 3, "--workers", 0)["made"] == 3
    composer = Composer.from_folders(plates, cutouts, seed=1)
    assert [len(one) for one in composer.plates[:1] + composer.cutouts[:1]] == [2, 3]
    sample = composer.sample(0, (48, 64))
    assert np.isfinite(sample["plate_disparity"]).all()
    for credit in read_credits([plates / "000000.jpg", cutouts / "000002.png"]):
        assert credit.licenses == ("CC0-1.0",)
        assert credit.sources


def test_workers_change_nothing_and_the_same_command_adds_and_keeps(tmp_path: Path):
    assert run("cutouts", "-o", tmp_path / "a", "--count", 4, "--workers", 0)["made"] == 4
    run("cutouts", "-o", tmp_path / "b", "--count", 2, "--workers", 0)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "b").iterdir()}
    told = run("cutouts", "-o", tmp_path / "b", "--count", 4, "--workers", 2)
    assert (told["made"], told["kept"]) == (2, 2)
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in before.items())
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_what_a_killed_run_left_half_is_made_anew(tmp_path: Path):
    list(write_assets("plates", tmp_path, 1, seed=2))
    whole = contents(tmp_path)
    (tmp_path / "000000.jpg").unlink()  # the picture comes last
    (tmp_path / "000000_depth.png").write_bytes(b"half")
    assert list(write_assets("plates", tmp_path, 1, seed=2)) == [True]
    assert contents(tmp_path) == whole


def test_assets_of_another_seed_or_another_hand_are_never_written_over(tmp_path: Path):
    list(write_assets("cutouts", tmp_path, 1, seed=2))
    before = contents(tmp_path)
    with pytest.raises(CleanplateError, match="made from something else"):
        list(write_assets("cutouts", tmp_path, 2, seed=3))
    assert contents(tmp_path) == before
    other = tmp_path / "photos"
    other.mkdir()
    write_image(other / "000000.jpg", np.full((32, 32, 3), 80, np.uint8))
    before = contents(other)
    with pytest.raises(CleanplateError, match="made from something else"):
        list(write_assets("plates", other, 1, seed=2))
    assert contents(other) == before


def test_textures_bring_their_licences(tmp_path: Path):
    textures = tmp_path / "textures"
    textures.mkdir()
    write_image(textures / "wood.png", np.full((16, 16, 3), 120, np.uint8))
    with pytest.raises(CleanplateError, match="no licence"):
        list(write_assets("plates", tmp_path / "a", 1, seed=0, textures=textures))
    (textures / "catalogue.json").write_text(
        json.dumps({"license": "CC-BY-4.0", "source": "Woods", "attribution": "A. Carpenter"}),
        "utf-8",
    )
    list(write_assets("plates", tmp_path / "a", 1, seed=0, textures=textures))
    [credit] = read_credits([tmp_path / "a" / "000000.jpg"])
    assert credit.licenses == ("CC0-1.0", "CC-BY-4.0")
    assert credit.attributions == ("A. Carpenter",)


def test_textures_are_for_plates(tmp_path: Path):
    words = ["procedural", "cutouts", "-o", str(tmp_path / "c"), "--textures"]
    done = CliRunner().invoke(synth.command, [*words, str(tmp_path)])
    assert done.exit_code == 2
    assert "--textures is for plates" in done.stderr
    assert not (tmp_path / "c").exists()
