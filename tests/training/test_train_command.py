"""`cleanplate train` as a person runs it."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")

from click.testing import CliRunner

from cleanplate.cli import main, train_command
from cleanplate.errors import CleanplateError
from cleanplate.synthesis.procedural.procedural_files import write_assets
from cleanplate.training.checkpoint import read_checkpoint
from cleanplate.training.json_log import read_log
from cleanplate.training.recipes import RECIPES, DataRecipe
from tests.training.data.test_stored_samples import write_shards

SOURCE = Path(__file__).resolve().parent.parent.parent / "src"


@pytest.fixture(scope="module")
def arguments(tmp_path_factory):
    """A short run on six samples in a shard."""
    folder = tmp_path_factory.mktemp("shards")
    write_shards(folder, [6])
    return [
        *("compact-smoke", "--data.kind", "shards", "--data.path", str(folder)),
        *("--stages", "40x32:2:1", "--network.width", "0.25", "--validation-every", "0"),
        *("--workers", "0", "--threads", "1", "--accelerator", "cpu", "--quiet"),
        *("--checkpoint-steps", "0", "--log-every", "1", "--pictures-every", "0"),
    ]


def test_a_run_says_how_it_ended_and_is_not_repeated(tmp_path, arguments):
    words = [*arguments, "--run", str(tmp_path / "run"), "--steps", "3", "--json", "-"]
    first = CliRunner().invoke(train_command.command, words)
    assert first.exit_code == 0, first.output
    assert json.loads(first.stdout)["status"] == "complete"
    again = CliRunner().invoke(train_command.command, words)
    told = json.loads(again.stdout)
    assert (told["status"], told["step"]) == ("already complete", 3)
    assert Path(told["checkpoint"]).is_file()


@pytest.mark.parametrize("how", ["given", "usual", "none"])
def test_decoded_assets_lie_where_the_person_wants_them(tmp_path, arguments, how, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "usual"))
    monkeypatch.setattr(sys, "platform", "linux")
    for noun in ("plates", "cutouts"):
        list(write_assets(noun, tmp_path / noun, 1, seed=0))
    words = [arguments[0], *arguments[5:], "--run", str(tmp_path / "run"), "--steps", "1"]
    words += ["--data.kind", "composites", "--data.plates", str(tmp_path / "plates")]
    words += ["--data.cutouts", str(tmp_path / "cutouts")]
    given = tmp_path / "given"
    words += {"given": ["--asset-cache", str(given)], "usual": [], "none": ["--no-asset-cache"]}[
        how
    ]
    done = CliRunner().invoke(train_command.command, words)
    assert done.exit_code == 0, done.output
    found = {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*.assets")}
    assert found == ({how} if how != "none" else set())


def test_without_a_recipe_it_shows_its_help():
    done = CliRunner().invoke(train_command.command, [])
    assert done.exit_code == 2
    assert "RECIPE" in done.output


@pytest.mark.parametrize("recipe", ["compact", "seed"])
def test_without_data_a_recipe_is_refused_with_the_cure(tmp_path, recipe, capsys):
    run = tmp_path / "run"
    assert main(["train", recipe, "--run", str(run)]) == 2
    said = capsys.readouterr().err
    assert "no plates and no cutouts" in said
    assert "--data.plates FOLDER --data.cutouts FOLDER, or --data.kind procedural" in said
    assert not run.exists()  # so that the same folder takes the command that is right


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (DataRecipe(plates=(Path("p"),)), "there is no cutouts"),
        (DataRecipe("shards"), "there is no path"),
        (DataRecipe("folders"), "there is no path"),
        (DataRecipe("procedural", plates=(Path("p"),)), "do not use --data.plates"),
        (DataRecipe("shards", path=Path("s"), cutouts=(Path("c"),)), "do not use --data.cutouts"),
    ],
)
def test_data_of_a_kind_have_the_folders_of_that_kind(data, said):
    with pytest.raises(CleanplateError, match=said):
        data.raise_if_incomplete()


def test_samples_without_a_subject_need_no_cutouts():
    empty = RECIPES["plate-depth"].data
    dataclasses.replace(empty, plates=(Path("p"),)).raise_if_incomplete()
    with pytest.raises(CleanplateError, match="no plates"):
        empty.raise_if_incomplete()


def test_generated_scenes_have_to_be_requested(tmp_path):
    DataRecipe("procedural").raise_if_incomplete()
    for name, recipe in RECIPES.items():
        if name.endswith("-smoke"):
            recipe.data.raise_if_incomplete()
    said = CliRunner().invoke(train_command.command, ["--help"]).output
    assert "--data.kind procedural" in said


def test_ctrl_c_ends_with_130_and_a_checkpoint(tmp_path, arguments):
    run = tmp_path / "run"
    child = subprocess.Popen(
        [
            *(sys.executable, "-m", "cleanplate", "train"),
            *(word for word in arguments if word != "--quiet"),
            *("--run", str(run), "--steps", "100000"),
        ],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    try:
        limit = time.monotonic() + 300
        log = run / "log.jsonl"
        while not (log.exists() and read_log(log)):
            assert child.poll() is None, child.stderr.read()
            assert time.monotonic() < limit
            time.sleep(0.02)
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=60)
    finally:
        child.kill()
    assert child.returncode == 130, said
    assert "Traceback" not in said
    step = read_checkpoint(run / "last.ckpt")["global_step"]
    assert step > 0
    assert f"interrupted at step {step}" in said
