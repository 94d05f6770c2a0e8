from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from email.message import Message
from importlib.machinery import ModuleSpec
from types import ModuleType

import click
import pytest

from cleanplate import cli, installation
from cleanplate.cli import doctor_command, main
from cleanplate.errors import CleanplateError, MissingExtraError, install_command

THERE = cli.command.list_commands(click.Context(cli.command))

# A process whose command line has one more command, `trial`, that does what `{body}` says.
TRIAL = """
import sys, click
from importlib.machinery import ModuleSpec
from types import ModuleType
from cleanplate import cli, installation

@click.command()
def command():
    {body}

module = ModuleType("cleanplate.cli.trial")
module.__spec__ = ModuleSpec(module.__name__, None)
module.command = command
sys.modules[module.__name__] = module
cli.COMMANDS["trial"] = "For the test."
sys.exit(cli.main(["trial"]))
"""


def process(body: str, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", TRIAL.format(body=body)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        **options,
    )


@pytest.fixture
def trial(monkeypatch):
    """Add a command `trial` that raises what is given; run it and return the exit code."""

    def run(fault: BaseException) -> int:
        @click.command()
        def command() -> None:
            raise fault

        module = ModuleType("cleanplate.cli.trial")
        module.__spec__ = ModuleSpec(module.__name__, None)
        module.command = command
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setitem(cli.COMMANDS, "trial", "For the test.")
        return main(["trial"])

    return run


# --- the frame -------------------------------------------------------------------------------


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_lists_the_commands_that_are_there(flag, capsys):
    assert main([flag]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    listed = re.findall(r"^  ([a-z]+) {2,}\S", out.partition("Commands:")[2], re.MULTILINE)
    assert listed == THERE
    assert "doctor" in listed
    assert "Example: cleanplate" in out


def test_a_command_without_its_module_is_neither_listed_nor_run(monkeypatch, capsys):
    monkeypatch.setitem(cli.COMMANDS, "later", "Not built yet.")
    assert "later" not in cli.command.list_commands(click.Context(cli.command))
    assert main(["later"]) == 2
    assert "No such command 'later'" in capsys.readouterr().err


@pytest.mark.parametrize("name", THERE)
def test_every_command_explains_itself_with_an_example(name, capsys):
    assert main([name, "--help"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"Usage: cleanplate {name}")
    assert "Example" in out.strip().rpartition("\n\n")[2]
    assert f"cleanplate {name}" in out.rpartition("Example")[2]


def test_version(capsys):
    import cleanplate

    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"cleanplate {cleanplate.__version__}\n"


def test_the_version_is_that_of_the_package(monkeypatch):
    import importlib.metadata

    from cleanplate import version

    monkeypatch.setattr(version, "version", lambda name: f"{name}-1.2.3")
    assert version._installed() == "cleanplate-1.2.3"

    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(version, "version", missing)
    assert version._installed() == "0+source"


def test_python_m_cleanplate_is_the_command_line():
    done = subprocess.run(
        [sys.executable, "-m", "cleanplate", "--help"],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: cleanplate [OPTIONS] COMMAND")


# --- faults ----------------------------------------------------------------------------------


def test_a_persons_mistake_is_told_without_traceback(trial, capsys):
    assert trial(CleanplateError("is empty", file="plate.png", cure="Save it again.")) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "Error: plate.png: is empty\nSave it again.\n"


def test_a_missing_extra_is_told_with_its_name(trial, capsys):
    assert trial(MissingExtraError("torch", "train")) == 2
    assert install_command("train") in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["no-such-command"], ["--no-such-option"], ["doctor", "x"]])
def test_wrong_usage_is_exit_code_2(arguments, capsys):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Usage: cleanplate" in err
    assert "Traceback" not in err


def test_no_arguments_show_the_help(capsys):
    assert main([]) in (0, 2)
    shown = capsys.readouterr()
    assert "Commands:" in shown.out + shown.err


def test_a_bug_passes_through(trial):
    with pytest.raises(ZeroDivisionError):
        trial(ZeroDivisionError("a bug"))


def test_a_bug_shows_its_traceback_in_a_real_process():
    out, err = (running := process("1 / 0")).communicate(timeout=60)
    assert running.returncode == 1
    assert out == ""
    assert "Traceback" in err
    assert "ZeroDivisionError" in err


def test_a_persons_mistake_in_a_real_process():
    body = "from cleanplate import CleanplateError; raise CleanplateError('is wrong')"
    out, err = (running := process(body)).communicate(timeout=60)
    assert (running.returncode, out, err) == (2, "", "Error: is wrong\n")


@pytest.mark.parametrize("fault", [KeyboardInterrupt(), click.Abort()])
def test_a_stop_is_exit_code_130(trial, fault, capsys):
    assert trial(fault) == 130
    assert capsys.readouterr().err.strip() == "Stopped."


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
def test_ctrl_c_in_a_real_process():
    running = process("import time; print('ready', flush=True); time.sleep(60)")
    assert running.stdout is not None
    assert running.stdout.readline() == "ready\n"
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert err.strip() == "Stopped."


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX pipes")
@pytest.mark.parametrize("size", [10, 10**6])
def test_a_reader_that_goes_away_is_no_fault(size):
    """As in `cleanplate ... | head`: once at the last flush, once in the middle."""
    body = f"input(); print('x' * {size}); print('y')"
    running = process(body, stdin=subprocess.PIPE)
    assert running.stdout is not None
    assert running.stderr is not None
    assert running.stdin is not None
    running.stdout.close()
    running.stdin.write("go\n")
    running.stdin.close()
    assert running.stderr.read() == ""
    assert running.wait(timeout=60) == 1
    running.stderr.close()


# --- doctor ----------------------------------------------------------------------------------


def told(capsys) -> dict:
    code = main(["doctor", "--json", "-"])
    found = json.loads(capsys.readouterr().out)
    assert code == (0 if found["healthy"] else 1)
    return found


class Installed:
    """What `importlib.metadata` tells of a package."""

    def __init__(self, requires: list[str]):
        extras = dict.fromkeys(re.findall(r"""extra == ['"](\w+)""", " ".join(requires)))
        self.requires = requires
        self.metadata = Message()
        for extra in extras:
            self.metadata["Provides-Extra"] = extra

    def read_text(self, name: str) -> None:
        assert name == "direct_url.json"


def declare(monkeypatch, lines: list[str], versions: dict[str, str]) -> None:
    def version(name: str) -> str:
        if name not in versions:
            raise doctor_command.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(installation, "distribution", lambda _: Installed(lines))
    monkeypatch.setattr(doctor_command, "version", version)


DECLARED = [
    "numpy>=1.26",
    "opencv-python-headless>=4.10",
    "torch>=2.4; extra == 'train'",
    'onnx>=1.16 ; python_version > "3" and extra == "train"',
    "openexr>=3.3; extra == 'exr'",
]


def test_doctor_reads_what_the_package_declares(monkeypatch, capsys):
    declare(monkeypatch, DECLARED, {"numpy": "2.1", "torch": "2.5", "opencv-python": "4.10.1"})
    found = told(capsys)
    assert found["libraries"] == {"numpy": "2.1", "opencv-python-headless": "4.10.1"}
    assert found["extras"] == {
        "exr": {"openexr": None},
        "train": {"onnx": None, "torch": "2.5"},
    }
    assert found["cores"] >= 1
    assert "CPUExecutionProvider" in found["providers"]


def test_doctor_names_the_extra_that_is_missing(monkeypatch, capsys):
    declare(monkeypatch, DECLARED, {"numpy": "2.1", "openexr": "3.4"})
    main(["doctor"])
    out = capsys.readouterr().out
    assert re.search(r"opencv-python-headless +missing", out)
    assert re.search(r'Extra train  -> .*pip install "cleanplate\[train\]"\n', out)
    assert re.search(r"Extra exr\n +openexr +3\.4", out)


def test_doctor_lists_what_is_for_this_system_and_python_alone(monkeypatch, capsys):
    lines = [
        "numpy>=1.26",
        "pywin32>=300; sys_platform == 'nowhere'",
        "bpy<5.1,>=5.0; python_version == '2.7' and extra == 'render'",
        "numpy<2; extra == 'render'",
        "torch>=2.4; (python_version >= '3.0') and extra == 'train'",
    ]
    declare(monkeypatch, lines, {"numpy": "1.26.4"})
    found = told(capsys)
    assert found["libraries"] == {"numpy": "1.26.4"}
    assert found["extras"] == {"render": {"numpy": "1.26.4"}, "train": {"torch": None}}
    assert found["elsewhere"] == {"render": {"bpy": 'python_version == "2.7"'}}
    main(["doctor"])
    out = capsys.readouterr().out
    assert 'Extra render (bpy is for python_version == "2.7" alone)\n' in out
    assert "missing" in out.split("Extra train")[1]
    assert "pywin32" not in out


def test_doctor_names_a_library_of_another_version_than_an_extra_wants(monkeypatch, capsys):
    lines = ["numpy>=1.26", "numpy<2; extra == 'render'"]
    declare(monkeypatch, lines, {"numpy": "2.1"})
    assert told(capsys)["unfit"] == {"render": {"numpy": "<2"}}
    main(["doctor"])
    base, _, extra = capsys.readouterr().out.partition("Extra render")
    assert "not" not in base.partition("Libraries")[2]
    assert re.match(r'  -> .*pip install "cleanplate\[render\]"\n  numpy +2\.1, not <2\n', extra)


def model(problem: str | None) -> dict:
    return {"compact": {"default": True, "problem": problem}}


def test_doctor_is_content_when_all_is_there(monkeypatch, capsys):
    declare(monkeypatch, ["numpy>=1"], {"numpy": "2.1"})
    monkeypatch.setattr(doctor_command, "_models", lambda: model(None))
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "compact (default): whole" in out
    assert out.endswith("Ready to predict.\n")


@pytest.mark.parametrize("what", ["library", "provider", "model", "no model"])
def test_doctor_ends_with_1_when_prediction_cannot_work(monkeypatch, capsys, what):
    declare(monkeypatch, ["numpy>=1"], {} if what == "library" else {"numpy": "2.1"})
    models = {"model": model("graphs differ from the card"), "no model": {}}
    monkeypatch.setattr(doctor_command, "_models", lambda: models.get(what, model(None)))
    if what == "provider":
        monkeypatch.setattr(doctor_command, "_providers", list)
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert out.endswith("Not ready to predict.\n")
    if what == "model":
        assert "graphs differ from the card" in out


def test_doctor_works_from_a_source_tree(monkeypatch, capsys):
    def missing(_: str) -> list[str]:
        raise doctor_command.PackageNotFoundError

    monkeypatch.setattr(installation, "distribution", missing)
    found = told(capsys)
    assert found["libraries"] == found["extras"] == {}
