"""The examples in docstrings are run, and each says where its value comes from."""

from __future__ import annotations

import doctest
import inspect
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "src"
NEEDS = {"training": "torch", "blender": "bpy"}
"""Folder -> the library of its extra."""


def module_of(path: Path) -> str:
    place = path.relative_to(SOURCE).with_suffix("")
    return ".".join(place.parts[:-1] if place.name == "__init__" else place.parts)


WITH_EXAMPLES = [
    module_of(path)
    for path in sorted(SOURCE.rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


def opened(name: str) -> ModuleType:
    for folder, library in NEEDS.items():
        if f".{folder}." in f"{name}.":
            pytest.importorskip(library)
    return import_module(name)


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_give_what_they_show(name: str) -> None:
    told: list[str] = []
    module = opened(name)
    runner = doctest.DocTestRunner()
    for test in doctest.DocTestFinder(exclude_empty=True).find(module):
        runner.run(test, out=told.append)
    assert runner.failures == 0, "".join(told)
    assert runner.tries > 0


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_a_comment_derives_each_value(name: str) -> None:
    """Not where a message or a whole object is shown, in the docstring of a package."""
    if Path(inspect.getfile(opened(name))).name == "__init__.py":
        pytest.skip("shows how the package is used")
    bare = [
        f"{test.name}: {example.source.strip()}"
        for test in doctest.DocTestFinder().find(opened(name))
        for example in test.examples
        if example.want and "  # " not in example.source
    ]
    assert not bare


@pytest.mark.parametrize("name", ["cleanplate.matte", "cleanplate.metrics", "cleanplate.light"])
def test_every_public_formula_has_an_example(name: str) -> None:
    module = import_module(name)
    functions = {
        key: value
        for key in getattr(module, "__all__", vars(module))
        if inspect.isfunction(value := getattr(module, key))
        and value.__module__.startswith(name)
        and not key.startswith("_")
    }
    assert functions
    assert not [key for key, one in functions.items() if ">>> " not in (inspect.getdoc(one) or "")]
