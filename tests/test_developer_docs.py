"""Names in docs/architecture.md and docs/words.md exist, and the diagram is up to date."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "cleanplate"
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
WORDS = (ROOT / "docs" / "words.md").read_text(encoding="utf-8")
CHAIN = re.compile(r"`(\w+)`((?: → `\w+`)+)")


def file_of(parts: list[str]) -> Path | None:
    """The file of a module or package below `cleanplate`; None if there is none."""
    place = PACKAGE.joinpath(*parts)
    for file in (place / "__init__.py", place.with_suffix(".py")):
        if file.is_file():
            return file
    return None


def defined(file: Path) -> set[str]:
    """Names that a module defines or imports at its top level."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id for target in targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
    return found


def exists(dotted: str) -> bool:
    parts = dotted.split(".")[1:]
    for length in range(len(parts), -1, -1):
        file = file_of(parts[:length])
        if file is not None:
            return set(parts[length:]) <= defined(file)
    return False


NAMED = sorted(
    set(re.findall(r"`(cleanplate(?:\.\w+)+)`", ARCHITECTURE + WORDS))
    | {
        ".".join(["cleanplate", first, *re.findall(r"\w+", rest)])
        for first, rest in CHAIN.findall(ARCHITECTURE)
    }
)


@pytest.mark.parametrize("dotted", NAMED)
def test_what_the_pages_name_exists(dotted: str) -> None:
    assert exists(dotted)


@pytest.mark.parametrize("name", ["cleanplate.predict.glance", "cleanplate.depth.Nothing"])
def test_what_does_not_exist_is_found(name: str) -> None:
    assert not exists(name)


def test_files_that_the_pages_name_exist() -> None:
    named = set(re.findall(r"`((?:tests|docs|src|examples|benchmarks)/[\w./]*)`", ARCHITECTURE))
    assert named
    assert not [path for path in named if not (ROOT / path).exists()]


def test_each_of_the_five_questions_has_a_path_of_packages() -> None:
    table = ARCHITECTURE.split("## Five questions")[1].split("##")[0]
    rows = [line for line in table.splitlines() if "? |" in line]
    assert len(rows) == 5
    assert all(CHAIN.search(row) for row in rows)


def test_words_are_in_order_and_once() -> None:
    words = re.findall(r"^\| ([^|]+) \| .* \|$", WORDS, re.M)[1:]
    words = [word for word in words if set(word) != {"-"}]
    assert len(words) > 80
    assert words == sorted(set(words))


@pytest.fixture(scope="module")
def diagram():
    pytest.importorskip("grimp")
    from docs import diagram

    return diagram


def test_the_diagram_is_the_one_that_would_be_drawn(diagram) -> None:
    assert diagram.DRAWN.read_text(encoding="utf-8") == diagram.drawing(), (
        "python -m docs.diagram draws it anew"
    )


def test_implied_imports_are_left_out(diagram) -> None:
    edges = {"a": {"b", "c", "d"}, "b": {"c"}, "c": {"d"}, "d": set()}
    assert diagram.reduced(edges) == {"a": {"b"}, "b": {"c"}, "c": {"d"}, "d": set()}
    assert diagram.rows(edges) == {"a": 3, "b": 2, "c": 1, "d": 0}


def test_boxes_lie_beside_each_other_within_the_paper(diagram) -> None:
    boxes = dict.fromkeys(("top", "left", "right", "base"), ())
    edges = {"top": {"left", "right"}, "left": {"base"}, "right": {"base"}, "base": set()}
    grid = diagram.layout(boxes, edges)
    assert [sorted(node.name for node in row) for row in grid] == [
        ["top"],
        ["left", "right"],
        ["base"],
    ]
    left, right = grid[1]
    assert left.x + left.width / 2 < right.x - right.width / 2
    assert all(node.width / 2 <= node.x <= diagram.WIDTH - node.width / 2 for node in grid[1])


def test_a_flow_through_what_does_not_exist_is_refused(diagram, monkeypatch) -> None:
    monkeypatch.setattr(diagram, "FLOWS", {"predict": ("predict.nothing",)})
    with pytest.raises(ValueError, match=r"predict\.nothing"):
        diagram.drawing()
