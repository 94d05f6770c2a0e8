"""What importing costs, shown in fresh processes."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import cleanplate

HEAVY = {
    *("torch", "lightning", "cv2", "onnxruntime", "onnx", "bpy", "numpy", "PIL", "scipy"),
    *("tqdm", "tyro", "webdataset", "tensorboard", "av", "ray", "pygame"),
}


def fresh(code: str, *options: str) -> str:
    """What a new Python process prints; it must end well."""
    done = subprocess.run(
        [sys.executable, *options, "-c", code],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def loaded_by(statement: str) -> set[str]:
    code = f"{statement}\nimport sys, json\nprint('|' + json.dumps(sorted(sys.modules)))"
    modules = json.loads(fresh(code, "-W", "error").rsplit("|", 1)[1])
    return {name.split(".")[0] for name in modules}


def test_import_loads_nothing_heavy():
    loaded = loaded_by("import cleanplate; cleanplate.__version__; cleanplate.CleanplateError")
    assert "cleanplate" in loaded
    assert loaded & HEAVY == set()


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["-h"]])
def test_help_and_version_load_nothing_heavy(arguments):
    loaded = loaded_by(f"from cleanplate.cli import main; assert main({arguments}) == 0")
    assert "click" in loaded
    assert loaded & HEAVY == set()


def test_reading_a_picture_needs_neither_torch_nor_onnxruntime():
    loaded = loaded_by("from cleanplate import read_image, read_depth")
    assert {"numpy", "cv2", "PIL"} <= loaded
    assert loaded & {"torch", "lightning", "onnx", "onnxruntime", "scipy"} == set()


def test_prediction_needs_no_torch():
    loaded = loaded_by("from cleanplate import Predictor, Scene, Result")
    assert loaded & {"torch", "lightning", "onnx", "scipy", "tyro", "webdataset"} == set()


@pytest.mark.parametrize("name", cleanplate.__all__)
def test_every_public_name_is_there(name):
    assert getattr(cleanplate, name) is getattr(cleanplate, name)


def test_public_names_are_listed_and_sorted():
    assert cleanplate.__all__ == sorted(cleanplate.__all__)
    assert set(cleanplate.__all__) <= set(dir(cleanplate))


@pytest.mark.parametrize("package", ["cleanplate", "cleanplate.predict", "cleanplate.synthesis"])
def test_type_checkers_see_the_same_names_as_python(package: str):
    module = import_module(package)
    stub = Path(module.__file__).with_suffix(".pyi")
    tree = ast.parse(stub.read_text(encoding="utf-8"))
    declared = {
        alias.asname
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    listed = next(node.value for node in tree.body if isinstance(node, ast.Assign))
    assert declared == set(ast.literal_eval(listed)) == set(module.__all__)
    assert set(module.__all__) <= set(dir(module))
    assert all(hasattr(module, name) for name in module.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="Predicter"):
        _ = cleanplate.Predicter
