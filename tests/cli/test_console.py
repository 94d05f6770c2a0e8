"""What a redirected console cannot show is escaped, and mistyped words are guessed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cleanplate.cli import main

NAMES = "print_names.py"
SCRIPT = """
import sys, click
from tqdm import tqdm
from cleanplate.cli.console import escape_unknown_characters
escape_unknown_characters()
escape_unknown_characters()  # twice is once
name = sys.argv[1]
click.echo(f"out {name}")
click.echo(f"err {name}", err=True)
tqdm.write(f"bar {name}", file=sys.stderr)
click.UsageError(f"usage {name}").show()
"""


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, *command],
        env={**os.environ, **environment},
        capture_output=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"PYTHONIOENCODING": "ascii"}, rb"\xe9\u2603"),
        ({"PYTHONIOENCODING": "latin-1"}, b"\xe9\\u2603"),
        ({"PYTHONIOENCODING": "cp1252"}, b"\xe9\\u2603"),
        ({"PYTHONIOENCODING": "utf-8"}, "é☃".encode()),
        ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, rb"\udcc3\udca9"),
    ],
    ids=["ascii", "latin-1", "cp1252", "utf-8", "C locale"],
)
def test_a_name_that_the_console_cannot_encode_is_escaped(
    environment: dict[str, str], expected: bytes
) -> None:
    done = run("-c", SCRIPT, "é☃", **environment)
    assert done.returncode == 0, done.stderr
    assert b"out " + expected in done.stdout
    for start in (b"err ", b"bar ", b"usage "):
        assert start + expected in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_commands_end_well_with_such_names(tmp_path: Path, encoding: str) -> None:
    """A mistake is told with exit code 2, a folder of such a name is made with 0."""
    pytest.importorskip("onnx")
    from cleanplate.formats.pictures import write_image
    from tests.predict.conftest import make_pair
    from tests.predict.tiny_model import write_model

    pair = make_pair(40, 60)
    plate, frame = tmp_path / "☃plate.png", tmp_path / "☃.png"
    write_image(plate, pair.plate)
    write_image(frame, pair.frame)
    model = str(write_model(tmp_path / "tiny"))
    arguments = ("-m", "cleanplate", "predict", "--model", model, "--plate", str(plate))
    out = str(tmp_path / "☃out")
    done = run(*arguments, str(frame), "-o", out, "--save", "alpha", PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    assert rb"\u2603out" in done.stdout
    assert (tmp_path / "☃out" / "☃.alpha.png").exists()
    done = run(*arguments, str(tmp_path / "☃none.png"), "-o", out, PYTHONIOENCODING=encoding)
    assert done.returncode == 2
    assert rb"\u2603none.png: does not exist" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "near"),
    [
        (["predct"], "'predict'"),
        (["synth", "bild"], "'build'"),
        (["--verson"], "--version"),
        (["predict", "--bakground", "white"], "--background"),
        (["evaluate", "pairs", "--baselin", "row"], "--baseline"),
    ],
)
def test_a_mistyped_word_is_guessed(
    arguments: list[str], near: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    told = capsys.readouterr().err
    assert re.search("[Dd]id you mean|Possible options", told)  # as click words it
    assert near in told


def test_a_word_like_no_command_is_not_guessed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["xyzzy"]) == 2
    assert "No such command 'xyzzy'.\n" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_every_option_has_help_and_so_has_the_command(command: str) -> None:
    from importlib import import_module

    import click

    found = import_module(f"cleanplate.cli.{command}_command").command
    assert found.epilog
    assert "Examples" in found.epilog
    for option in found.params:
        if isinstance(option, click.Option):
            assert option.help, option.name
            assert option.help.strip().endswith((".", "]")), option.name
