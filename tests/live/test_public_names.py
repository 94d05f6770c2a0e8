"""The names of `cleanplate.live`: all load, and type checkers see the same."""

from __future__ import annotations

import ast
from pathlib import Path

import cleanplate.live as package


def test_every_public_name_loads_and_is_in_the_stub():
    tree = ast.parse(Path(package.__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    declared = {
        alias.asname
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert declared == set(package.__all__)
    assert package.__all__ == sorted(package.__all__)
    assert all(hasattr(package, name) for name in package.__all__)
