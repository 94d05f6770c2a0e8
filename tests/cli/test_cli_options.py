"""Options of all commands: one spelling and one meaning each; `--json` in detail."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from cleanplate.cli import command, main
from cleanplate.cli.lazy_group import LazyGroup
from cleanplate.cli.options import JsonTarget
from cleanplate.files.ownership import is_own


def commands(group: LazyGroup = command, name: str = "") -> Iterator[tuple[str, click.Command]]:
    for one in group.list_commands(click.Context(group)):
        found = group.get_command(click.Context(group), one)
        if isinstance(found, LazyGroup):
            yield from commands(found, f"{one} ")
        else:
            yield name + one, found


def options() -> dict[str, dict[str, click.Option]]:
    """Spelling -> command -> option."""
    found: dict[str, dict[str, click.Option]] = defaultdict(dict)
    for name, one in commands():
        for option in one.params:
            if isinstance(option, click.Option):
                for spelling in option.opts:
                    found[spelling][name] = option
    return found


OPTIONS = options()


def test_all_commands_are_looked_at():
    assert {"predict", "evaluate", "train", "export", "doctor"} <= dict(commands()).keys()
    assert {"synth build", "synth render", "synth cutouts"} <= dict(commands()).keys()


@pytest.mark.parametrize("gone", ["--out", "--licence", "--processes", "--teacher"])
def test_spellings_that_are_not_used(gone: str):
    assert gone not in OPTIONS


def test_the_output_has_one_spelling():
    assert OPTIONS["-o"] == OPTIONS["--output"]
    assert len(OPTIONS["-o"]) >= 8


@pytest.mark.parametrize(
    "spelling",
    [
        "--json",
        "--quiet",
        "--overwrite",
        "--max-pixels",
        "--seed",
        "--rebuild",
        "--skip-bad",
        "--align",
        "--model",
        "--source",
        "--attribution",
    ],
)
def test_an_option_of_several_commands_is_the_same_in_all(spelling: str):
    found = {name: one for name, one in OPTIONS[spelling].items() if name != "synth depth"}
    shared = {(one.help, one.metavar, one.is_flag, one.default) for one in found.values()}
    assert len(found) >= 1
    assert len(shared) == 1


def test_every_json_option_takes_a_file_or_stdout():
    assert len(OPTIONS["--json"]) >= 11
    assert all(isinstance(one.type, JsonTarget) for one in OPTIONS["--json"].values())


def test_words_with_one_meaning():
    assert OPTIONS["--force"].keys() == {"predict"}
    assert not any(one.is_flag for one in OPTIONS["--plate-depth"].values())
    assert OPTIONS["--with-plate-depth"].keys() == {"evaluate"}
    assert all(isinstance(one.type, click.IntRange) for one in OPTIONS["--workers"].values())


def test_json_in_a_file_is_what_stdout_shows(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file = tmp_path / "doctor.json"
    code = main(["doctor", "--json", str(file)])
    assert "cores:" in capsys.readouterr().out, "the page is shown, too"
    assert main(["doctor", "--json", "-"]) == code
    assert json.loads(file.read_text("utf-8")) == json.loads(capsys.readouterr().out)


def test_json_replaces_its_own_file_and_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    file = tmp_path / "doctor.json"
    code = main(["doctor", "--json", str(file)])
    assert is_own(file)
    assert main(["doctor", "--json", str(file)]) == code
    file.write_text('{"mine": 1}\n', "utf-8")
    capsys.readouterr()
    assert main(["doctor", "--json", str(file)]) == 2
    told = capsys.readouterr()
    assert "doctor.json" in told.err
    assert "--overwrite" not in told.err, "doctor has no such option"
    assert told.out == "", "refused before the work"
    assert file.read_text("utf-8") == '{"mine": 1}\n'


def test_json_needs_a_folder_that_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["doctor", "--json", str(tmp_path / "no" / "x.json")]) == 2
    assert "folder does not exist" in capsys.readouterr().err
