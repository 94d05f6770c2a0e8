"""Every example of the README and of docs/ is run, as a reader would run it.

What counts as an example is a fenced block whose language is one of

    ```python    run; the blocks of one document share their names. With `>>>` prompts the
                 printed values are compared as doctest does (`...` stands for anything).
    ```sh        run by a shell that stops at the first error.
    ```console   each line after `$ ` is run, the lines below it are compared with what it
                 prints (`...` stands for anything); nothing below: anything may be printed.

in a folder of its own per document, which holds a copy of `examples/`; `cleanplate` and `python`
are those that run the tests. A block that cannot be run here says so where its reader's source
shows it, and why:

    ```sh skip: needs two machines

Other languages (`text`, `json`, `toml`, `bibtex`, `make`...) are not examples. A fence without a
language is refused, because it hides what it is.
"""

from __future__ import annotations

import doctest
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import cleanplate

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(
    r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<code>.*?)^(?P=indent)```$", re.S | re.M
)
COMPARE = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
RUN = ("python", "sh", "console")
NOT_EXAMPLES = ("text", "json", "toml", "bibtex", "make", "mermaid", "csv", "yaml")


@dataclass(frozen=True)
class Block:
    document: Path
    line: int
    language: str
    skip: str
    code: str

    def __str__(self) -> str:
        return f"{self.document.relative_to(ROOT).as_posix()}:{self.line}"


def blocks(text: str, document: Path) -> list[Block]:
    found = []
    for fence in FENCE.finditer(text):
        language, _, rest = fence["info"].strip().partition(" ")
        line = text.count("\n", 0, fence.start()) + 1
        where = f"{document}:{line}"
        assert language in RUN + NOT_EXAMPLES, f"{where}: what is a {language!r} block?"
        skip = re.fullmatch(r"skip: (\S.*)", rest)
        assert not rest or skip, f"{where}: expected `skip: reason`, found {rest!r}"
        code = re.sub(rf"^{fence['indent']}", "", fence["code"], flags=re.M)
        if language in RUN:
            found.append(Block(document, line, language, skip[1] if skip else "", code))
    return found


EXAMPLES = [block for path in DOCUMENTS for block in blocks(path.read_text("utf-8"), path)]
NEEDS_TRAIN = re.compile(r"cleanplate (train|export)|cleanplate\.training|import torch|extending")


@dataclass
class Reader:
    """Somebody who follows one document from top to bottom in a folder of their own."""

    folder: Path
    names: dict[str, Any]

    @classmethod
    def in_folder(cls, folder: Path) -> Reader:
        shutil.copytree(ROOT / "examples", folder / "examples")
        programs = folder / ".bin"
        programs.mkdir()
        for name, arguments in (("cleanplate", "-m cleanplate "), ("python", "")):
            program = programs / name
            program.write_text(
                f'#!/bin/sh\nexec "{sys.executable}" {arguments}"$@"\n', encoding="utf-8"
            )
            program.chmod(0o755)
        return cls(folder, {"__name__": "__main__"})

    def shell(self, script: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env=os.environ
            | {
                "PATH": os.pathsep.join([str(self.folder / ".bin"), os.environ["PATH"]]),
                "PYTHONPATH": str(Path(cleanplate.__file__).parent.parent),
            },
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
        return done

    def follow(self, block: Block) -> None:
        {"sh": self.run_sh, "console": self.run_console, "python": self.run_python}[block.language](
            block
        )

    def run_sh(self, block: Block) -> None:
        self.shell(block.code)

    def run_console(self, block: Block) -> None:
        prompts = [part for part in re.split(r"^\$ ", block.code, flags=re.M) if part.strip()]
        assert block.code.startswith("$ "), "a console block starts with `$ `"
        for part in prompts:
            command, _, expected = part.partition("\n")
            while command.endswith("\\"):
                more, _, expected = expected.partition("\n")
                command += "\n" + more
            done = self.shell(command)
            if expected.strip():
                printed = done.stdout + done.stderr
                assert doctest.OutputChecker().check_output(expected, printed, COMPARE), (
                    f"{command}\nshould print\n{expected}\nbut printed\n{printed}"
                )

    def run_python(self, block: Block) -> None:
        if ">>>" not in block.code:
            exec(compile(block.code, str(block), "exec"), self.names)
            return
        test = doctest.DocTestParser().get_doctest(
            block.code, self.names, str(block), str(block.document), block.line
        )
        told: list[str] = []
        outcome = doctest.DocTestRunner(optionflags=COMPARE).run(
            test, out=told.append, clear_globs=False
        )
        self.names.update(test.globs)
        assert outcome.failed == 0, "".join(told)


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Reader]:
    return {
        document: Reader.in_folder(tmp_path_factory.mktemp(document.stem))
        for document in DOCUMENTS
        if any(block.document == document for block in EXAMPLES)
    }


@pytest.mark.parametrize("block", EXAMPLES, ids=str)
def test_example(
    block: Block, readers: dict[Path, Reader], monkeypatch: pytest.MonkeyPatch
) -> None:
    if block.skip:
        pytest.skip(block.skip)
    if NEEDS_TRAIN.search(block.code) and find_spec("torch") is None:
        pytest.skip("needs the extra `train`")
    if "cleanplate.video" in block.code and find_spec("av") is None:
        pytest.skip("needs the extra `video`")
    reader = readers[block.document]
    monkeypatch.chdir(reader.folder)
    reader.follow(block)


def test_readme_shows_prediction_in_python_and_on_the_command_line() -> None:
    shown = [b for b in EXAMPLES if b.document.name == "README.md" and not b.skip]
    assert any(b.language == "python" and "Predictor" in b.code for b in shown)
    for command in ("predict", "evaluate", "train", "export"):
        assert any(f"cleanplate {command}" in b.code for b in shown), command


def test_links_and_pictures_lead_somewhere() -> None:
    for document in DOCUMENTS:
        text = FENCE.sub("", document.read_text("utf-8"))
        for target in re.findall(r"\]\(([^)#\s]+)", text) + re.findall(r'src="([^"]+)"', text):
            if not re.match(r"[a-z]+:", target):
                assert (document.parent / target).exists(), f"{document.name} -> {target}"


TICKS = "```"


@pytest.mark.parametrize(
    "text",
    [
        f"{TICKS}\nmystery\n{TICKS}\n",
        f"{TICKS}sh skip\nfalse\n{TICKS}\n",
        f"{TICKS}sh later\nfalse\n{TICKS}\n",
    ],
)
def test_a_fence_must_say_what_it_is(text: str) -> None:
    with pytest.raises(AssertionError):
        blocks(text, Path("page.md"))


@pytest.mark.parametrize(
    "example",
    [
        f"{TICKS}sh\nfalse\ntrue\n{TICKS}\n",
        f"{TICKS}console\n$ echo one\ntwo\n{TICKS}\n",
        f"{TICKS}python\n>>> 1 + 1\n3\n{TICKS}\n",
        f"{TICKS}python\nassert False\n{TICKS}\n",
    ],
)
def test_a_wrong_example_fails(example: str, tmp_path: Path) -> None:
    reader = Reader(tmp_path, {})
    (block,) = blocks(example, ROOT / "README.md")
    with pytest.raises(AssertionError):
        reader.follow(block)


def test_a_right_example_passes(tmp_path: Path) -> None:
    reader = Reader.in_folder(tmp_path)
    text = (
        f"{TICKS}console\n$ echo one \\\n  two\none ...\n$ ls examples\n{TICKS}\n"
        f"{TICKS}python\nx = 2\n{TICKS}\n{TICKS}python\n>>> x + 1\n3\n{TICKS}\n"
    )
    for block in blocks(text, ROOT / "README.md"):
        reader.follow(block)
